//! Stages, and the one that a mapping gives an event name.

use domain::{FunnelStage, Mapping, PostHogStage};

use crate::proto::v1;

/// A stage of the funnel.
pub(crate) fn stage(stage: impl Into<FunnelStage>) -> v1::FunnelStage {
    match stage.into() {
        FunnelStage::ProductViewed => v1::FunnelStage::ProductViewed,
        FunnelStage::AddedToCart => v1::FunnelStage::AddedToCart,
        FunnelStage::CheckoutStarted => v1::FunnelStage::CheckoutStarted,
        FunnelStage::OrderCompleted => v1::FunnelStage::OrderCompleted,
    }
}

/// The stage whose rules name the event, on whatever page.
pub(crate) fn mapped_stage(mapping: Option<&Mapping>, name: &str) -> Option<PostHogStage> {
    mapping?
        .stages
        .iter()
        .find(|mapped| mapped.rules.iter().any(|rule| rule.name.as_str() == name))
        .map(|mapped| mapped.stage)
}
