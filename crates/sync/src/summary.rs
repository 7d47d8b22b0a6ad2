//! What a run did, as the one JSON line that `sync` prints.

use domain::backfill_way::Way;
use domain::storage::{DayVerdict, RunRecord, Verdict};
use domain::sync::{RunTotals, SyncMode};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

/// A finished run. Serialises to `connection, mode, from, to, eventsRead, eventsStored,
/// duplicates, lateEvents, completeness, requests, bytesReceived, …`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunSummary {
    /// `namespace/name`.
    pub connection: String,
    /// Why it read.
    pub mode: SyncMode,
    /// First instant of its window.
    pub from: Timestamp,
    /// First instant after its window.
    pub to: Timestamp,
    /// When it began; for a resumed run, when it first began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Whether it went on with what an earlier attempt left.
    pub resumed: bool,
    /// By which way a backfill read, and why: `via`, `viaReason`.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub way: Option<Way>,
    /// Further passes that read differing days again.
    pub repull_passes: u32,
    /// What it did, further passes included.
    #[serde(flatten)]
    pub totals: RunTotals,
    /// What recounts say of the connection's days.
    pub completeness: Completeness,
    /// What became of the persons of distinct ids.
    pub persons: PersonsSummary,
    /// What became of its cohorts.
    pub cohorts: CohortSummary,
    /// Why clickmaps are not, or not all, as the stored clicks; one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clickmaps_problem: Option<String>,
}

/// What a run did about the persons of distinct ids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PersonsSummary {
    /// Distinct ids that got a person, lost it or moved to another.
    pub changed: u64,
    /// Why persons are not, or not all, as PostHog has them; one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl PersonsSummary {
    /// Adds what a further pass did.
    fn absorb(&mut self, pass: &Self) {
        self.changed += pass.changed;
        self.problem.clone_from(&pass.problem);
    }
}

/// What a run did about cohorts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CohortSummary {
    /// Cohorts that PostHog lists.
    pub listed: u64,
    /// Cohorts that may have changed and were compared with PostHog's.
    pub compared: u64,
    /// Of those: cohorts that were the same.
    pub unchanged: u64,
    /// Persons who came into a cohort.
    pub entered: u64,
    /// Persons who left one, or whose cohort was deleted.
    pub left: u64,
    /// Cohorts that changed in PostHog while they were read, or are too heavy for it to answer: the next
    /// run reads them again.
    pub unsettled: u64,
    /// Cohorts that PostHog failed to compute when it last tried: their members are of an earlier time.
    pub failing: u64,
    /// Why cohorts are not, or not all, as PostHog has them; one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl CohortSummary {
    /// Adds what a further pass did.
    fn absorb(&mut self, pass: &Self) {
        self.listed = self.listed.max(pass.listed);
        self.compared += pass.compared;
        self.unchanged += pass.unchanged;
        self.entered += pass.entered;
        self.left += pass.left;
        self.unsettled = pass.unsettled;
        self.failing = pass.failing;
        self.problem.clone_from(&pass.problem);
    }
}

/// How many days recounts have proven, and the worst of the others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Completeness {
    /// Days on which both counts agree.
    pub verified: usize,
    /// Days that are being read again, or wait for a second recount.
    pub pending: usize,
    /// Days that still differ after being read again twice.
    pub mismatch: usize,
    /// The day with the greatest difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worst: Option<WorstDay>,
}

/// The day that differs most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorstDay {
    /// The UTC day.
    pub day: Date,
    /// Distinct events that PostHog counted.
    pub remote: u64,
    /// Distinct events stored.
    pub local: u64,
}

impl Completeness {
    /// Sums up verdicts.
    pub fn of(verdicts: &[DayVerdict]) -> Self {
        let count = |wanted| verdicts.iter().filter(|v| v.verdict == wanted).count();
        Self {
            verified: count(Verdict::Verified),
            pending: count(Verdict::Pending),
            mismatch: count(Verdict::Mismatch),
            worst: verdicts
                .iter()
                .filter(|v| v.verdict != Verdict::Verified)
                .max_by_key(|v| v.remote.abs_diff(v.held()))
                .map(|v| WorstDay {
                    day: v.day,
                    remote: v.remote,
                    local: v.local,
                }),
        }
    }
}

impl RunSummary {
    /// Sums up an ended run but for persons, cohorts and clickmaps.
    pub(crate) fn of(
        connection: String,
        record: &RunRecord,
        resumed: bool,
        completeness: Completeness,
    ) -> Self {
        Self {
            connection,
            mode: record.mode,
            from: record.window.from,
            to: record.window.to,
            started_at: record.started_at,
            ended_at: record.ended_at.unwrap_or(record.started_at),
            resumed,
            way: record.way.clone(),
            repull_passes: 0,
            totals: record.totals,
            completeness,
            persons: PersonsSummary::default(),
            cohorts: CohortSummary::default(),
            clickmaps_problem: None,
        }
    }

    /// Adds a further pass.
    pub(crate) fn absorb(&mut self, pass: &Self) {
        self.ended_at = pass.ended_at;
        self.totals = sum(self.totals, pass.totals);
        self.completeness = pass.completeness.clone();
        self.persons.absorb(&pass.persons);
        self.cohorts.absorb(&pass.cohorts);
        self.clickmaps_problem.clone_from(&pass.clickmaps_problem);
    }
}

fn sum(a: RunTotals, b: RunTotals) -> RunTotals {
    RunTotals {
        events_read: a.events_read + b.events_read,
        events_stored: a.events_stored + b.events_stored,
        events_updated: a.events_updated + b.events_updated,
        duplicates: a.duplicates + b.duplicates,
        late_events: a.late_events + b.late_events,
        events_removed: a.events_removed + b.events_removed,
        requests: a.requests + b.requests,
        bytes_received: a.bytes_received + b.bytes_received,
        bytes_read: a.bytes_read + b.bytes_read,
    }
}
