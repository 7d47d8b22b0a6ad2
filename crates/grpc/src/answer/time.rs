//! Instants and days.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::proto::v1;

/// An instant; nanos are never negative, also before 1970.
pub(crate) fn timestamp(at: Timestamp) -> prost_types::Timestamp {
    let (seconds, nanos) = (at.as_second(), at.subsec_nanosecond());
    if nanos < 0 {
        prost_types::Timestamp {
            seconds: seconds - 1,
            nanos: nanos + 1_000_000_000,
        }
    } else {
        prost_types::Timestamp { seconds, nanos }
    }
}

/// A day.
pub(crate) fn date(day: Date) -> v1::Date {
    v1::Date {
        year: day.year().into(),
        month: day.month().into(),
        day: day.day().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_before_1970_has_nanos_that_count_upwards() {
        let at = Timestamp::from_microsecond(-1).unwrap();
        assert_eq!(
            timestamp(at),
            prost_types::Timestamp {
                seconds: -1,
                nanos: 999_999_000
            }
        );
    }
}
