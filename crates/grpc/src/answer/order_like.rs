//! Which names are order-like, remembered: they are few, and to take one apart costs more than all the
//! rest of an event.

use std::collections::HashMap;

use domain::EventName;
use domain::recogniser::is_order_like;

/// What is known of the names that came up.
#[derive(Default)]
pub(super) struct OrderLike(HashMap<EventName, bool>);

impl OrderLike {
    /// Whether a name is order-like.
    pub(super) fn is(&mut self, name: &EventName) -> bool {
        if let Some(order_like) = self.0.get(name) {
            return *order_like;
        }
        let order_like = is_order_like(name.as_str());
        self.0.insert(name.clone(), order_like);
        order_like
    }
}
