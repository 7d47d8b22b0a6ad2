//! The units in which PostHog is read: windows, slices and the place within a slice.

use std::ops::RangeInclusive;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::EventName;

/// Why a run reads PostHog.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::Display,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum SyncMode {
    /// All of the configured days, once an epoch.
    Backfill,
    /// The lookback and what arrived late.
    Refresh,
}

/// The half-open range `[from, to)` of event timestamps that a run must have read to be complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// First instant within.
    pub from: Timestamp,
    /// First instant after.
    pub to: Timestamp,
}

/// Events stamped before the window that a run takes too, because they came in late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrivals {
    /// Earliest event timestamp to look at.
    pub from: Timestamp,
    /// Earliest `created_at` that counts as having arrived.
    pub since: Timestamp,
}

/// A piece of a window that one query is expected to answer whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Slice {
    /// First event timestamp within.
    pub from: Timestamp,
    /// First event timestamp after.
    pub to: Timestamp,
    /// Only rows with `created_at` at or after this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrived_since: Option<Timestamp>,
    /// Which events.
    pub events: SliceEvents,
    /// Which part of the distinct ids, where one cell of day and event is too large for a query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<SlicePart>,
    /// Rows that the plan's count promised.
    pub expected_rows: u64,
    /// Where the rows do not come by queries: what of a file export this is. `from` and `to` are then
    /// times at which PostHog received them, whatever they are stamped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<ExportPart>,
}

/// How far a file export has come. Each of its states is a slice of its own, in the place of the one
/// before, so that whoever goes on with a run neither pays for an export twice nor reads a file again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ExportPart {
    /// It is to be asked for.
    Wanted,
    /// PostHog makes it.
    Started {
        /// PostHog's id of it.
        export: Uuid,
        /// Since when, by our clock.
        since: Timestamp,
    },
    /// One of its files is to be read.
    File {
        /// PostHog's id of the export.
        export: Uuid,
        /// PostHog's id of the file.
        file: Uuid,
        /// Since when it is ready, by our clock; absent where an earlier version noted the file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
    },
}

impl ExportPart {
    /// Since when it has come no further, in a run that began at `began`.
    #[must_use]
    pub fn since(self, began: Timestamp) -> Timestamp {
        match self {
            Self::Wanted => began,
            Self::Started { since, .. } => since,
            Self::File { since, .. } => since.unwrap_or(began),
        }
    }
}

/// Which events a slice takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SliceEvents {
    /// All of them.
    All,
    /// Exactly these.
    Named(Vec<EventName>),
}

/// The rows whose `cityHash64(distinct_id)` lies in one of `of` equal ranges: the hash is the next
/// part of PostHog's sort key after day and event, so a range reads only its share of a cell, where
/// a remainder would read all of it for each part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlicePart {
    /// Which part, from 0.
    pub index: u32,
    /// How many parts; 0 counts as 1.
    pub of: u32,
}

impl SlicePart {
    /// The hashes of this part. Those of all parts cover every hash once, and the parts `2 * index`
    /// and `2 * index + 1` of twice as many are the two halves of this one.
    #[must_use]
    pub fn hashes(self) -> RangeInclusive<u64> {
        let of = u128::from(self.of.max(1));
        let first = |index: u128| (index << 64).div_ceil(of);
        let last = first(u128::from(self.index) + 1).saturating_sub(1);
        let fit = |hash: u128| u64::try_from(hash).unwrap_or(u64::MAX);
        fit(first(u128::from(self.index)))..=fit(last)
    }
}

/// The place within a slice up to which rows are stored: rows come ordered by
/// (timestamp, text of uuid).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SliceCursor {
    /// The last row's timestamp.
    pub timestamp: Timestamp,
    /// The last row's uuid.
    pub uuid: Uuid,
}

impl SliceCursor {
    /// The place after so many lines of an export's file, whose rows are in no order: it ascends as
    /// they are read, and is no row's.
    #[must_use]
    pub fn after_lines(lines: u64) -> Self {
        let lines = i64::try_from(lines).unwrap_or(i64::MAX);
        Self {
            timestamp: Timestamp::from_microsecond(lines).unwrap_or(Timestamp::MAX),
            uuid: Uuid::nil(),
        }
    }

    /// What [`SliceCursor::after_lines`] was given.
    #[must_use]
    pub fn lines(self) -> u64 {
        u64::try_from(self.timestamp.as_microsecond()).unwrap_or(0)
    }
}

/// What a run has done so far, or did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunTotals {
    /// Rows that PostHog answered.
    pub events_read: u64,
    /// Events stored that were not there before.
    pub events_stored: u64,
    /// Stored events that a greater row of the same uuid replaced.
    pub events_updated: u64,
    /// Rows that lost against another of the same uuid or were stored already.
    pub duplicates: u64,
    /// Events stored for the first time whose timestamp lies before the window.
    pub late_events: u64,
    /// Stored events removed because PostHog deleted them.
    pub events_removed: u64,
    /// Requests sent to PostHog.
    pub requests: u64,
    /// Bytes that PostHog's answers had, decompressed.
    pub bytes_received: u64,
    /// Bytes that PostHog says its queries read, where it says so.
    pub bytes_read: u64,
}
