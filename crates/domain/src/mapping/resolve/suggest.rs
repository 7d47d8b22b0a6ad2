//! What a project has that could feed a stage and does not.

use std::collections::BTreeMap;

use super::defaults::canonical;
use super::{KnownEvent, Suggestion};
use crate::event::EventName;
use crate::mapping::{Mapping, StageMapping, StageSource};
use crate::recogniser::{Meaning, recognise};
use crate::stage::PostHogStage;

/// Recognised names that `mapping` has nowhere, by stage and name; none for a stage that Shopify feeds.
/// Of `$pageview`, whose name alone means nothing, there are `product_pageviews` on product pages
/// ([`crate::mapping::suggestions`]). A suggestion changes nothing: only the merchant's spec does.
pub(in crate::mapping) fn suggest(
    mapping: &Mapping,
    known: &[KnownEvent],
    product_pageviews: u64,
) -> Vec<Suggestion> {
    let mut found: BTreeMap<(PostHogStage, &EventName), u64> = BTreeMap::new();
    for event in known {
        if let Some(stage) = recognise(event.name.as_str()).and_then(Meaning::stage) {
            *found.entry((stage, &event.name)).or_default() += event.events;
        }
    }
    let pageview = canonical(PostHogStage::ProductViewed);
    let pages = pageview.url_path.as_ref().map_or("", |path| path.as_str());
    let mut suggestions = Vec::new();
    if product_pageviews > 0 && open(mapping, PostHogStage::ProductViewed, &pageview.name).is_some()
    {
        suggestions.push(Suggestion {
            stage: PostHogStage::ProductViewed,
            reason: format!("it was seen on {pages} in the last 30 days"),
            events: product_pageviews,
            name: pageview.name,
            url_path: pageview.url_path,
        });
    }
    for ((stage, name), events) in found {
        if let Some(mapped) = open(mapping, stage, name) {
            suggestions.push(Suggestion {
                stage,
                name: name.clone(),
                url_path: None,
                reason: reason(mapped, events),
                events,
            });
        }
    }
    suggestions
}

/// What feeds `stage` now, where `name` could too: PostHog feeds it and no rule names it.
pub(in crate::mapping) fn open<'a>(
    mapping: &'a Mapping,
    stage: PostHogStage,
    name: &EventName,
) -> Option<&'a StageMapping> {
    let mapped = mapping.stage(stage);
    mapped.filter(|mapped| {
        mapped.source != StageSource::Shopify && mapping.names().all(|named| named != name)
    })
}

/// Why `name` feeds a stage, as a clause; nothing when it feeds none.
pub fn mapped_reason(mapping: &Mapping, name: &str) -> Option<String> {
    let names = |mapped: &&StageMapping| mapped.rules.iter().any(|rule| rule.name.as_str() == name);
    let mapped = mapping.stages.iter().find(names)?;
    let title = title(mapped.stage);
    Some(match mapped.source {
        StageSource::Override => format!("mapping.{} names it", mapped.stage.field()),
        _ if canonical(mapped.stage).name.as_str() == name => {
            format!("{title} has this name by default")
        }
        _ => format!(
            "its name means {title}, and mapping.{} is not written",
            mapped.stage.field()
        ),
    })
}

fn reason(mapped: &StageMapping, events: u64) -> String {
    let title = title(mapped.stage);
    let field = mapped.stage.field();
    if events == 0 {
        return format!("its name means {title}, though none was seen in the last 30 days");
    }
    match (mapped.source, &mapped.rules[..]) {
        (StageSource::Override, _) => {
            format!("its name means {title}, but mapping.{field} does not name it")
        }
        (_, []) => format!("its name means {title}"),
        (_, [first, ..]) => {
            format!(
                "its name means {title}, which {:?} feeds",
                first.name.as_str()
            )
        }
    }
}

fn title(stage: PostHogStage) -> &'static str {
    match stage {
        PostHogStage::ProductViewed => "Product viewed",
        PostHogStage::AddedToCart => "Added to cart",
        PostHogStage::CheckoutStarted => "Checkout started",
    }
}
