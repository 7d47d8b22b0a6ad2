//! Clicks that may still turn out to be one with another event's.

use std::collections::HashMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::counts::ClickCounts;
use super::device::DeviceType;
use super::event::ClickEvent;
use crate::clicks::{Click, ClickKind, OWN_CLICK_WITHIN, doubles};

/// Only clicks that agree in all of this can be the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    window: Box<str>,
    /// The number of the page's element.
    pub(super) element: usize,
    pub(super) device: DeviceType,
}

/// The clicks of one place, in which none is further from the one before than a click's two events are.
type Close = Vec<Click<(), ()>>;

/// Clicks by their places, each until nothing near it can come any more: what they hold does not grow
/// with the number of clicks.
#[derive(Debug, Default)]
pub(super) struct Pending {
    places: HashMap<Place, Close>,
    added: usize,
}

/// After how many clicks those that are settled are looked for.
const SWEEP: usize = 1024;

impl Place {
    pub(super) fn of(event: &ClickEvent, element: usize, device: DeviceType) -> Self {
        let part = |text: &Option<String>| text.clone().unwrap_or_default();
        let (session, window) = (part(&event.session_id), part(&event.window_id));
        // No stored text has a NUL.
        let window = format!("{}\0{session}\0{window}", event.distinct_id).into();
        Self {
            window,
            element,
            device,
        }
    }
}

impl Pending {
    /// Takes the next click in the order of time; gives back what is settled by now.
    pub(super) fn add(
        &mut self,
        place: Place,
        kind: ClickKind,
        at: Timestamp,
        uuid: Uuid,
    ) -> Vec<(Place, Close)> {
        let click = Click {
            uuid,
            kind,
            at,
            window: (),
            element: (),
        };
        let mut settled = Vec::new();
        let clicks = self.places.entry(place.clone()).or_default();
        if is_settled(clicks, at) {
            settled.push((place, std::mem::take(clicks)));
        }
        clicks.push(click);
        self.added += 1;
        if self.added.is_multiple_of(SWEEP) {
            settled.extend(self.places.extract_if(|_, clicks| is_settled(clicks, at)));
        }
        settled
    }

    /// All that is left.
    pub(super) fn finish(self) -> impl Iterator<Item = (Place, Close)> {
        self.places.into_iter()
    }
}

fn is_settled(clicks: &[Click<(), ()>], now: Timestamp) -> bool {
    clicks
        .last()
        .is_some_and(|last| now.duration_since(last.at) > OWN_CLICK_WITHIN)
}

/// Counts the clicks for which `counts` holds: one that several events tell of where that one of them
/// is stamped which is left.
pub(super) fn settle(clicks: &[Click<(), ()>], counts: impl Fn(Timestamp) -> bool) -> ClickCounts {
    let mut settled = ClickCounts::default();
    for click in clicks.iter().filter(|click| counts(click.at)) {
        settled.clicks += 1;
        settled.rage += u64::from(click.kind == ClickKind::Rage);
        settled.dead += u64::from(click.kind == ClickKind::Dead);
    }
    if clicks.iter().any(|click| click.kind != ClickKind::Plain) {
        for place in doubles(clicks) {
            settled.clicks -= u64::from(counts(clicks[place].at));
        }
    }
    settled
}
