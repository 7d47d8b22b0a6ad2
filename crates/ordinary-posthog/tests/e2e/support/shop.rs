//! Worlds for the stand-in: a shop small enough to count by hand, and a lifelike one.

use jiff::{SignedDuration, Timestamp};
use posthog_stub::shop::Shop;
use posthog_stub::{Event, Key, Project, Stub, StubHandle, World};

use super::documents::KEY;

/// The project of every world here.
pub(crate) const PROJECT: u64 = 4242;
/// Visitors of the small shop, one every four hours.
pub(crate) const VISITORS: i64 = 24;
/// Its views of product pages: two a visitor.
pub(crate) const PRODUCT_VIEWS: u64 = 48;
/// Every second visitor adds to the cart.
pub(crate) const ADDED_TO_CART: u64 = 12;
/// Every fourth begins a checkout.
pub(crate) const CHECKOUTS: u64 = 6;
/// Every third signs up for the newsletter.
pub(crate) const SIGN_UPS: u64 = 8;

/// A key that may read everything and nothing more.
pub(crate) fn key() -> Key {
    Key::new(KEY).label("Ordinary").scopes([
        "query:read",
        "project:read",
        "event_definition:read",
        "cohort:read",
    ])
}

/// A stand-in with this project and the key.
pub(crate) async fn posthog(project: Project) -> StubHandle {
    let world = World::new().with_project(project).with_key(key());
    Stub::start(world).await.unwrap()
}

/// A stand-in with the small shop.
pub(crate) async fn small_shop() -> StubHandle {
    posthog(small_project()).await
}

/// An event `minutes` after the visitor came.
pub(crate) fn visit(visitor: i64, minutes: i64, event: &str, distinct_id: &str) -> Event {
    let came = Timestamp::now() - SignedDuration::from_hours(3 + 4 * (VISITORS - visitor));
    Event::new(
        event,
        distinct_id,
        came + SignedDuration::from_mins(minutes),
    )
}

/// [`VISITORS`] visits over the last four days.
pub(crate) fn small_project() -> Project {
    let mut project = Project::new(PROJECT, "Linden & Loom").timezone("Europe/Berlin");
    for visitor in 0..VISITORS {
        let anonymous = format!("anon-{visitor}");
        let event = |minutes, name| visit(visitor, minutes, name, &anonymous);
        let view = |minutes, page: &str| {
            event(minutes, "$pageview")
                .property("$current_url", format!("https://shop.example{page}"))
        };
        project.capture(view(0, "/products/red-shirt?variant=1"));
        project.capture(view(1, "/pages/about"));
        project.capture(view(2, "/fr/collections/sale/products/Blue-Hat/"));
        if visitor % 2 == 0 {
            project.capture(event(3, "Product Added").property("product_id", "p-1"));
            project.capture(identify(visitor));
        }
        if visitor % 4 == 0 {
            project.capture(event(4, "Checkout Started"));
        }
        if visitor % 8 == 0 {
            project.capture(event(5, "Order Completed"));
        }
        if visitor % 3 == 0 {
            project.capture(event(6, "newsletter signup"));
        }
    }
    project
}

/// The visitor signs in, which joins the anonymous id and the customer's.
fn identify(visitor: i64) -> Event {
    visit(visitor, 7, "$identify", &format!("customer-{visitor}"))
        .property("$anon_distinct_id", format!("anon-{visitor}"))
        .property("shopify_customer_id", (1000 + visitor).to_string())
}

/// About so many events of a lifelike shop over 20 days: ties, duplicates, late ones, merges.
/// Whenever a test starts, and however long it takes, a backfill of 30 days takes the same of them:
/// those near either edge of its window are left out.
pub(crate) fn lifelike_project(events: usize) -> Project {
    let now = Timestamp::now();
    let mut project = Shop {
        events,
        days: 20,
        renamed_days_ago: 8,
        ..Shop::new(now - SignedDuration::from_hours(2))
    }
    .generate();
    let near = now - SignedDuration::from_hours(1)..now + SignedDuration::from_hours(6);
    let oldest = now - SignedDuration::from_hours(24 * 28);
    project.retain_events(|event| {
        event.timestamp >= oldest
            && !near.contains(&event.timestamp)
            && !near.contains(&event.created_at)
    });
    project
}
