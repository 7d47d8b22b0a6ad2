//! Which run a connection needs next and when it is due, from what its runs have covered (DESIGN.md
//! "Timetable"). Pure.

use domain::sync::SyncMode;
use domain::window;
use jiff::{SignedDuration, Timestamp};
use sync::{Outlook, Settings};
use uuid::Uuid;

use super::Tick;
use crate::jobs::{Phase, RunJob, RunKind};

/// A run whose Job ended well is not made again sooner, whatever the store says: something would
/// be wrong that another Job does not mend.
const LEAST_PAUSE: SignedDuration = SignedDuration::from_secs(60);

/// A run to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Due {
    /// What it does.
    pub(crate) kind: RunKind,
    /// What asks for it.
    pub(crate) tick: Tick,
    /// When.
    pub(crate) at: Timestamp,
}

/// What decides.
pub(crate) struct Facts<'a> {
    /// Whose ticks they are.
    pub(crate) owner: Uuid,
    /// The spec's generation.
    pub(crate) generation: i64,
    /// When the connection was created.
    pub(crate) created_at: Timestamp,
    /// What is asked for.
    pub(crate) settings: &'a Settings,
    /// The mark of these settings on Jobs.
    pub(crate) fingerprint: &'a str,
    /// What the runs so far have covered.
    pub(crate) outlook: &'a Outlook,
    /// The refresh that was asked for and not handled.
    pub(crate) request: Option<&'a str>,
    /// When to try again after a failure.
    pub(crate) retry_at: Option<Timestamp>,
    /// The connection's Jobs, none of them active.
    pub(crate) jobs: &'a [RunJob],
    /// Now.
    pub(crate) now: Timestamp,
}

/// The next run. A tick that was missed is made up for once: the next one is counted from the run
/// that made up for it.
pub(crate) fn due(facts: &Facts<'_>) -> Due {
    let mut due = next(facts);
    let is_same = |job: &&RunJob| job.kind == due.kind && job.fingerprint == facts.fingerprint;
    let ended_well = facts
        .jobs
        .iter()
        .filter(is_same)
        .filter_map(|job| match job.phase {
            Phase::Succeeded { at } => Some(at),
            _ => None,
        })
        .max();
    if let Some(ended) = ended_well {
        due.at = due.at.max(ended + LEAST_PAUSE);
    }
    let tick = due.tick.to_string();
    let is_taken = |job: &RunJob| job.kind == due.kind && job.tick == tick;
    if facts.jobs.iter().any(is_taken) {
        // A Job of that name is over, and still something is to be done.
        due.tick = Tick::At(due.at.max(facts.now));
    }
    due
}

fn next(facts: &Facts<'_>) -> Due {
    let Facts { outlook, now, .. } = *facts;
    let generation = Tick::Generation(facts.generation);
    let kind = if outlook.mode == SyncMode::Backfill {
        RunKind::Backfill
    } else if outlook.is_in_force {
        RunKind::Refresh
    } else {
        RunKind::Remap
    };
    if let (Some(at), None) = (facts.retry_at, facts.request) {
        let tick = Tick::At(at);
        return Due { kind, tick, at };
    }
    match (kind, facts.request) {
        (RunKind::Backfill, request) => Due {
            kind,
            // By its Job's name a request is known to have been acted on.
            tick: request.map_or(generation, |request| Tick::Request(request.to_owned())),
            at: if outlook.last.is_none() {
                facts.created_at
            } else {
                now
            },
        },
        (RunKind::Remap | RunKind::Purge, _) => Due {
            kind,
            tick: generation,
            at: now,
        },
        (RunKind::Refresh, Some(request)) => Due {
            kind,
            tick: Tick::Request(request.to_owned()),
            at: now,
        },
        (RunKind::Refresh, None) => {
            let tick = outlook.last.as_ref().map_or(now, |last| {
                window::next_tick(facts.owner, facts.settings.refresh.interval, last.window.to)
            });
            Due {
                kind,
                tick: Tick::At(tick),
                at: if outlook.is_unfinished {
                    tick.min(now)
                } else {
                    tick
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::mapping::MappingSpec;
    use domain::plan::{Plan, PlanStanding};
    use domain::storage::{RunEnd, RunId, RunRecord};
    use domain::sync::{RunTotals, Window};
    use proptest::prelude::*;
    use serde_json::json;
    use sync::MappingPolicy;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn settings() -> Settings {
        let connection: crd::PostHogConnection = serde_json::from_value(json!({
            "apiVersion": crd::API_VERSION,
            "kind": crd::KIND,
            "metadata": {"name": "storefront"},
            "spec": {
                "host": "https://eu.posthog.com",
                "projectId": 4242,
                "apiKeySecretRef": {"name": "posthog"},
            },
        }))
        .unwrap();
        let valid = crd::validate(&connection, "acme").unwrap();
        let plan = PlanStanding::Eligible {
            plan: Plan::Starter,
        };
        let settings = crate::settings::settings(&valid, plan);
        assert_eq!(
            settings.mapping,
            MappingPolicy::Spec(MappingSpec::default())
        );
        settings
    }

    fn outlook(last_to: Option<i64>) -> Outlook {
        let run = |to| RunRecord {
            id: RunId(Uuid::nil()),
            mode: SyncMode::Refresh,
            window: Window {
                from: at(to - 3600),
                to: at(to),
            },
            started_at: at(to),
            way: None,
            ended_at: Some(at(to + 10)),
            end: Some(RunEnd::Complete),
            totals: RunTotals::default(),
            slices: (1, 1),
            progress: 1.0,
        };
        Outlook {
            epoch: None,
            backfill: None,
            last: last_to.map(run),
            mode: if last_to.is_some() {
                SyncMode::Refresh
            } else {
                SyncMode::Backfill
            },
            is_unfinished: false,
            is_in_force: true,
        }
    }

    fn facts<'a>(settings: &'a Settings, outlook: &'a Outlook, now: i64) -> Facts<'a> {
        Facts {
            owner: Uuid::from_u128(42),
            generation: 3,
            created_at: at(1000),
            settings,
            fingerprint: "f",
            outlook,
            request: None,
            retry_at: None,
            jobs: &[],
            now: at(now),
        }
    }

    #[test]
    fn a_first_backfill_is_due_since_the_connection_is_there() {
        let (settings, outlook) = (settings(), outlook(None));
        let due = due(&facts(&settings, &outlook, 5000));
        assert_eq!((due.kind, due.at), (RunKind::Backfill, at(1000)));
        assert_eq!(due.tick, Tick::Generation(3));
    }

    #[test]
    fn a_changed_mapping_is_due_at_once_and_pulls_nothing() {
        let (settings, mut outlook) = (settings(), outlook(Some(4900)));
        outlook.is_in_force = false;
        let due = due(&facts(&settings, &outlook, 5000));
        assert_eq!((due.kind, due.at), (RunKind::Remap, at(5000)));
    }

    #[test]
    fn a_failure_waits_for_its_time_unless_somebody_asks() {
        let (settings, outlook) = (settings(), outlook(Some(4900)));
        let mut facts = facts(&settings, &outlook, 5000);
        facts.retry_at = Some(at(5600));
        assert_eq!(due(&facts).at, at(5600));
        facts.request = Some("now");
        let asked = due(&facts);
        assert_eq!(asked.at, at(5000));
        assert_eq!(asked.tick, Tick::Request("now".to_owned()));
    }

    proptest! {
        #[test]
        fn however_many_ticks_were_missed_they_are_made_up_for_by_one_run(
            last in 10_000_i64..2_000_000_000,
            missed in 3_600_i64..2_000_000,
        ) {
            let settings = settings();
            let now = last + missed;
            let before = outlook(Some(last));
            let overdue = due(&facts(&settings, &before, now));
            prop_assert_eq!(overdue.kind, RunKind::Refresh);
            prop_assert!(overdue.at > at(last) && overdue.at <= at(last + 3600));
            // Asked again, it is the same tick, so the same Job.
            prop_assert_eq!(&due(&facts(&settings, &before, now + 5)), &overdue);
            let after = outlook(Some(now));
            let next = due(&facts(&settings, &after, now + 20));
            prop_assert!(next.at > at(now) && next.at <= at(now + 3600));
        }
    }
}
