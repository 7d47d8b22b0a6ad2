//! One click that several events tell of.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::kind::ClickKind;

/// How far apart two events of one click are stamped at most. posthog-js sends a `$rageclick` and then,
/// in the same handler, the click's own `$autocapture`; a `$dead_click` is stamped when the click
/// reached the window, after the page's own handlers ran.
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

/// The places, in `clicks`, of the plain ones that a rage or a dead click tells of too, so that they
/// must not be counted beside it; ascending, and twice where both a rage and a dead click tell of it, so
/// that each place found takes one click from the events' number. A rage click's own is the first that follows it, a dead
/// click's own the last before it, within [`OWN_CLICK_WITHIN`]; no two of one kind share one. The
/// same clicks are found in whatever order they come.
pub fn doubles<Window: Ord, Element: Ord>(clicks: &[Click<Window, Element>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..clicks.len()).collect();
    order.sort_by(|&a, &b| {
        let (a, b) = (&clicks[a], &clicks[b]);
        (&a.window, &a.element, a.at, a.uuid).cmp(&(&b.window, &b.element, b.at, b.uuid))
    });
    let mut found = Vec::new();
    for same in order.chunk_by(|&a, &b| {
        let (a, b) = (&clicks[a], &clicks[b]);
        (&a.window, &a.element) == (&b.window, &b.element)
    }) {
        let of = |kind| {
            same.iter()
                .copied()
                .filter(move |&place| clicks[place].kind == kind)
        };
        let plain: Vec<usize> = of(ClickKind::Plain).collect();
        let gap = |a: usize, b: usize| clicks[b].at.duration_since(clicks[a].at);
        pair(of(ClickKind::Rage), plain.iter().copied(), &gap, &mut found);
        let backwards = |a, b| gap(b, a);
        pair(
            of(ClickKind::Dead).rev(),
            plain.into_iter().rev(),
            &backwards,
            &mut found,
        );
    }
    found.sort_unstable();
    found
}

/// Pairs each of `claims` with the next free one of `plain` that is not too far; both come in the
/// order in which `gap` grows.
fn pair(
    claims: impl Iterator<Item = usize>,
    plain: impl Iterator<Item = usize>,
    gap: &impl Fn(usize, usize) -> SignedDuration,
    found: &mut Vec<usize>,
) {
    let mut plain = plain.peekable();
    for claim in claims {
        while plain
            .next_if(|&one| gap(claim, one).is_negative())
            .is_some()
        {}
        found.extend(plain.next_if(|&one| gap(claim, one) <= OWN_CLICK_WITHIN));
    }
}
