//! What a run tells while it works: a bar on a terminal or log lines elsewhere is drawn of it.

use std::time::Duration;

use domain::ConnectionName;
use domain::sync::SyncMode;
use jiff::Timestamp;

use crate::summary::RunSummary;

/// What a run does at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::Display)]
#[strum(serialize_all = "kebab-case")]
pub enum Step {
    /// "Save and test".
    Checking,
    /// Choosing the events of each stage, and assigning what is stored.
    Mapping,
    /// Counting what PostHog has, to plan slices.
    Counting,
    /// Reading events.
    Reading,
    /// Reading which ids belong to which persons.
    Persons,
    /// Reading the names of the project's events.
    Definitions,
    /// Reading cohorts and who is in them.
    Cohorts,
    /// Comparing PostHog's daily counts with the stored ones.
    Recounting,
    /// Removing what is older than the retention.
    Expiring,
    /// Making the clickmaps of the days on which clicks came, went or changed.
    Clickmaps,
}

/// How far the reading of events has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// Rows read so far, in this and earlier attempts of the run.
    pub events: u64,
    /// Rows that the plan expects in all; an estimate.
    pub expected: u64,
    /// Share of the window that is stored, 0 to 1.
    pub share: f64,
    /// Rows a second in this attempt.
    pub rate: f64,
    /// Time left at this rate, once there is a rate.
    pub left: Option<Duration>,
}

/// One thing to tell.
#[derive(Debug, Clone)]
pub enum Update {
    /// A step has begun.
    Step(Step),
    /// A run has begun, or goes on where it stopped.
    Began {
        /// Why it reads.
        mode: SyncMode,
        /// Whether it goes on.
        resumed: bool,
    },
    /// More events are stored.
    Read(Reading),
    /// PostHog is not asked again before `until`.
    Waiting {
        /// Why.
        reason: &'static str,
        /// Until when.
        until: Timestamp,
    },
    /// A run is complete.
    Finished(Box<RunSummary>),
    /// A check or run has failed.
    Failed {
        /// The error's reason.
        reason: &'static str,
        /// One sentence.
        message: String,
        /// When it is tried again, if it is.
        retry_at: Option<Timestamp>,
    },
}

/// Takes what runs tell; must return at once.
pub trait Progress: Send + Sync {
    /// `update` happened to `connection`.
    fn report(&self, connection: &ConnectionName, update: Update);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn report(&self, _: &ConnectionName, _: Update) {}
}
