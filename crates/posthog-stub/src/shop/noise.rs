//! What makes real data awkward: late arrivals, re-sent events, clocks that run ahead.

use jiff::{SignedDuration, Timestamp};

use super::random::Random;
use crate::world::event::Event;
use crate::world::project::Project;

/// Spoils events on their way into a project; all of them arrive by `now`.
#[derive(Debug)]
pub(super) struct Noise {
    pub(super) random: Random,
    pub(super) now: Timestamp,
}

impl Noise {
    /// Sets when the event arrived, captures it, and perhaps sends it again. Returns the rows stored.
    pub(super) fn deliver(&mut self, project: &mut Project, mut event: Event) -> usize {
        event.created_at = self.arrival(event.timestamp);
        if self.random.permille(1) {
            // A device clock that runs ahead, by less than the 23 h that PostHog would clamp.
            let ahead = SignedDuration::from_secs(self.random.between(60, 82_000));
            event.timestamp = self.now.saturating_add(ahead).unwrap_or(event.timestamp);
            event.created_at = self.before_now(1800);
        }
        let again = self.resent(&event);
        let person = project.capture(event);
        let Some(again) = again else { return 1 };
        project.insert(again.person_id(person));
        2
    }

    /// Two seconds after the event, or hours or days.
    fn arrival(&mut self, timestamp: Timestamp) -> Timestamp {
        let micros = match self.random.below(1000) {
            0..=11 => self.random.between(3600, 5 * 86_400) * 1_000_000,
            12..=40 => self.random.between(60, 3600) * 1_000_000,
            _ => self.random.between(200_000, 4_000_000),
        };
        let at = timestamp
            .saturating_add(SignedDuration::from_micros(micros))
            .unwrap_or(timestamp);
        if at > self.now {
            self.before_now(600).max(timestamp.min(self.now))
        } else {
            at
        }
    }

    fn before_now(&mut self, seconds: i64) -> Timestamp {
        let back = SignedDuration::from_millis(self.random.between(0, seconds * 1000));
        self.now.saturating_sub(back).unwrap_or(self.now)
    }

    /// The same uuid once more: the very same row, a later arrival, or a corrected time on another day.
    fn resent(&mut self, event: &Event) -> Option<Event> {
        if !self.random.permille(5) {
            return None;
        }
        let mut again = event.clone();
        let later =
            |at: Timestamp, by: SignedDuration| at.saturating_add(by).unwrap_or(at).min(self.now);
        match self.random.below(10) {
            0..=4 => {}
            5..=8 => again.created_at = later(event.created_at, SignedDuration::from_mins(7)),
            _ => {
                again.created_at = later(event.created_at, SignedDuration::from_hours(3));
                again.timestamp = event
                    .timestamp
                    .saturating_sub(SignedDuration::from_hours(20))
                    .unwrap_or(event.timestamp);
            }
        }
        Some(again)
    }
}
