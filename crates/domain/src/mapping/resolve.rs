//! From what a merchant wrote and what a project has to the mapping in force.

use super::{Mapping, MappingSpec};
use crate::event::EventName;
use crate::stage::PostHogStage;

/// An event name that a project has, with what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownEvent {
    /// The name.
    pub name: EventName,
    /// How many events of the last 30 days carry it; 0 when only its definition exists.
    pub events: u64,
}

/// An event that could feed a stage but does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// The stage it could feed.
    pub stage: PostHogStage,
    /// The event's name.
    pub name: EventName,
    /// Why, as a clause: "its name means Product viewed".
    pub reason: String,
}

/// The outcome of [`resolve`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// What is in force.
    pub mapping: Mapping,
    /// What was recognised but is not in force.
    pub suggestions: Vec<Suggestion>,
    /// One sentence for each name that an override took from another stage's default.
    pub notes: Vec<String>,
}

/// The mapping in force for a connection whose project has `known` events and, in the last
/// 30 days, `$pageview`s on product pages or not.
pub fn resolve(spec: &MappingSpec, known: &[KnownEvent], product_pageviews: bool) -> Resolution {
    let _ = (spec, known, product_pageviews);
    Resolution {
        mapping: Mapping {
            stages: Vec::new(),
            checkout_source: spec.checkout_source(),
        },
        suggestions: Vec::new(),
        notes: Vec::new(),
    }
}
