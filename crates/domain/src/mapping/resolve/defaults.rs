//! What feeds a stage of which the merchant wrote nothing.

use std::collections::BTreeMap;

use super::KnownEvent;
use crate::event::EventName;
use crate::mapping::{MAX_NAME_LENGTH, MAX_RULES, MappingSpec, StageRule};
use crate::page_path::PathPattern;
use crate::recogniser::{Meaning, recognise};
use crate::stage::PostHogStage;

/// The pages whose `$pageview` is a product view.
const PRODUCT_PAGES: &str = "/products/*";
const PAGEVIEW: &str = "$pageview";

/// The name that a stage has in DESIGN.md's example, preferred over all others.
pub(in crate::mapping) fn canonical(stage: PostHogStage) -> StageRule {
    let (name, url_path) = match stage {
        PostHogStage::ProductViewed => (PAGEVIEW, PathPattern::parse(PRODUCT_PAGES).ok()),
        PostHogStage::AddedToCart => ("product added to cart", None),
        PostHogStage::CheckoutStarted => ("checkout started", None),
    };
    StageRule {
        name: EventName::from(name),
        url_path,
    }
}

/// What defaults are chosen from.
pub(super) struct Defaults<'a> {
    pub(super) spec: &'a MappingSpec,
    pub(super) known: &'a [KnownEvent],
    pub(super) product_pageviews: bool,
}

impl Defaults<'_> {
    /// The rules of `stage`; none when overrides took every name it could have.
    pub(super) fn rules(&self, stage: PostHogStage) -> Vec<StageRule> {
        self.choose(stage, |name| self.claimed_by(stage, name).is_none())
    }

    /// The names that `stage` would have had, each with the override that took it.
    pub(super) fn taken(
        &self,
        stage: PostHogStage,
    ) -> impl Iterator<Item = (EventName, PostHogStage)> {
        self.choose(stage, |_| true)
            .into_iter()
            .filter_map(move |rule| Some((self.claimed_by(stage, &rule.name)?, rule.name)))
            .map(|(by, name)| (name, by))
    }

    fn choose(&self, stage: PostHogStage, free: impl Fn(&EventName) -> bool) -> Vec<StageRule> {
        let canonical = Some(canonical(stage)).filter(|rule| free(&rule.name));
        if let Some(rule) = &canonical
            && self.is_seen(stage, &rule.name)
        {
            return vec![rule.clone()];
        }
        let recognised = self.recognised(stage, free);
        if recognised.is_empty() {
            canonical.into_iter().collect()
        } else {
            recognised
        }
    }

    fn is_seen(&self, stage: PostHogStage, canonical: &EventName) -> bool {
        match stage {
            PostHogStage::ProductViewed => self.product_pageviews,
            _ => self
                .known
                .iter()
                .any(|event| event.name == *canonical && event.events > 0),
        }
    }

    /// The names with events that mean `stage`, the most frequent first, as many as a stage may have.
    fn recognised(&self, stage: PostHogStage, free: impl Fn(&EventName) -> bool) -> Vec<StageRule> {
        let mut events: BTreeMap<&EventName, u64> = BTreeMap::new();
        for event in self.known {
            let name = event.name.as_str();
            if event.events > 0
                && recognise(name).and_then(Meaning::stage) == Some(stage)
                && name.chars().count() <= MAX_NAME_LENGTH
                && free(&event.name)
            {
                *events.entry(&event.name).or_default() += event.events;
            }
        }
        let mut names: Vec<_> = events.into_iter().collect();
        names.sort_by_key(|(_, events)| std::cmp::Reverse(*events));
        names
            .into_iter()
            .take(MAX_RULES)
            .map(|(name, _)| StageRule {
                name: name.clone(),
                url_path: None,
            })
            .collect()
    }

    /// The other stage to which the merchant gave `name`.
    fn claimed_by(&self, stage: PostHogStage, name: &EventName) -> Option<PostHogStage> {
        self.spec
            .stages()
            .iter()
            .find(|other| other.stage != stage && other.rules.iter().any(|rule| rule.name == *name))
            .map(|other| other.stage)
    }
}
