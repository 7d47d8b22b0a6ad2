//! From what a merchant wrote and what a project has to the mapping in force.

mod defaults;
mod suggest;

use self::defaults::Defaults;
pub(super) use self::defaults::canonical;
pub use self::suggest::mapped_reason;
pub(super) use self::suggest::{open, suggest};
use super::{CheckoutSource, Mapping, MappingSpec, StageMapping, StageSource};
use crate::event::EventName;
use crate::page_path::PathPattern;
use crate::stage::PostHogStage;

/// The days, today among them, whose events decide what is suggested.
pub const SUGGESTION_DAYS: i32 = 30;

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
    /// Where the page must be; any page when absent.
    pub url_path: Option<PathPattern>,
    /// Why, as a clause: "its name means Product viewed".
    pub reason: String,
    /// How many events of the last 30 days carry the name, on such a page.
    pub events: u64,
}

/// The outcome of [`resolve`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// What is in force.
    pub mapping: Mapping,
    /// One sentence for each name that an override took from another stage's default, and one
    /// where events were written for a stage that Shopify feeds.
    pub notes: Vec<String>,
}

/// The mapping in force for a connection whose project has `known` events and, in the last
/// 30 days, `$pageview`s on product pages or not.
///
/// A stage that is absent from `spec` gets its canonical name if the project has events of it
/// (`$pageview` on `/products/*`, `product added to cart`, `checkout started`), else every name with
/// events that [`crate::recogniser::recognise`] takes for the stage, else the canonical name, so
/// that a project without events works once they come. Names that `spec` gives to one stage are
/// no other stage's default, and a name that means an order is nobody's.
pub fn resolve(spec: &MappingSpec, known: &[KnownEvent], product_pageviews: bool) -> Resolution {
    let defaults = Defaults {
        spec,
        known,
        product_pageviews,
    };
    let mut notes = Vec::new();
    let stages = PostHogStage::ALL
        .into_iter()
        .map(|stage| {
            let written = spec.stages().iter().find(|other| other.stage == stage);
            let shopify = stage == PostHogStage::CheckoutStarted
                && spec.checkout_source() == CheckoutSource::Shopify;
            let (source, rules) = match written {
                _ if shopify => {
                    notes.extend(written.map(|_| ignored(stage)));
                    (StageSource::Shopify, Vec::new())
                }
                Some(written) => (StageSource::Override, written.rules.clone()),
                None => {
                    notes.extend(
                        defaults
                            .taken(stage)
                            .map(|(name, by)| taken(&name, stage, by)),
                    );
                    (StageSource::Default, defaults.rules(stage))
                }
            };
            StageMapping {
                stage,
                source,
                rules,
            }
        })
        .collect();
    let mapping = Mapping {
        stages,
        checkout_source: spec.checkout_source(),
    };
    Resolution { mapping, notes }
}

fn taken(name: &EventName, stage: PostHogStage, by: PostHogStage) -> String {
    format!(
        "mapping.{} names {:?}, so it is not counted for {} by default.",
        by.field(),
        name.as_str(),
        stage.field()
    )
}

fn ignored(stage: PostHogStage) -> String {
    let field = stage.field();
    format!("mapping.{field}.events is not counted, for mapping.{field}.source is Shopify.")
}

#[cfg(test)]
mod tests;
