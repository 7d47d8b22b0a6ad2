//! `spec.mapping`: which PostHog events feed which funnel stage, as it is written.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::schema::{refused, rule};

/// Said wherever somebody maps Order completed to a PostHog event.
pub const ORDER_COMPLETED_REFUSED: &str = "Order completed always comes from Shopify's orders/create webhook and is never counted from PostHog: remove mapping.orderCompleted";

/// Names that mean an order, in lower case. The domain's recogniser knows more (camel case, other
/// wordings) and is asked again at validation; this spares the usual names the way to the operator.
pub(crate) const ORDER_LIKE_PATTERN: &str = concat!(
    r"(^|[^\pL\pN])(",
    r"(orders?|purchase)[^\pL\pN]+(placed|created|paid|confirmed|made|received|updated|edited|fulfilled|shipped|delivered|returned|refunded|cancell?ed|completed|finished|succeeded|submitted|processed)",
    r"|(placed|created|paid|confirmed|refunded|cancell?ed|completed)[^\pL\pN]+(orders?|purchase)",
    r"|checkout[^\pL\pN]+(completed|finished|succeeded)|completed[^\pL\pN]+checkout",
    r")([^\pL\pN]|$)",
    r"|^[^\pL\pN]*(purchase[ds]?|refund(ed)?|orders?[^\pL\pN]+create)[^\pL\pN]*$",
);

fn order_like_rule() -> Value {
    rule(
        &format!("self.startsWith('$') || !self.lowerAscii().matches(r'{ORDER_LIKE_PATTERN}')"),
        "the name means an order: orders come from Shopify's orders/create webhook and are never counted from PostHog, remove it",
    )
}

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
    /// Whether PostHog's events feed this stage or Shopify does. Auto: PostHog if a mapped event was seen in the
    /// last 30 days, else Shopify.
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
    #[schemars(extend("x-kubernetes-validations" = [order_like_rule()]))]
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
