//! `spec.mapping`: which PostHog events feed which funnel stage, as it is written.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::schema::{refused, rule};

/// Said wherever somebody maps Order completed to a PostHog event.
pub const ORDER_COMPLETED_REFUSED: &str = "Order completed always comes from Shopify's orders/create webhook and is never counted from PostHog: remove mapping.orderCompleted";

/// Names that mean an order, in lower case. The recogniser of the domain knows more and is asked
/// again at validation; this spares the common ones the way to the operator.
const ORDER_LIKE_RULE: &str = "!self.lowerAscii().matches('^[^a-z0-9]*((shopify[^a-z0-9]+)?(orders?|checkout|purchase)[^a-z0-9]*(completed?|placed?|created?|paid|confirmed|fulfilled|refunded|cancell?ed|updated)|purchased?|completed[^a-z0-9]*(order|checkout|purchase))[^a-z0-9]*$')";

/// Which PostHog events feed which funnel stage. A stage that is left out gets defaults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    rule("!has(self.orderCompleted)", ORDER_COMPLETED_REFUSED),
    rule(
        "!has(self.productViewed) || !has(self.addedToCart) || !self.productViewed.events.exists(a, self.addedToCart.events.exists(b, a.name == b.name))",
        "one event belongs to one stage: productViewed and addedToCart name the same event, remove it from one of them",
    ),
    rule(
        "!has(self.productViewed) || !has(self.checkoutStarted) || !has(self.checkoutStarted.events) || !self.productViewed.events.exists(a, self.checkoutStarted.events.exists(b, a.name == b.name))",
        "one event belongs to one stage: productViewed and checkoutStarted name the same event, remove it from one of them",
    ),
    rule(
        "!has(self.addedToCart) || !has(self.checkoutStarted) || !has(self.checkoutStarted.events) || !self.addedToCart.events.exists(a, self.checkoutStarted.events.exists(b, a.name == b.name))",
        "one event belongs to one stage: addedToCart and checkoutStarted name the same event, remove it from one of them",
    ),
]))]
pub struct Mapping {
    /// A visitor saw a product page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Stage")]
    pub product_viewed: Option<Stage>,
    /// A product went into the cart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Stage")]
    pub added_to_cart: Option<Stage>,
    /// A checkout began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Checkout")]
    pub checkout_started: Option<Checkout>,
    /// Never to be written: orders always come from Shopify's orders/create webhook.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    #[schemars(schema_with = "refused")]
    pub order_completed: Option<Value>,
}

/// The events that feed a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// An event that matches any of these belongs to the stage.
    #[schemars(length(min = 1, max = 32))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name", "urlPath"]))]
    pub events: Vec<StageEvent>,
}

/// What feeds Checkout started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Checkout {
    /// Who feeds it.
    #[serde(default)]
    pub source: CheckoutSource,
    /// An event that matches any of these belongs to the stage. Default: names that are recognised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<StageEvent>", length(min = 1, max = 32))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name", "urlPath"]))]
    pub events: Option<Vec<StageEvent>>,
}

/// Who feeds Checkout started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CheckoutSource {
    /// PostHog if a mapped event was seen in the last 30 days, else Shopify.
    #[default]
    Auto,
    /// PostHog, whatever was seen.
    PostHog,
    /// Shopify, always.
    Shopify,
}

/// One condition under which an event counts for a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StageEvent {
    /// The event's name, exactly as PostHog has it.
    #[schemars(length(min = 1, max = 400))]
    #[schemars(extend("x-kubernetes-validations" = [rule(
        ORDER_LIKE_RULE,
        "the name means an order: orders come from Shopify's orders/create webhook and are never counted from PostHog, remove it",
    )]))]
    pub name: String,
    /// Where the page must be, such as /products/*: * is exactly one segment, ** any number. Empty: any page.
    #[serde(default)]
    #[schemars(length(max = 1000), regex(pattern = "^(/.*)?$"))]
    pub url_path: String,
}

/// Keeps a null that was written apart from nothing written.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}
