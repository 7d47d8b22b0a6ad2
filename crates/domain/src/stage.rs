//! The funnel's stages, and which of them PostHog may feed.

use serde::{Deserialize, Serialize};

/// A funnel stage that PostHog may feed. Order completed is not among them: it is
/// always Shopify's `orders/create` webhook, so no mapping to it can be written.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
pub enum PostHogStage {
    /// A visitor saw a product page.
    ProductViewed,
    /// A product went into the cart.
    AddedToCart,
    /// A checkout began.
    CheckoutStarted,
}

impl PostHogStage {
    /// Every stage that PostHog may feed, in funnel order.
    pub const ALL: [Self; 3] = [
        Self::ProductViewed,
        Self::AddedToCart,
        Self::CheckoutStarted,
    ];

    /// The field of `spec.mapping` that maps this stage.
    pub fn field(self) -> &'static str {
        self.into()
    }

    /// The stage's stored number; part of the schema, never renumbered.
    pub fn number(self) -> i16 {
        match self {
            Self::ProductViewed => 1,
            Self::AddedToCart => 2,
            Self::CheckoutStarted => 3,
        }
    }

    /// The stage with that stored number.
    pub fn from_number(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.number() == number)
    }
}

/// A stage of the whole funnel, as it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FunnelStage {
    /// A visitor saw a product page.
    ProductViewed,
    /// A product went into the cart.
    AddedToCart,
    /// A checkout began.
    CheckoutStarted,
    /// An order was placed: Shopify's `orders/create`, never PostHog.
    OrderCompleted,
}

impl From<PostHogStage> for FunnelStage {
    fn from(stage: PostHogStage) -> Self {
        match stage {
            PostHogStage::ProductViewed => Self::ProductViewed,
            PostHogStage::AddedToCart => Self::AddedToCart,
            PostHogStage::CheckoutStarted => Self::CheckoutStarted,
        }
    }
}

#[cfg(test)]
mod tests;
