//! What a write to an epoch's events needs to know of it, in every store alike.

use domain::Mapping;
use domain::day::{DayEdges, time_zone};
use domain::mapping::CheckoutSource;
use domain::storage::Result;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::failures::corrupt;
use crate::link_rows::customers_of;
use crate::values::from_json;

/// The most days whose edges are worked out ahead; rows beyond are placed one by one.
const EDGES: SignedDuration = SignedDuration::from_hours(24 * 400);

/// An epoch within a transaction that writes to its events.
pub(crate) struct EpochState {
    /// Its local number.
    pub(crate) number: i64,
    /// Which daily counts are in force.
    pub(crate) rollup: i64,
    /// The zone whose days those count; UTC while the epoch has none.
    pub(crate) zone: TimeZone,
    /// By what rows are assigned to stages; no rules while the epoch has none.
    pub(crate) mapping: Mapping,
    /// The last change sequence number given.
    pub(crate) change_seq: i64,
    /// How many tombstones of erased persons it has.
    pub(crate) erasures: i64,
    /// The properties that name customers, while persons of several are kept; none otherwise.
    pub(crate) customers: Vec<String>,
}

impl EpochState {
    /// The state of these columns: a zone's name, a mapping and identity properties as JSON, the last
    /// only while persons of several customers are kept.
    pub(crate) fn of_columns(
        number: i64,
        rollup: i64,
        zone: Option<&str>,
        mapping: Option<&str>,
        change_seq: i64,
        erasures: i64,
        id_properties: Option<&str>,
    ) -> Result<Self> {
        Ok(Self {
            number,
            rollup,
            zone: zone.map_or(Ok(TimeZone::UTC), time_zone).map_err(corrupt)?,
            mapping: mapping.map_or_else(|| Ok(no_mapping()), from_json)?,
            change_seq,
            erasures,
            customers: id_properties.map_or_else(|| Ok(Vec::new()), customers_of)?,
        })
    }

    /// The edges of the days that these instants lie on.
    pub(crate) fn edges(&self, instants: impl Iterator<Item = Timestamp> + Clone) -> DayEdges {
        let last = instants.clone().max().unwrap_or(Timestamp::UNIX_EPOCH);
        let first = instants.min().unwrap_or(last);
        let earliest = last.saturating_sub(EDGES).unwrap_or(Timestamp::MIN);
        DayEdges::covering(&self.zone, first.max(earliest), last)
    }

    /// The next change sequence number.
    pub(crate) fn next_change(&mut self) -> i64 {
        self.change_seq += 1;
        self.change_seq
    }
}

fn no_mapping() -> Mapping {
    Mapping {
        stages: Vec::new(),
        checkout_source: CheckoutSource::Auto,
    }
}
