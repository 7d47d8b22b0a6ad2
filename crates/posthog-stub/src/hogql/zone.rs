//! Time zones, interned so that a datetime value stays small.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

static ZONES: Mutex<Vec<Zone>> = Mutex::new(Vec::new());

/// An interned IANA time zone.
#[derive(Clone, Copy)]
pub(crate) struct Zone(&'static Inner);

struct Inner {
    name: String,
    zone: TimeZone,
    utc: bool,
}

impl Zone {
    /// The zone of this name; `None` when there is none.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let mut zones = ZONES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(zone) = zones.iter().find(|zone| zone.0.name == name) {
            return Some(*zone);
        }
        let zone = TimeZone::get(name).ok()?;
        let utc = matches!(name, "UTC" | "Etc/UTC");
        let interned = Self(Box::leak(Box::new(Inner {
            name: name.to_owned(),
            zone,
            utc,
        })));
        zones.push(interned);
        Some(interned)
    }

    pub(crate) fn name(self) -> &'static str {
        &self.0.name
    }

    pub(crate) fn is_utc(self) -> bool {
        self.0.utc
    }

    /// The wall clock at an instant.
    pub(crate) fn civil(self, micros: i64) -> DateTime {
        self.0.zone.to_datetime(instant(micros))
    }

    /// Seconds east of UTC at an instant.
    pub(crate) fn offset_seconds(self, micros: i64) -> i32 {
        if self.0.utc {
            0
        } else {
            self.0.zone.to_offset(instant(micros)).seconds()
        }
    }

    /// The instant of a wall clock, in microseconds; the earlier one of two, and after a gap as clocks do.
    pub(crate) fn micros(self, civil: DateTime) -> Option<i64> {
        let at = self.0.zone.to_timestamp(civil).ok()?;
        Some(at.as_microsecond())
    }
}

fn instant(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or_default()
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.name)
    }
}
