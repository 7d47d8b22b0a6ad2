use jiff::{SignedDuration, Timestamp};
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
fn one_click_that_is_both_is_found_for_each() {
    assert_eq!(
        doubles(&[click(Rage, 0), click(Plain, 1), click(Dead, 9)]),
        [1, 1]
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
fn most_pairs(claims: &[i64], plain: &[i64]) -> usize {
    let Some((claim, rest)) = claims.split_first() else {
        return 0;
    };
    let near = |at: &i64| (0..=500).contains(&(at - claim));
    let taken = plain
        .iter()
        .enumerate()
        .filter(|(_, at)| near(at))
        .map(|(place, _)| {
            let mut left = plain.to_vec();
            left.remove(place);
            1 + most_pairs(rest, &left)
        });
    taken.max().unwrap_or(0).max(most_pairs(rest, plain))
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
        rages in prop::collection::vec(0_i64..2000, 0..5),
        plain in prop::collection::vec(0_i64..2000, 0..6),
        backwards in any::<bool>(),
    ) {
        let (kind, sign) = if backwards { (Dead, -1) } else { (Rage, 1) };
        let told = rages.iter().map(|&at| click(kind, sign * at));
        let clicks: Vec<Told> = told.chain(plain.iter().map(|&at| click(Plain, sign * at))).collect();
        let found = doubles(&clicks);
        prop_assert_eq!(found.len(), most_pairs(&rages, &plain));
        for place in found {
            prop_assert_eq!(clicks[place].kind, Plain);
            let gap = |rage: &Told| clicks[place].at.duration_since(rage.at) * i32::try_from(sign).unwrap();
            let near = |rage: &&Told| rage.kind == kind && (SignedDuration::ZERO..=OWN_CLICK_WITHIN).contains(&gap(rage));
            prop_assert!(clicks.iter().any(|rage| near(&rage)));
        }
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
