use std::ops::RangeInclusive;

use jiff::Timestamp;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::event::EventName;

type Told = Click<u8, &'static str>;

fn click(kind: ClickKind, millis: i64) -> Told {
    Click {
        uuid: Uuid::from_u128(u128::from(millis.unsigned_abs())),
        kind,
        at: Timestamp::from_millisecond(millis).unwrap(),
        window: 1,
        element: "#buy",
    }
}

use ClickKind::{Dead, Plain, Rage};

#[test]
fn only_clicks_are_clicks() {
    let of = |event, event_type| ClickKind::of(&EventName::from(event), event_type);
    assert_eq!(of("$autocapture", Some("click")), Some(Plain));
    assert_eq!(of("$autocapture", None), Some(Plain));
    assert_eq!(of("$autocapture", Some("change")), None);
    assert_eq!(of("$autocapture", Some("submit")), None);
    assert_eq!(of("$rageclick", Some("click")), Some(Rage));
    assert_eq!(of("$dead_click", Some("click")), Some(Dead));
    assert_eq!(of("$dead_swipe", Some("touchend")), None);
    assert_eq!(of("$copy_autocapture", Some("copy")), None);
    assert_eq!(of("$pageview", None), None);
}

#[test]
fn a_rage_clicks_own_autocapture_is_found() {
    // Three quick clicks and one more: PostHog sends the rage click just before the third.
    let clicks = [
        click(Plain, 0),
        click(Plain, 200),
        click(Rage, 400),
        click(Plain, 402),
        click(Plain, 600),
    ];
    assert_eq!(doubles(&clicks), [3]);
}

#[test]
fn a_dead_clicks_own_autocapture_is_found() {
    let clicks = [
        click(Plain, 0),
        click(Plain, 300),
        click(Dead, 340),
        click(Plain, 500),
    ];
    assert_eq!(doubles(&clicks), [1]);
}

#[test]
fn a_dead_clicks_own_autocapture_is_found_though_another_batch_was_stamped_by_another_clock() {
    assert_eq!(doubles(&[click(Dead, 1000), click(Plain, 1180)]), [1]);
    assert_eq!(doubles(&[click(Dead, 1000), click(Plain, 1500)]), [1]);
    assert_eq!(doubles(&[click(Plain, 500), click(Dead, 1000)]), [0]);
    for far in [499, 1501] {
        let apart = [click(Dead, 1000), click(Plain, far)];
        assert_eq!(doubles(&apart), [0_usize; 0], "{far}");
    }
    // The nearest one, unless a dead click that can have no other needs it.
    let near = [click(Plain, 700), click(Dead, 1000), click(Plain, 1200)];
    assert_eq!(doubles(&near), [2]);
    let clicks = [
        click(Plain, 0),
        click(Dead, 400),
        click(Plain, 700),
        click(Dead, 1150),
    ];
    assert_eq!(doubles(&clicks), [0, 2]);
}

#[test]
fn of_one_click_that_is_both_one_event_is_left() {
    assert_eq!(
        doubles(&[click(Rage, 0), click(Plain, 1), click(Dead, 9)]),
        [1, 2]
    );
}

#[test]
fn other_windows_elements_and_moments_are_other_clicks() {
    let rage = click(Rage, 1000);
    for other in [
        Told {
            window: 2,
            ..click(Plain, 1001)
        },
        Told {
            element: "#cart",
            ..click(Plain, 1001)
        },
        click(Plain, 999),
        click(Plain, 1501),
    ] {
        assert_eq!(doubles(&[rage, other]), [0_usize; 0], "{other:?}");
    }
    assert_eq!(doubles(&[rage, click(Plain, 1500)]), [1]);
}

/// The most pairs that any choice could make, tried one by one.
fn most_pairs(claims: &[i64], plain: &[i64], window: &RangeInclusive<i64>) -> usize {
    let Some((claim, rest)) = claims.split_first() else {
        return 0;
    };
    let near = |at: &i64| window.contains(&(at - claim));
    let taken = plain
        .iter()
        .enumerate()
        .filter(|(_, at)| near(at))
        .map(|(place, _)| {
            let mut left = plain.to_vec();
            left.remove(place);
            1 + most_pairs(rest, &left, window)
        });
    let taken = taken.max().unwrap_or(0);
    taken.max(most_pairs(rest, plain, window))
}

prop_compose! {
    fn any_click()(
        kind in prop::sample::select(vec![Plain, Plain, Rage, Dead]),
        millis in 0_i64..3000,
        uuid in any::<u128>(),
        window in 1_u8..3,
        element in prop::sample::select(vec!["#buy", "#cart"]),
    ) -> Told {
        let at = Timestamp::from_millisecond(millis).unwrap();
        Click { uuid: Uuid::from_u128(uuid), kind, at, window, element }
    }
}

proptest! {
    #[test]
    fn as_many_are_paired_as_can_be_and_only_near_ones(
        told in prop::collection::vec(0_i64..2000, 0..5),
        plain in prop::collection::vec(0_i64..2000, 0..6),
        dead in any::<bool>(),
    ) {
        let (kind, window) = if dead { (Dead, -500..=500) } else { (Rage, 0..=500) };
        let clicks = told.iter().map(|&at| click(kind, at));
        let clicks: Vec<Told> = clicks.chain(plain.iter().map(|&at| click(Plain, at))).collect();
        let found = doubles(&clicks);
        prop_assert_eq!(found.len(), most_pairs(&told, &plain, &window));
        prop_assert!(found.is_sorted_by(|a, b| a < b));
        for place in found {
            prop_assert_eq!(clicks[place].kind, Plain);
            let at = clicks[place].at.as_millisecond();
            prop_assert!(told.iter().any(|told| window.contains(&(at - told))));
        }
    }

    #[test]
    fn a_dead_click_by_itself_takes_the_nearest(
        plain in prop::collection::btree_set(0_i64..2000, 0..6),
    ) {
        let gap = |at: &i64| ((at - 1000).abs(), *at);
        let nearest = plain.iter().copied().min_by_key(gap).filter(|at| gap(at).0 <= 500);
        let clicks = plain.into_iter().map(|at| click(Plain, at));
        let clicks: Vec<Told> = clicks.chain([click(Dead, 1000)]).collect();
        let found = doubles(&clicks).into_iter().map(|place| clicks[place].at.as_millisecond());
        prop_assert_eq!(found.collect::<Vec<_>>(), nearest.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn each_click_is_left_once_however_its_events_batches_are_stamped(
        // Each a while after the one before, and dead with a stamp some way off or not.
        made in prop::collection::vec((0_i64..2000, prop::option::of(-500_i64..=500)), 0..20),
    ) {
        let mut at = 1000;
        let mut clicks = Vec::new();
        for (later, dead) in &made {
            at += later;
            clicks.push(click(Plain, at));
            clicks.extend(dead.map(|off| click(Dead, at + off)));
        }
        prop_assert_eq!(clicks.len() - doubles(&clicks).len(), made.len());
        // Rage clicks come in the same batch as their own: of both, no event is found twice.
        let raging = clicks.iter().zip(1..).filter(|(it, number)| it.kind == Plain && number % 3 == 0);
        let raging = raging.map(|(it, _)| Told { kind: Rage, ..*it }).collect::<Vec<_>>();
        clicks.extend(raging);
        prop_assert_eq!(clicks.len() - doubles(&clicks).len(), made.len());
    }

    #[test]
    fn the_order_of_the_clicks_changes_nothing(
        (clicks, shuffled) in prop::collection::vec(any_click(), 0..30)
            .prop_flat_map(|clicks| (Just(clicks.clone()), Just(clicks).prop_shuffle())),
    ) {
        let ids = |clicks: &[Told]| {
            let mut ids: Vec<Uuid> = doubles(clicks).into_iter().map(|place| clicks[place].uuid).collect();
            ids.sort_unstable();
            ids
        };
        prop_assert_eq!(ids(&clicks), ids(&shuffled));
    }
}
