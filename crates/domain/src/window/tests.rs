use proptest::prelude::*;

use super::*;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const LOOKBACK: SignedDuration = SignedDuration::from_hours(6);

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn ago(hours: i64) -> Timestamp {
    now() - SignedDuration::from_hours(hours)
}

fn last(hours: i64) -> Option<LastRun> {
    Some(LastRun {
        to: ago(hours),
        started_at: ago(hours) + SignedDuration::from_secs(1),
    })
}

#[test]
fn a_backfill_reads_its_days_up_to_its_start_and_the_first_one_whole() {
    let window = backfill(now(), 30);
    assert_eq!((window.from, window.to), (ago(720 + 12), now()));
    let midnight = backfill(ago(12), 30);
    assert_eq!(midnight.from, ago(720 + 12));
}

#[test]
fn an_hourly_refresh_looks_back_and_takes_what_arrived_since_the_last_run() {
    let (window, arrivals) = refresh(now(), LOOKBACK, 7, last(1));
    assert_eq!((window.from, window.to), (ago(6), now()));
    let arrivals = arrivals.unwrap();
    assert_eq!(arrivals.from, ago(720));
    assert_eq!(arrivals.since, ago(3) + SignedDuration::from_secs(1));
}

#[test]
fn a_refresh_after_a_pause_begins_where_the_last_run_ended() {
    let (window, _) = refresh(now(), LOOKBACK, 30, last(50));
    assert_eq!(window.from, ago(50));
}

#[test]
fn arrivals_reach_as_far_as_a_longer_backfill() {
    let (_, arrivals) = refresh(now(), LOOKBACK, 365, last(1));
    assert_eq!(arrivals.unwrap().from, ago(24 * 365));
}

#[test]
fn without_a_last_run_or_with_a_very_old_one_there_are_no_arrivals() {
    assert_eq!(refresh(now(), LOOKBACK, 30, None).1, None);
    assert_eq!(refresh(now(), LOOKBACK, 30, last(24 * 31)).1, None);
}

#[test]
fn a_backfill_is_due_at_first_and_after_thirty_days() {
    assert!(is_backfill_due(now(), None));
    assert!(!is_backfill_due(now(), last(24 * 30)));
    assert!(is_backfill_due(now(), last(24 * 30 + 1)));
}

#[test]
fn a_clock_put_back_leaves_no_gap() {
    let (window, _) = refresh(now(), LOOKBACK, 30, last(-3));
    assert_eq!((window.from, window.to), (ago(6), now()));
    let (window, _) = refresh(ago(10), LOOKBACK, 30, last(1));
    assert_eq!((window.from, window.to), (ago(16), ago(10)));
}

#[test]
fn ticks_of_many_connections_spread_over_the_interval() {
    let mut minutes = [0; 60];
    for number in 0..6000_u32 {
        let owner = Uuid::new_v5(&Uuid::NAMESPACE_OID, &number.to_be_bytes());
        let tick = next_tick(owner, HOUR, now());
        minutes[usize::try_from(tick.duration_since(now()).as_mins() % 60).unwrap()] += 1;
    }
    assert!(
        minutes.iter().all(|count| (50..150).contains(count)),
        "{minutes:?}"
    );
}

proptest! {
    #[test]
    fn ticks_are_one_interval_apart_and_do_not_depend_on_when_they_are_asked_for(
        owner: u128,
        seconds in 1_i64..90_000,
        micros in -4_000_000_000_000_i64..4_000_000_000_000_000,
        within in 0.0_f64..1.0,
    ) {
        let (owner, interval) = (Uuid::from_u128(owner), SignedDuration::from_secs(seconds));
        let after = Timestamp::from_microsecond(micros).unwrap();
        let tick = next_tick(owner, interval, after);
        prop_assert!(tick > after && tick <= after + interval);
        prop_assert_eq!(next_tick(owner, interval, tick), tick + interval);
        let between = after + tick.duration_since(after).mul_f64(within);
        if between < tick {
            prop_assert_eq!(next_tick(owner, interval, between), tick);
        }
    }

    #[test]
    fn every_timestamp_is_read_by_some_run_of_any_sequence(
        gaps in prop::collection::vec(1_i64..200, 1..12),
        probe in 0_i64..720,
    ) {
        let first = backfill(ago(2000), 30);
        let mut windows = vec![first];
        let (mut at, mut last) = (first.to, first.to);
        for gap in gaps {
            at += SignedDuration::from_hours(gap);
            let run = LastRun { to: last, started_at: last };
            windows.push(refresh(at, LOOKBACK, 30, Some(run)).0);
            last = at;
        }
        let span = last.duration_since(first.from).as_secs();
        let probe = first.from + SignedDuration::from_secs(probe * span / 720);
        prop_assert!(windows.iter().any(|window| window.from <= probe && probe < window.to));
    }
}
