//! Recognises what an e-commerce event name means, over the naming schemes in use: PostHog's own
//! specification (Segment's), Shopify pixel names as PixieHog sends them, and GA4 (POSTHOG.md 8).

mod table;
mod words;

use crate::stage::PostHogStage;

/// What an event name means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, strum::IntoStaticStr)]
pub enum Meaning {
    /// Products were searched.
    ProductsSearched,
    /// A list of products was seen.
    ProductListViewed,
    /// A list of products was filtered.
    ProductListFiltered,
    /// A product was clicked in a list.
    ProductClicked,
    /// A product was seen.
    ProductViewed,
    /// A product went into the cart.
    AddedToCart,
    /// A product was taken out of the cart.
    RemovedFromCart,
    /// The cart was seen.
    CartViewed,
    /// A checkout began.
    CheckoutStarted,
    /// A step of the checkout was seen or done.
    CheckoutStep,
    /// Payment details were given.
    PaymentInfoEntered,
    /// An order was placed or paid.
    OrderCompleted,
    /// An order was changed or sent.
    OrderUpdated,
    /// An order was paid back.
    OrderRefunded,
    /// An order was called off.
    OrderCancelled,
}

impl Meaning {
    /// The stage that an event of this meaning may feed.
    pub fn stage(self) -> Option<PostHogStage> {
        match self {
            Self::ProductViewed => Some(PostHogStage::ProductViewed),
            Self::AddedToCart => Some(PostHogStage::AddedToCart),
            Self::CheckoutStarted => Some(PostHogStage::CheckoutStarted),
            _ => None,
        }
    }

    /// Whether it is about a placed order.
    pub fn is_order(self) -> bool {
        matches!(
            self,
            Self::OrderCompleted | Self::OrderUpdated | Self::OrderRefunded | Self::OrderCancelled
        )
    }
}

/// What a name means, if anything known. Letter case, separators and camel case do not matter.
/// PostHog's own names (`$…`) mean nothing here.
pub fn recognise(name: &str) -> Option<Meaning> {
    if name.starts_with('$') {
        return None;
    }
    let words = words::words(name);
    table::meaning(&words.join("_")).or_else(|| table::order_within(&words))
}

/// Whether a name means a placed, changed or paid order; such events are never mapped to a
/// stage and never summed with Shopify's orders.
pub fn is_order_like(name: &str) -> bool {
    recognise(name).is_some_and(Meaning::is_order)
}

#[cfg(test)]
mod tests;
