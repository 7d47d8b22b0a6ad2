//! The decision as a whole against a naive oracle: what is wrong is told once, by the reason that comes
//! first and with its fix, and nothing is pulled meanwhile.

use crd::{Condition, ConditionStatus, PostHogConnection, reasons};
use domain::plan::{Plan, PlanStanding};
use domain::storage::{RunEnd, RunId, RunRecord};
use domain::sync::{RunTotals, SyncMode, Window};
use domain::{ApiHost, ConnectionName};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use secrecy::SecretString;
use serde_json::json;
use sync::{CheckReport, Outlook};
use uuid::Uuid;

use super::*;
use crate::apply::Applied;
use crate::build::report;
use crate::config::Intervals;
use crate::dereference::{Asked, Checked, KeyProblem, ReadKey, Stored};
use crate::jobs::Phase;
use crate::namespaces::Workspace;

const NOW: i64 = 1_800_000_000;

/// What is known of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    NotRead,
    Missing,
    Unchecked,
    Accepted,
    Unknown,
    Unreachable,
}

/// What status says of it so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Accepted,
    Refused,
}

/// A Job of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Active,
    Outdated,
    Succeeded,
    Failed,
}

#[derive(Debug, Clone)]
struct Case {
    is_terminating: bool,
    is_invalid: bool,
    plan: usize,
    is_suspended: bool,
    key: Key,
    before: Before,
    /// Minutes since the last run; absent before the first.
    last_run: Option<i64>,
    jobs: Vec<Work>,
    is_asked: bool,
}

fn case() -> impl Strategy<Value = Case> {
    use Key::{Accepted, Missing, NotRead, Unchecked, Unknown, Unreachable};
    use Work::{Active, Failed, Outdated, Succeeded};
    let rarely = || proptest::bool::weighted(0.15);
    (
        (rarely(), rarely(), 0_usize..8, rarely()),
        prop::sample::select(vec![
            NotRead,
            Missing,
            Unchecked,
            Accepted,
            Unknown,
            Unreachable,
        ]),
        prop::sample::select(vec![Before::Nothing, Before::Accepted, Before::Refused]),
        proptest::option::of(0_i64..100),
        proptest::collection::vec(
            prop::sample::select(vec![Active, Outdated, Succeeded, Failed]),
            0..3,
        ),
        any::<bool>(),
    )
        .prop_map(
            |(
                (is_terminating, is_invalid, plan, is_suspended),
                key,
                before,
                last_run,
                jobs,
                is_asked,
            )| {
                Case {
                    is_terminating,
                    is_invalid,
                    plan,
                    is_suspended,
                    key,
                    before,
                    last_run,
                    jobs,
                    is_asked,
                }
            },
        )
}

/// The first thing that is wrong, and words of its fix; none when nothing is.
fn wrong(case: &Case) -> Option<(&'static str, &'static str)> {
    if case.is_terminating {
        return Some((reasons::NAMESPACE_TERMINATING, "is being deleted"));
    }
    if case.is_invalid {
        return Some((reasons::INVALID_SPEC, "timeZone"));
    }
    match case.plan {
        0 => return Some((reasons::PLAN_TOO_LOW, "until it is upgraded")),
        1 | 2 => return Some((reasons::PLAN_UNKNOWN, "an administrator sets it")),
        _ => {}
    }
    if case.is_suspended {
        return Some((reasons::SUSPENDED, "spec.suspend"));
    }
    match (case.key, case.before) {
        (Key::Missing, _) => Some((reasons::SECRET_NOT_FOUND, "create it there")),
        (Key::Unknown, _) | (Key::NotRead | Key::Unchecked, Before::Refused) => {
            Some((reasons::INVALID_API_KEY, "create a new personal API key"))
        }
        (Key::Accepted, _) | (_, Before::Accepted) => None,
        (Key::Unreachable, _) => Some((reasons::UNREACHABLE, "cannot be reached")),
        // Of a key that nobody has asked about, a run that failed is all that is known.
        (Key::NotRead | Key::Unchecked, Before::Nothing) if case.jobs.contains(&Work::Failed) => {
            Some((reasons::JOB_FAILED, "kubectl -n operator logs job/"))
        }
        (Key::NotRead | Key::Unchecked, Before::Nothing) => {
            Some((reasons::CHECKING, "is being checked"))
        }
    }
}

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(NOW).unwrap() + SignedDuration::from_mins(minutes)
}

fn connection(case: &Case) -> PostHogConnection {
    let mut connection: PostHogConnection = serde_json::from_value(json!({
        "apiVersion": crd::API_VERSION,
        "kind": crd::KIND,
        "metadata": {"name": "storefront", "namespace": "acme", "generation": 3},
        "spec": {
            "host": "https://eu.posthog.com",
            "projectId": 4242,
            "apiKeySecretRef": {"name": "posthog"},
            "suspend": case.is_suspended,
            "timeZone": if case.is_invalid { "Mars/Olympus" } else { "Europe/Berlin" },
        },
    }))
    .unwrap();
    let (status, reason, message) = match case.before {
        Before::Nothing => return connection,
        Before::Accepted => (
            ConditionStatus::True,
            reasons::KEY_ACCEPTED,
            "PostHog accepts the API key.".to_owned(),
        ),
        Before::Refused => (
            ConditionStatus::False,
            reasons::INVALID_API_KEY,
            unknown_key().to_string(),
        ),
    };
    let told = connection.status.get_or_insert_default();
    told.observed_generation = Some(3);
    told.conditions.push(Condition {
        kind: crd::CREDENTIALS_VALID.to_owned(),
        status,
        observed_generation: Some(3),
        last_transition_time: at(-1),
        reason: reason.to_owned(),
        message,
    });
    connection
}

fn unknown_key() -> sync::CheckError {
    posthog::Error::InvalidApiKey {
        host: ApiHost::parse("https://eu.posthog.com").unwrap(),
    }
    .into()
}

fn key(case: &Case) -> KeyFound {
    let (key, was_trimmed) = ApiKey::parse(&SecretString::from(
        "phx_0123456789abcdefghijklmnopqrstuvwxyzABCD".to_owned(),
    ))
    .unwrap();
    let read = ReadKey {
        key,
        version: "7".to_owned(),
        was_trimmed,
    };
    let checked = |outcome| {
        KeyFound::Checked(Box::new(Checked {
            key: read.clone(),
            outcome,
        }))
    };
    match case.key {
        Key::NotRead => KeyFound::NotRead,
        Key::Missing => KeyFound::Missing(KeyProblem::SecretNotFound {
            namespace: "acme".to_owned(),
            name: "posthog".to_owned(),
            key: "apiKey".to_owned(),
        }),
        Key::Unchecked => KeyFound::Unchecked(read),
        Key::Unknown => checked(Err(unknown_key())),
        Key::Unreachable => checked(Err(posthog::Error::Unreachable {
            host: "eu.posthog.com".to_owned(),
            reason: "connection refused".to_owned(),
        }
        .into())),
        Key::Accepted => checked(Ok(CheckReport {
            host: ApiHost::parse("https://eu.posthog.com").unwrap(),
            summary: serde_json::from_value(json!({
                "checked_at": at(0),
                "project": {"id": 4242, "name": "Storefront", "time_zone": "UTC"},
                "key": {"masked_value": "phx_…", "label": "", "scopes": ["*"], "missing_scopes": [], "too_broad": []},
                "latest_event": {"name": "$pageview", "timestamp": at(-5)},
            }))
            .unwrap(),
            warnings: Vec::new(),
        })),
    }
}

fn job(number: usize, work: Work, fingerprint: &str) -> RunJob {
    let ended = at(-2);
    RunJob {
        namespace: "operator".to_owned(),
        name: format!("job-{number}"),
        uid: format!("job-{number}"),
        connection_uid: "uid".to_owned(),
        connection: ConnectionName::new("acme", "storefront"),
        kind: RunKind::Refresh,
        tick: format!("{number}"),
        fingerprint: if work == Work::Outdated {
            "other".to_owned()
        } else {
            fingerprint.to_owned()
        },
        created_at: at(-3),
        phase: match work {
            Work::Active | Work::Outdated => Phase::Active { is_running: true },
            Work::Succeeded => Phase::Succeeded { at: ended },
            Work::Failed => Phase::Failed {
                at: ended,
                reason: String::new(),
                message: String::new(),
            },
        },
        is_recorded: false,
        has_ttl: false,
        is_deleting: false,
    }
}

fn found(case: &Case, connection: &PostHogConnection) -> Found {
    let plan = match case.plan {
        0 => PlanStanding::TooLow { plan: Plan::Free },
        1 => PlanStanding::Unknown { label: None },
        2 => PlanStanding::Unknown {
            label: Some("platinum".to_owned()),
        },
        _ => PlanStanding::Eligible { plan: Plan::Growth },
    };
    let spec = crd::validate(connection, "acme").map(|valid| Asked {
        settings: crate::settings::settings(&valid, plan.clone()),
        fingerprint: crate::settings::fingerprint(&connection.spec, &valid),
        valid,
    });
    let fingerprint = spec
        .as_ref()
        .map_or_else(|_| String::new(), |asked| asked.fingerprint.clone());
    let run = |minutes: i64| RunRecord {
        id: RunId(Uuid::nil()),
        mode: SyncMode::Refresh,
        window: Window {
            from: at(-minutes - 60),
            to: at(-minutes),
        },
        started_at: at(-minutes),
        way: None,
        ended_at: Some(at(-minutes)),
        end: Some(RunEnd::Complete),
        totals: RunTotals {
            events_read: 1,
            ..RunTotals::default()
        },
        slices: (1, 1),
        progress: 1.0,
    };
    Found {
        stored: spec.as_ref().ok().map(|_| Stored {
            record: None,
            outlook: Outlook {
                epoch: None,
                backfill: None,
                last: case.last_run.map(run),
                mode: if case.last_run.is_some() {
                    SyncMode::Refresh
                } else {
                    SyncMode::Backfill
                },
                is_unfinished: false,
                is_in_force: true,
            },
            details: None,
        }),
        workspace: Workspace {
            name: "acme".to_owned(),
            plan,
            is_terminating: case.is_terminating,
        },
        jobs: (0..)
            .zip(&case.jobs)
            .map(|(number, work)| job(number, *work, &fingerprint))
            .collect(),
        key: key(case),
        request: case.is_asked.then(|| "please".to_owned()),
        begun_request: None,
        spec,
    }
}

proptest! {
    #[test]
    fn what_is_wrong_is_told_once_with_its_fix_and_nothing_is_pulled_meanwhile(case in case()) {
        let connection = connection(&case);
        let identity = Identity {
            name: ConnectionName::new("acme", "storefront"),
            uid: "0d9f3c1e-1111-4222-8333-444455556666".to_owned(),
            created_at: at(-50),
        };
        let found = found(&case, &connection);
        let verdict = validate(&connection, &identity, &found, at(0));
        let wrong = wrong(&case);

        let is_active = case.jobs.iter().any(|work| matches!(work, Work::Active | Work::Outdated));
        if wrong.is_some() || is_active {
            prop_assert!(verdict.start_with.is_none());
        }
        if let Some(due) = &verdict.due {
            prop_assert!(!is_active);
            let has_key = !matches!(case.key, Key::NotRead | Key::Missing);
            let starts = wrong.is_none() && has_key && due.at <= at(0);
            prop_assert_eq!(verdict.start_with.is_some(), starts);
        }

        let ended: Vec<String> = (0..).zip(&case.jobs)
            .filter(|(_, work)| matches!(work, Work::Succeeded | Work::Failed))
            .map(|(number, _): (usize, _)| format!("job-{number}"))
            .collect();
        let over: Vec<String> = verdict.over.iter().map(|job| job.name.clone()).collect();
        prop_assert_eq!(over, ended);
        let first = wrong.map(|(reason, _)| reason);
        let stopped = |work: &Work| match first {
            // Only one that is deleted, or cannot be told apart, lets its Jobs go on.
            Some(reasons::PLAN_TOO_LOW | reasons::PLAN_UNKNOWN | reasons::SUSPENDED) => {
                matches!(work, Work::Active | Work::Outdated)
            }
            _ => *work == Work::Outdated && !case.is_invalid,
        };
        let wanted: Vec<String> = (0..).zip(&case.jobs)
            .filter(|(_, work)| stopped(work))
            .map(|(number, _): (usize, _)| format!("job-{number}"))
            .collect();
        prop_assert_eq!(&verdict.stop, &wanted);

        let told = report(
            &identity, &connection, &found, &verdict, &Applied::Nothing, 20,
            &Intervals::default(), at(0),
        );
        let ready: Vec<&Condition> =
            told.status.conditions.iter().filter(|c| c.kind == crd::READY).collect();
        prop_assert_eq!(ready.len(), 1);
        match wrong {
            Some((reason, fix)) => {
                prop_assert!(ready[0].status != ConditionStatus::True);
                prop_assert_eq!(ready[0].reason.as_str(), reason);
                prop_assert!(ready[0].message.contains(fix), "{}", ready[0].message);
            }
            None => prop_assert_eq!(ready[0].reason.as_str(), reasons::AS_DESIRED),
        }
        for kind in [crd::STALLED, crd::RECONCILING] {
            for also in told.status.conditions.iter().filter(|c| c.kind == kind) {
                prop_assert_eq!((&also.reason, &also.message), (&ready[0].reason, &ready[0].message));
            }
        }
        prop_assert!(told.wake_at.is_none_or(|wake| wake > at(0)));
    }
}
