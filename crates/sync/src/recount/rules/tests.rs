mod deletions;
mod due;

use super::*;
use jiff::civil::date;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn seen(remote: u64, local: u64, verdict: Verdict, repulls: u32, when: &str) -> DayVerdict {
    DayVerdict {
        day: date(2026, 3, 1),
        remote,
        local,
        erased: 0,
        verdict,
        repulls,
        counted_at: at(when),
    }
}

fn counts(remote: u64, stored: u64) -> Counts {
    Counts {
        remote,
        stored,
        erased: 0,
    }
}

fn removal(events: u64, since: Timestamp) -> Call {
    Call::Removal(Surplus { events, since })
}

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: Date = date(2026, 3, 1);

fn bounds(covered_from: &str, retention_days: u32, project_months: Option<u32>) -> Bounds {
    Bounds {
        covered_from: at(covered_from),
        read_to: at("2026-03-10T11:59:00Z"),
        now: at("2026-03-10T12:00:00Z"),
        retention_days,
        project_months,
    }
}

#[test]
fn the_day_in_which_a_backfill_began_is_never_counted() {
    let scope = Scope::of(&bounds("2026-03-01T00:00:01Z", 400, None)).unwrap();
    assert_eq!(scope.first, date(2026, 3, 2));
    assert_eq!(scope.last, date(2026, 3, 9), "today is not whole yet");
    let whole = Scope::of(&bounds("2026-03-01T00:00:00Z", 400, None)).unwrap();
    assert_eq!(whole.first, date(2026, 3, 1));
}

#[test]
fn days_that_either_retention_may_have_cut_are_never_counted() {
    let ours = Scope::of(&bounds("2025-01-01T00:00:00Z", 3, None)).unwrap();
    assert_eq!(ours.first, date(2026, 3, 8));
    let theirs = Scope::of(&bounds("2025-01-01T00:00:00Z", 400, Some(1))).unwrap();
    assert_eq!(theirs.first, date(2026, 2, 12));
    let year = Scope::of(&bounds("2024-01-01T00:00:00Z", 800, Some(12))).unwrap();
    assert_eq!(year.first, date(2025, 3, 17), "360 days, not 365");
}

#[test]
fn a_settled_day_is_due_daily_and_a_pending_one_after_an_hour() {
    let now = at("2026-03-03T12:00:00Z");
    let scope = Scope {
        first: DAY,
        last: DAY,
    };
    let due = |verdict: DayVerdict| {
        !days_due(scope, &BTreeMap::from([(DAY, verdict)]), now, HOUR, false).is_empty()
    };
    assert!(!due(seen(
        5,
        5,
        Verdict::Verified,
        0,
        "2026-03-03T10:00:00Z"
    )));
    assert!(due(seen(
        5,
        5,
        Verdict::Verified,
        0,
        "2026-03-02T15:20:00Z"
    )));
    assert!(!due(seen(
        4,
        5,
        Verdict::Pending,
        0,
        "2026-03-03T11:30:00Z"
    )));
    assert!(due(seen(4, 5, Verdict::Pending, 0, "2026-03-03T11:00:00Z")));
    assert!(due(seen(6, 5, Verdict::Pending, 0, "2026-03-03T11:59:00Z")));
}

#[test]
fn a_missing_event_is_pulled_again_twice_for_one_count_and_then_is_a_mismatch() {
    let now = at("2026-03-02T12:00:00Z");
    let (first, call) = judge(DAY, counts(10, 9), None, false, now);
    assert_eq!(
        (first.verdict, first.repulls, call),
        (Verdict::Pending, 0, Call::Repull)
    );
    let (second, call) = judge(DAY, counts(10, 9), Some(&first), true, now);
    assert_eq!(
        (second.verdict, second.repulls, call),
        (Verdict::Pending, 1, Call::Repull)
    );
    let (third, call) = judge(DAY, counts(10, 9), Some(&second), true, now);
    assert_eq!(
        (third.verdict, third.repulls, call),
        (Verdict::Mismatch, 2, Call::Nothing)
    );
    let (again, call) = judge(DAY, counts(10, 9), Some(&third), false, now);
    assert_eq!((again.verdict, call), (Verdict::Mismatch, Call::Nothing));
    let (changed, call) = judge(DAY, counts(11, 9), Some(&again), false, now);
    assert_eq!(
        (changed.verdict, changed.repulls, call),
        (Verdict::Pending, 0, Call::Repull)
    );
}

#[test]
fn nothing_is_removed_on_one_count_nor_on_two_that_disagree_or_are_too_close() {
    let noon = at("2026-03-02T12:00:00Z");
    let (first, call) = judge(DAY, counts(8, 9), None, false, noon);
    assert_eq!((first.verdict, call), (Verdict::Pending, Call::Nothing));
    let soon = at("2026-03-02T12:30:00Z");
    let (second, call) = judge(DAY, counts(8, 9), Some(&first), false, soon);
    assert_eq!(call, Call::Nothing);
    assert_eq!(
        second.counted_at, noon,
        "the hour begins with the first count"
    );
    let late = at("2026-03-02T13:05:00Z");
    let (_, call) = judge(DAY, counts(7, 9), Some(&second), false, late);
    assert_eq!(call, Call::Nothing);
    let (_, call) = judge(DAY, counts(8, 9), Some(&second), false, late);
    assert_eq!(call, removal(1, noon));
}

#[test]
fn counts_agree_by_what_is_too_much_here_however_many_events_came_between() {
    let noon = at("2026-03-02T12:00:00Z");
    let (first, _) = judge(DAY, counts(8, 9), None, false, noon);
    let judged = |counts, minutes| {
        let later = noon + SignedDuration::from_mins(minutes);
        judge(DAY, counts, Some(&first), false, later)
    };
    let (soon, call) = judged(counts(9, 10), 30);
    assert_eq!((soon.counted_at, call), (noon, Call::Nothing));
    assert_eq!(judged(counts(10, 11), 60).1, removal(1, noon));
    // One more is gone, or one is back.
    for other in [counts(10, 12), counts(10, 10), counts(8, 7)] {
        let (judged, call) = judged(other, 60);
        assert!(!matches!(call, Call::Removal(_)), "{other:?}");
        assert_eq!(judged.counted_at, noon + HOUR);
    }
}

#[test]
fn fewer_events_than_posthog_counts_say_nothing_of_a_day_that_has_just_ended() {
    let (soon, late) = (at("2026-03-02T02:59:00Z"), at("2026-03-02T03:00:00Z"));
    assert!(counts(9, 8).are_settling(DAY, soon));
    assert!(!counts(9, 8).are_settling(DAY, late));
    for told in [counts(9, 9), counts(9, 10)] {
        assert!(!told.are_settling(DAY, soon), "{told:?}");
    }
}

#[test]
fn a_count_that_once_said_more_does_not_vouch_for_a_removal() {
    let (first, _) = judge(DAY, counts(8, 7), None, false, at("2026-03-02T12:00:00Z"));
    let (_, call) = judge(
        DAY,
        counts(8, 9),
        Some(&first),
        true,
        at("2026-03-02T14:00:00Z"),
    );
    assert_eq!(call, Call::Nothing);
}

#[test]
fn what_was_erased_is_not_missing_and_goes_when_posthog_no_longer_has_it() {
    let counts = |remote, stored, erased| Counts {
        remote,
        stored,
        erased,
    };
    let noon = at("2026-03-02T12:00:00Z");
    let (kept, call) = judge(DAY, counts(10, 7, 3), None, false, noon);
    assert_eq!((kept.verdict, call), (Verdict::Verified, Call::Nothing));
    assert_eq!((kept.local, kept.erased), (7, 3));
    // Three more are missing than were erased.
    let (_, call) = judge(DAY, counts(10, 4, 3), None, false, noon);
    assert_eq!(call, Call::Repull);
    // PostHog deleted them too: as with any removal, two counts an hour apart must agree.
    let (first, call) = judge(DAY, counts(7, 7, 3), Some(&kept), false, noon);
    assert_eq!((first.verdict, call), (Verdict::Pending, Call::Nothing));
    assert!(!wants_repull(&first));
    let later = at("2026-03-02T13:05:00Z");
    let (_, call) = judge(DAY, counts(7, 7, 3), Some(&first), false, later);
    assert_eq!(call, removal(3, noon));
}
