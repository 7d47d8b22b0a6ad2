//! The shop on the stand-in PostHog.

use jiff::{SignedDuration, Timestamp};
use posthog_stub::{Event, Project};

/// The stand-in's project.
pub(crate) const PROJECT: u64 = 4242;
/// The key that opens it.
pub(crate) const KEY: &str = "phx_0123456789abcdefghijklmnopqrstuvwxyzABCD";

/// A shop with a product view, a cart and a checkout in each of the last days.
pub(crate) fn shop() -> Project {
    let mut project = Project::new(PROJECT, "Storefront").timezone("Europe/Berlin");
    let now = Timestamp::now();
    for hours in [1, 30, 60] {
        let at = now - SignedDuration::from_hours(hours);
        let visitor = format!("visitor-{hours}");
        project.insert(
            Event::new("$pageview", visitor.as_str(), at)
                .property("$current_url", "https://shop.example/products/red-shirt"),
        );
        project.insert(Event::new("product added to cart", visitor.as_str(), at));
        project.insert(Event::new("checkout started", visitor.as_str(), at));
    }
    project
}
