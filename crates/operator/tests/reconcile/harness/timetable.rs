//! Connections whose timetable leaves a test alone.

use crd::PostHogConnection;
use domain::window::next_tick;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use serde_json::{Value, json};

use super::Corner;

/// From one tick of such a connection's timetable to the next.
const INTERVAL: SignedDuration = SignedDuration::from_hours(6);
/// Longer than any test takes by the machine's clock.
pub(crate) const LIFETIME: SignedDuration = SignedDuration::from_hours(1);

impl Corner {
    /// Applies a connection, with `more` on top of the smallest spec, so that no tick of its timetable is
    /// nearer than [`LIFETIME`]: where ticks lie depends on its UID, so it may have to be made anew. No
    /// operator may be there yet, which would see all of them.
    pub(crate) async fn connect_between_ticks(&self, name: &str, more: Value) -> PostHogConnection {
        let interval = format!("{}h", INTERVAL.as_hours());
        let mut spec = self.spec(json!({"refresh": {"interval": interval, "lookback": interval}}));
        let more = more.as_object().unwrap().clone();
        spec.as_object_mut().unwrap().extend(more);
        loop {
            let created = self.apply(name, spec.clone()).await;
            let now = self.now();
            if tick_after(&created, now - LIFETIME) > now + LIFETIME {
                return created;
            }
            self.delete(name).await;
        }
    }
}

/// The first tick after `instant` of a connection that was made so.
pub(crate) fn tick_after(connection: &PostHogConnection, instant: Timestamp) -> Timestamp {
    next_tick(
        connection.uid().unwrap().parse().unwrap(),
        INTERVAL,
        instant,
    )
}
