//! Event and property names: two naming schemes for the funnel, and what the shop made up itself.

use std::sync::LazyLock;

use crate::world::property::Name;

/// One step that both schemes name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    CollectionViewed,
    ProductViewed,
    Added,
    Removed,
    CartViewed,
    CheckoutStarted,
    OrderCompleted,
    Searched,
}

impl Step {
    /// The name in PostHog's e-commerce spec, or after the renaming that of Shopify's pixel.
    pub(super) fn name(self, renamed: bool) -> &'static str {
        match (self, renamed) {
            (Self::CollectionViewed, false) => "Product List Viewed",
            (Self::CollectionViewed, true) => "collection_viewed",
            (Self::ProductViewed, false) => "Product Viewed",
            (Self::ProductViewed, true) => "product_viewed",
            (Self::Added, false) => "Product Added",
            (Self::Added, true) => "product_added_to_cart",
            (Self::Removed, false) => "Product Removed",
            (Self::Removed, true) => "product_removed_from_cart",
            (Self::CartViewed, false) => "Cart Viewed",
            (Self::CartViewed, true) => "cart_viewed",
            (Self::CheckoutStarted, false) => "Checkout Started",
            (Self::CheckoutStarted, true) => "checkout_started",
            (Self::OrderCompleted, false) => "Order Completed",
            (Self::OrderCompleted, true) => "checkout_completed",
            // PixieHog's map says so, although the spec has a name of its own (POSTHOG.md 8.3).
            (Self::Searched, false) => "Product List Filtered",
            (Self::Searched, true) => "search_submitted",
        }
    }
}

/// What the shop tracks besides.
pub(super) const CUSTOM: [&str; 8] = [
    "newsletter signed up",
    "size guide opened",
    "wishlist item added",
    "review read",
    "store locator opened",
    "video played",
    "gift note written",
    "back in stock requested",
];

macro_rules! names {
    ($($field:ident = $text:literal),* $(,)?) => {
        /// Property names, interned once.
        pub(super) struct Names {
            $(pub(super) $field: Name,)*
        }

        pub(super) static NAMES: LazyLock<Names> = LazyLock::new(|| Names { $($field: Name::of($text),)* });
    };
}

names! {
    current_url = "$current_url", pathname = "$pathname", host = "$host", title = "title",
    referrer = "$referrer", referring_domain = "$referring_domain",
    session = "$session_id", window = "$window_id", device_id = "$device_id",
    device_type = "$device_type", browser = "$browser", os = "$os", lib = "$lib", lib_version = "$lib_version",
    viewport_width = "$viewport_width", viewport_height = "$viewport_height", screen_width = "$screen_width",
    language = "$browser_language", timezone = "$timezone", country = "$geoip_country_code",
    utm_source = "utm_source", utm_medium = "utm_medium", utm_campaign = "utm_campaign",
    utm_content = "utm_content", utm_term = "utm_term",
    shopify_y = "_shopify_y", client_id = "clientId", customer = "shopify_customer_id",
    anon = "$anon_distinct_id", alias = "alias", set = "$set", profile = "$process_person_profile",
    product_id = "product_id", sku = "sku", name = "name", price = "price", currency = "currency",
    quantity = "quantity", cart_id = "cart_id", category = "category", value = "value", order_id = "order_id",
    checkout_id = "checkout_id", query = "query", products = "products",
    event_type = "$event_type", ce_version = "$ce_version", el_text = "$el_text",
}
