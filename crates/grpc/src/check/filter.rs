//! The conditions of event filters.

use domain::{EventName, PostHogStage};
use jiff::Timestamp;

use crate::errors::ApiError;
use crate::proto::v1;

/// The most names of one filter.
const MAX_NAMES: usize = 100;

/// Instants of a request as the half-open range of microseconds that holds the same events.
pub(crate) fn check_instants(
    start: Option<prost_types::Timestamp>,
    end: Option<prost_types::Timestamp>,
) -> Result<(Option<Timestamp>, Option<Timestamp>), ApiError> {
    let from = check_instant("start_time", start)?;
    let to = check_instant("end_time", end)?;
    if let (Some(from), Some(to)) = (from, to)
        && to <= from
    {
        return Err(ApiError::field(
            "end_time",
            format!("is {to}, which must be later than start_time, {from}"),
        ));
    }
    Ok((from, to))
}

/// Rounded up to PostHog's microseconds: an event is at or after the instant exactly when it is
/// at or after the next whole microsecond.
fn check_instant(
    field: &str,
    given: Option<prost_types::Timestamp>,
) -> Result<Option<Timestamp>, ApiError> {
    let Some(given) = given else { return Ok(None) };
    let nanosecond = i128::from(given.seconds) * 1_000_000_000 + i128::from(given.nanos);
    let microsecond = -(-nanosecond).div_euclid(1_000);
    let instant = i64::try_from(microsecond)
        .ok()
        .filter(|_| (0..1_000_000_000).contains(&given.nanos))
        .and_then(|microsecond| Timestamp::from_microsecond(microsecond).ok());
    instant.map(Some).ok_or_else(|| {
        ApiError::field(
            field,
            format!(
                "has {} seconds and {} nanos, which is no instant: nanos are 0 to 999,999,999 and the year 1 to 9999",
                given.seconds, given.nanos
            ),
        )
    })
}

/// Stages to filter by; none of them Order completed, and each one the API has.
pub(crate) fn check_stages(field: &str, stages: &[i32]) -> Result<Vec<PostHogStage>, ApiError> {
    let mut checked = Vec::new();
    for (index, number) in stages.iter().enumerate() {
        let stage = match v1::FunnelStage::try_from(*number) {
            Ok(v1::FunnelStage::ProductViewed) => PostHogStage::ProductViewed,
            Ok(v1::FunnelStage::AddedToCart) => PostHogStage::AddedToCart,
            Ok(v1::FunnelStage::CheckoutStarted) => PostHogStage::CheckoutStarted,
            Ok(v1::FunnelStage::OrderCompleted) => {
                return Err(ApiError::OrderNotFromPosthog {
                    field: format!("{field}[{index}]"),
                });
            }
            Ok(v1::FunnelStage::Unspecified) | Err(_) => {
                return Err(ApiError::field(
                    format!("{field}[{index}]"),
                    format!(
                        "is {number}, which names no stage: write 1 (product viewed), 2 (added to cart) or 3 (checkout started)"
                    ),
                ));
            }
        };
        if !checked.contains(&stage) {
            checked.push(stage);
        }
    }
    Ok(checked)
}

/// Event names to filter by.
pub(crate) fn check_event_names(names: &[String]) -> Result<Vec<EventName>, ApiError> {
    if names.len() > MAX_NAMES {
        return Err(ApiError::field(
            "event_names",
            format!("has {} names: ask for {MAX_NAMES} at most", names.len()),
        ));
    }
    if let Some(index) = names.iter().position(String::is_empty) {
        return Err(ApiError::field(
            format!("event_names[{index}]"),
            "is empty: write an event's name, or leave it out",
        ));
    }
    Ok(names
        .iter()
        .map(|name| EventName::from(name.as_str()))
        .collect())
}

/// Whether the newest come first.
pub(crate) fn check_order(order: i32) -> Result<bool, ApiError> {
    match v1::EventOrder::try_from(order) {
        Ok(v1::EventOrder::Unspecified | v1::EventOrder::OldestFirst) => Ok(false),
        Ok(v1::EventOrder::NewestFirst) => Ok(true),
        Err(_) => Err(ApiError::field(
            "order",
            format!("is {order}, which names no order: write 1 (oldest first) or 2 (newest first)"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(seconds: i64, nanos: i32) -> Option<prost_types::Timestamp> {
        Some(prost_types::Timestamp { seconds, nanos })
    }

    #[test]
    fn an_instant_between_microseconds_means_the_next_one() {
        for (seconds, nanos, microsecond) in [
            (0, 0, 0),
            (0, 1, 1),
            (0, 1_000, 1),
            (1, 999_999_999, 2_000_000),
            (-1, 999_999_001, 0),
            (-1, 999_998_001, -1),
        ] {
            assert_eq!(
                check_instant("start_time", instant(seconds, nanos)).unwrap(),
                Some(Timestamp::from_microsecond(microsecond).unwrap()),
                "{seconds} s {nanos} ns"
            );
        }
    }

    #[test]
    fn instants_out_of_range_are_refused() {
        for bad in [
            instant(0, -1),
            instant(0, 1_000_000_000),
            instant(i64::MAX, 0),
            instant(i64::MIN, 0),
        ] {
            assert!(check_instant("start_time", bad).is_err(), "{bad:?}");
        }
        assert!(check_instants(instant(5, 0), instant(5, 0)).is_err());
    }

    #[test]
    fn orders_are_never_asked_of_posthog() {
        let error = check_stages("stages", &[1, 4]).unwrap_err();
        assert_eq!(error.reason(), "ORDER_NOT_FROM_POSTHOG");
        assert!(error.to_string().contains("stages[1]"));
    }

    #[test]
    fn a_stage_named_twice_is_one() {
        assert_eq!(
            check_stages("stages", &[2, 2]).unwrap(),
            [PostHogStage::AddedToCart]
        );
        assert!(check_stages("stages", &[0]).is_err());
        assert!(check_stages("stages", &[99]).is_err());
    }
}
