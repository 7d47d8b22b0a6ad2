//! The kinds of clicks, which are counted apart.

use crate::event::EventName;

/// What a click came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, strum::IntoStaticStr)]
pub enum ClickKind {
    /// A click that nothing more is known of.
    Plain,
    /// The last of several quick clicks at one place (posthog-js `rageclick.ts`: by default the third
    /// within 30 px, each at most a second after the one before).
    Rage,
    /// A click after which nothing changed on the page (posthog-js `dead-clicks-autocapture.ts`).
    Dead,
}

impl ClickKind {
    /// The kind of an event by its name and its `$event_type`; `None` for what is no click:
    /// `$autocapture` is sent for submitted forms and changed fields too, and a `$dead_swipe` or
    /// `$copy_autocapture` is none. One without `$event_type` is taken for a click.
    pub fn of(event: &EventName, event_type: Option<&str>) -> Option<Self> {
        match (event.as_str(), event_type) {
            ("$autocapture", None | Some("click")) => Some(Self::Plain),
            ("$rageclick", _) => Some(Self::Rage),
            ("$dead_click", _) => Some(Self::Dead),
            _ => None,
        }
    }
}
