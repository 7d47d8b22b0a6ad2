//! Clickmaps in every store alike: which are to be made, and what is read to make them.

use domain::clickmap::{ClickmapRules, DeviceType};
use domain::day::time_zone;
use domain::storage::Result;
use jiff::tz::TimeZone;

use crate::failures::corrupt;
use crate::values::{from_json, to_json};

/// The columns of an event that clickmaps look at, in the order in which they are read.
pub(crate) const CLICK_COLUMNS: &str =
    "uuid, timestamp, event, event_type, distinct_id, session_id,
    window_id, path, device_type, elements_chain";

/// The device of an element's rows that count its clicks on all of them: whoever does not ask for
/// devices, as most do, reads no others.
pub(crate) const ALL_DEVICES: i16 = -1;

/// The numbers of the devices whose rows of elements are to be summed.
pub(crate) fn devices_of_elements(devices: &[DeviceType]) -> Vec<i16> {
    if devices.is_empty() {
        return vec![ALL_DEVICES];
    }
    device_numbers(devices)
}

/// The numbers by which devices are stored.
pub(crate) fn device_numbers(devices: &[DeviceType]) -> Vec<i16> {
    devices.iter().map(|device| device.number()).collect()
}

/// The devices of the rows that hold an element's clicks of a day, each of which an index leads to.
pub(crate) fn devices_with_clicks() -> Vec<i16> {
    let numbers = (0..).map_while(|number| DeviceType::from_number(number).map(|_| number));
    numbers.collect()
}

/// What a call makes.
pub(crate) struct Work {
    /// The epoch's local number.
    pub(crate) epoch: i64,
    /// The zone of its days.
    pub(crate) zone: TimeZone,
    /// The clickmaps that are written.
    pub(crate) clickmap: i64,
    /// Whether those are to be built whole.
    pub(crate) anew: bool,
    /// Whether others are in force meanwhile: a day that is due stays so for them, for this work may be
    /// given up.
    pub(crate) beside: bool,
    /// The rules as stored.
    pub(crate) rules: String,
    /// The zone as stored.
    pub(crate) zone_name: String,
}

/// An epoch's columns that tell which clickmaps are in force.
pub(crate) struct InForce<'a> {
    pub(crate) time_zone: Option<&'a str>,
    pub(crate) clickmap: i64,
    pub(crate) clickmap_rules: Option<&'a str>,
    pub(crate) clickmap_time_zone: Option<&'a str>,
}

impl Work {
    /// What is to be done for clickmaps by `rules`.
    pub(crate) fn of(epoch: i64, now: &InForce<'_>, rules: &ClickmapRules) -> Result<Self> {
        // An epoch without a zone counts days of UTC.
        let zone_name = now.time_zone.unwrap_or("UTC");
        let stored: Option<ClickmapRules> = now.clickmap_rules.map(from_json).transpose()?;
        let anew = stored.as_ref() != Some(rules) || now.clickmap_time_zone != Some(zone_name);
        Ok(Self {
            epoch,
            zone: time_zone(zone_name).map_err(corrupt)?,
            clickmap: now.clickmap + i64::from(anew),
            anew,
            beside: anew && stored.is_some(),
            rules: to_json(rules)?,
            zone_name: zone_name.to_owned(),
        })
    }
}

/// On which days labels may be of clicks that were on `days` of the epoch's time zone: with their number those of
/// the clickmaps in force, and those of the ones that are built beside them. Unless the ones in force are made by
/// that zone, they are by an earlier one: zones are up to 26 hours apart.
pub(crate) fn labelled_days(in_force: i64, by_zone: bool, days: Vec<i64>) -> [(i64, Vec<i64>); 2] {
    let around = if by_zone { 0..=0 } else { -2..=2 };
    let near = days
        .iter()
        .flat_map(|day| around.clone().map(move |off| day + off));
    [(in_force, near.collect()), (in_force + 1, days)]
}
