//! Which PostHog events feed which funnel stage: what the merchant wrote, what is in force,
//! and how a stored event is assigned.

mod evidence;
mod renamed;
mod resolve;
mod spec;
mod suggestions;

use serde::{Deserialize, Serialize};

pub use self::evidence::{
    Candidate, MOST_CANDIDATES, NEIGHBOURS, NEWEST_LOOKED_AT, ORDER_WITHIN, OrderEvidence,
    SAMPLED_EVENTS, candidates, evidence_since,
};
pub use self::renamed::{MANY_EVENTS, SILENT_DAYS, is_silent};
pub use self::resolve::{
    KnownEvent, Resolution, SUGGESTION_DAYS, Suggestion, mapped_reason, resolve,
};
pub use self::spec::{
    CheckoutSource, MAX_NAME_LENGTH, MAX_RULES, MappingError, MappingSpec, StageSpec,
};
pub use self::suggestions::{known_since, renamed_since, suggestions};
use crate::event::EventName;
use crate::page_path::PathPattern;
use crate::stage::PostHogStage;

/// One condition under which an event counts for a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageRule {
    /// The event's name, compared exactly.
    pub name: EventName,
    /// Where the page must be; any page when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_path: Option<PathPattern>,
}

impl StageRule {
    /// Whether an event of the rule's name on this page counts; `path` is the event's path as stored.
    pub fn takes(&self, path: Option<&str>) -> bool {
        match (&self.url_path, path) {
            (None, _) => true,
            (Some(pattern), Some(path)) => pattern.matches(path),
            (Some(_), None) => false,
        }
    }
}

/// Who decided what feeds a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StageSource {
    /// Chosen here, from the names the project really has.
    Default,
    /// Written in the connection's spec.
    Override,
    /// Fed by Shopify; PostHog is not counted.
    Shopify,
}

/// What feeds one stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageMapping {
    /// The stage.
    pub stage: PostHogStage,
    /// Who decided.
    pub source: StageSource,
    /// An event that matches any rule belongs to the stage. Empty where Shopify feeds it, and
    /// where overrides of other stages took every name it could have.
    pub rules: Vec<StageRule>,
}

/// The mapping in force: for every stage what feeds it. One event name belongs to one stage,
/// so an event belongs to at most one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mapping {
    /// One entry a stage, in funnel order.
    pub stages: Vec<StageMapping>,
    /// Who feeds Checkout started, as the merchant chose.
    pub checkout_source: CheckoutSource,
}

impl Mapping {
    /// The stage of an event with this name on this page; `path` is the event's path as stored.
    pub fn stage_of(&self, event: &str, path: Option<&str>) -> Option<PostHogStage> {
        self.stages
            .iter()
            .flat_map(|mapped| mapped.rules.iter().map(|rule| (mapped.stage, rule)))
            .find(|(_, rule)| rule.name.as_str() == event && rule.takes(path))
            .map(|(stage, _)| stage)
    }

    /// Every event name that some rule mentions.
    pub fn names(&self) -> impl Iterator<Item = &EventName> {
        self.stages
            .iter()
            .flat_map(|mapped| mapped.rules.iter().map(|rule| &rule.name))
    }

    /// What feeds `stage`.
    pub fn stage(&self, stage: PostHogStage) -> Option<&StageMapping> {
        self.stages.iter().find(|mapped| mapped.stage == stage)
    }
}
