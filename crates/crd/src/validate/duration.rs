//! Durations of hours, minutes and seconds, and their bounds.

use std::time::Duration;

use super::{Problems, ValidRefresh};
use crate::quoted::quoted;
use crate::refresh::Refresh;

const SHORTEST: Duration = Duration::from_secs(5 * 60);
const LONGEST: Duration = Duration::from_secs(24 * 3600);
const LONGEST_GRACE: Duration = Duration::from_secs(8760 * 3600);

pub(super) fn refresh(problems: &mut Problems, written: &Refresh) -> Option<ValidRefresh> {
    let interval = bounded(problems, "spec.refresh.interval", &written.interval);
    let lookback = bounded(problems, "spec.refresh.lookback", &written.lookback);
    let (interval, lookback) = (interval?, lookback?);
    if lookback < interval {
        problems.add(
            "spec.refresh.lookback",
            format_args!(
                "{} is shorter than the interval of {}, so events between two reads would be missed: set lookback too, to {} or more",
                written.lookback, written.interval, written.interval
            ),
        );
        return None;
    }
    Some(ValidRefresh { interval, lookback })
}

pub(super) fn grace(problems: &mut Problems, written: &str) -> Option<Duration> {
    let path = "spec.deletionGracePeriod";
    let grace = duration(problems, path, written)?;
    if grace > LONGEST_GRACE {
        problems.add(
            path,
            format_args!("{written} is too long: write 8760h (a year) or less, or set deletionPolicy: Retain to keep rows for good"),
        );
        return None;
    }
    Some(grace)
}

fn bounded(problems: &mut Problems, path: &str, written: &str) -> Option<Duration> {
    let duration = duration(problems, path, written)?;
    if duration < SHORTEST {
        problems.add(
            path,
            format_args!("{written} is too short: write 5m or more"),
        );
        None
    } else if duration > LONGEST {
        problems.add(
            path,
            format_args!("{written} is too long: write 24h or less"),
        );
        None
    } else {
        Some(duration)
    }
}

fn duration(problems: &mut Problems, path: &str, written: &str) -> Option<Duration> {
    let parsed = parse(written);
    if parsed.is_none() {
        problems.add(
            path,
            format_args!(
                "{} is not a duration: write hours, minutes and seconds, such as 1h, 90m or 1h30m",
                quoted(written)
            ),
        );
    }
    parsed
}

/// Reads what [`crate::DURATION_PATTERN`] matches, and nothing else.
fn parse(written: &str) -> Option<Duration> {
    let mut rest = written;
    let mut seconds = 0;
    for (unit, size, digits) in [('h', 3600, 5), ('m', 60, 7), ('s', 1, 9)] {
        let Some((number, after)) = rest.split_once(unit) else {
            continue;
        };
        if !(1..=digits).contains(&number.len()) || !number.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        seconds += number.parse::<u64>().ok()? * size;
        rest = after;
    }
    (rest.is_empty() && !written.is_empty()).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_minutes_and_seconds_are_read_in_this_order_only() {
        let seconds = |text| parse(text).map(|duration| duration.as_secs());
        assert_eq!(seconds("1h"), Some(3600));
        assert_eq!(seconds("90m"), Some(5400));
        assert_eq!(seconds("1h30m5s"), Some(5405));
        assert_eq!(seconds("1h5s"), Some(3605));
        assert_eq!(seconds("0s"), Some(0));
        for wrong in [
            "", "1", "h", "1d", "1.5h", "-1h", "+1h", "30m1h", "1h1h", " 1h", "1h ", "1H", "1ms",
            "999999h", "١h",
        ] {
            assert_eq!(seconds(wrong), None, "{wrong:?}");
        }
    }
}
