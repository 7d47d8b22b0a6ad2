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
        (RunKind::Backfill, _) => Due {
            kind,
            tick: generation,
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
