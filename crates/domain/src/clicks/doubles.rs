//! One click that several events tell of.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::kind::ClickKind;

/// How far apart two events of one click are stamped at most. posthog-js sends a `$rageclick` and then,
/// in the same handler, the click's own `$autocapture`; a `$dead_click` is stamped when the click
/// reached the window, after the page's own handlers ran. It is sent seconds later, mostly in another
/// batch than the `$autocapture`: posthog-js says only how long before its batch an event happened
/// (`offset`), so that the time which each batch takes on its way is a part of its stamps.
pub const OWN_CLICK_WITHIN: SignedDuration = SignedDuration::from_millis(500);

/// An event that tells of a click. `Window` is whatever says in which browser window it was, `Element`
/// whatever names the element: only clicks that agree in both can be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Click<Window, Element> {
    /// The event's id, for an order among those of one moment.
    pub uuid: Uuid,
    /// Which kind the event tells of.
    pub kind: ClickKind,
    /// When, by the sender's clock.
    pub at: Timestamp,
    /// In which browser window.
    pub window: Window,
    /// On which element.
    pub element: Element,
}

/// The places, in `clicks`, of those that must not be counted beside another that tells of the same
/// click; ascending, none twice. They are the plain ones that a rage or a dead click tells of too and,
/// where both tell of one, the dead one. A rage click's own is the first that follows it, a dead
/// click's own the nearest, before it or after it, within [`OWN_CLICK_WITHIN`]; no two of one kind share
/// one, and as many are paired as can be. The same clicks are found in whatever order they come.
pub fn doubles<Window: Ord, Element: Ord>(clicks: &[Click<Window, Element>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..clicks.len()).collect();
    order.sort_by(|&a, &b| {
        let (a, b) = (&clicks[a], &clicks[b]);
        (&a.window, &a.element, a.at, a.uuid).cmp(&(&b.window, &b.element, b.at, b.uuid))
    });
    let mut found = BTreeSet::new();
    for same in order.chunk_by(|&a, &b| {
        let (a, b) = (&clicks[a], &clicks[b]);
        (&a.window, &a.element) == (&b.window, &b.element)
    }) {
        let of = |kind| {
            let places = same.iter().copied();
            places.filter(move |&place| clicks[place].kind == kind)
        };
        let stamped = |kind| of(kind).map(|place| (clicks[place].at, place)).collect();
        let plain: Vec<Stamped> = stamped(ClickKind::Plain);
        let (rage, dead): (Vec<Stamped>, Vec<Stamped>) =
            (stamped(ClickKind::Rage), stamped(ClickKind::Dead));
        for (_, own) in pairs(&rage, &plain, SignedDuration::ZERO) {
            found.insert(plain[own].1);
        }
        let mut pairs = pairs(&dead, &plain, -OWN_CLICK_WITHIN);
        bring_near(&mut pairs, &dead, &plain);
        for (claim, own) in pairs {
            if !found.insert(plain[own].1) {
                found.insert(dead[claim].1);
            }
        }
    }
    found.into_iter().collect()
}

/// A click's stamp and its place.
type Stamped = (Timestamp, usize);

/// Pairs each of `claims` with the first free one of `plain` that is stamped from `earliest` to
/// [`OWN_CLICK_WITHIN`] after it, as places in both; both come in the order of time. All windows being
/// of one length, no other choice makes more pairs.
fn pairs(claims: &[Stamped], plain: &[Stamped], earliest: SignedDuration) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    let mut free = plain.iter().enumerate().peekable();
    for (claim, (at, _)) in claims.iter().enumerate() {
        let gap = |one: &Stamped| one.0.duration_since(*at);
        while free.next_if(|(_, one)| gap(one) < earliest).is_some() {}
        let own = free.next_if(|(_, one)| gap(one) <= OWN_CLICK_WITHIN);
        pairs.extend(own.map(|(own, _)| (claim, own)));
    }
    pairs
}

/// Moves each of these [`pairs`], the last one first, on to the nearest of `plain` that is still free, of
/// two as near ones the earlier.
fn bring_near(pairs: &mut [(usize, usize)], claims: &[Stamped], plain: &[Stamped]) {
    let mut end = plain.len();
    for (claim, own) in pairs.iter_mut().rev() {
        let at = claims[*claim].0;
        let gap = |place: &usize| plain[*place].0.duration_since(at).abs();
        let after = *own + plain[*own..end].partition_point(|one| one.0 <= at);
        let before = after.saturating_sub(1).max(*own);
        let nearest = [before, after]
            .into_iter()
            .filter(|place| *place < end)
            .min_by_key(gap);
        *own = nearest.unwrap_or(*own);
        end = *own;
    }
}
