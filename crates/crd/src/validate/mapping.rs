//! `spec.mapping` under the domain's rules, each refusal put at the entry that causes it.

use domain::mapping::{
    CheckoutSource as DomainSource, MappingError, MappingSpec, StageRule, StageSpec,
};
use domain::page_path::PathPattern;
use domain::{EventName, PostHogStage};

use super::Problems;
use crate::mapping::{CheckoutSource, Mapping, ORDER_COMPLETED_REFUSED, StageEvent};

/// A stage's rules with the index at which each is written.
struct WrittenStage {
    stage: PostHogStage,
    rules: Vec<(usize, StageRule)>,
}

pub(super) fn mapping(problems: &mut Problems, written: Option<&Mapping>) -> Option<MappingSpec> {
    let Some(written) = written else {
        return Some(MappingSpec::default());
    };
    let before = problems.0.len();
    let mut stages = Vec::new();
    for (stage, events) in [
        (
            PostHogStage::ProductViewed,
            written.product_viewed.as_ref().map(|stage| &stage.events),
        ),
        (
            PostHogStage::AddedToCart,
            written.added_to_cart.as_ref().map(|stage| &stage.events),
        ),
        (
            PostHogStage::CheckoutStarted,
            written
                .checkout_started
                .as_ref()
                .and_then(|stage| stage.events.as_ref()),
        ),
    ] {
        if let Some(events) = events {
            stages.extend(read_stage(problems, stage, events));
        }
    }
    if written.order_completed.is_some() {
        problems.add("spec.mapping.orderCompleted", ORDER_COMPLETED_REFUSED);
    }
    let source = match written.checkout_started.as_ref().map(|stage| stage.source) {
        None | Some(CheckoutSource::Auto) => DomainSource::Auto,
        Some(CheckoutSource::PostHog) => DomainSource::PostHog,
        Some(CheckoutSource::Shopify) => DomainSource::Shopify,
    };
    let spec = accepted(problems, stages, source);
    (problems.0.len() == before).then_some(spec)
}

/// The rules whose patterns can be read; nothing when that leaves none.
fn read_stage(
    problems: &mut Problems,
    stage: PostHogStage,
    events: &[StageEvent],
) -> Option<WrittenStage> {
    let mut rules = Vec::new();
    for (index, event) in events.iter().enumerate() {
        let url_path = match event.url_path.as_str() {
            "" => None,
            pattern => {
                let path = format!("spec.mapping.{}.events[{index}].urlPath", stage.field());
                match problems.take(&path, PathPattern::parse(pattern)) {
                    None => continue,
                    pattern => pattern,
                }
            }
        };
        let name = EventName::new(event.name.as_str());
        rules.push((index, StageRule { name, url_path }));
    }
    (!rules.is_empty() || events.is_empty()).then_some(WrittenStage { stage, rules })
}

/// The domain names one refusal at a time: what it refuses is noted and taken out until it
/// accepts the rest, so that all refusals are told at once.
fn accepted(
    problems: &mut Problems,
    mut stages: Vec<WrittenStage>,
    source: DomainSource,
) -> MappingSpec {
    loop {
        let specs = stages
            .iter()
            .map(|written| StageSpec {
                stage: written.stage,
                rules: written.rules.iter().map(|(_, rule)| rule.clone()).collect(),
            })
            .collect();
        let error = match MappingSpec::new(specs, source) {
            Ok(spec) => return spec,
            Err(error) => error,
        };
        let field = match &error {
            MappingError::ClaimedTwice { second, .. } => second,
            MappingError::ListedTwice { field, .. }
            | MappingError::OrderLike { field, .. }
            | MappingError::NameLength { field, .. }
            | MappingError::RuleCount { field, .. } => field,
        };
        let Some(at) = stages
            .iter()
            .position(|written| written.stage.field() == *field)
        else {
            problems.add("spec.mapping", error);
            return MappingSpec::default();
        };
        let stage = &mut stages[at];
        let path = format!("spec.mapping.{field}.events");
        match refused_rule(stage, &error) {
            Some(rule) => {
                let (index, _) = stage.rules.remove(rule);
                problems.add(format!("{path}[{index}].name"), error);
                if stage.rules.is_empty() {
                    stages.remove(at);
                }
            }
            None => {
                problems.add(path, error);
                stages.remove(at);
            }
        }
    }
}

/// The place of the rule that a refusal is about; none when it is about the whole stage.
fn refused_rule(stage: &WrittenStage, error: &MappingError) -> Option<usize> {
    let named = |wanted: &String| {
        stage
            .rules
            .iter()
            .position(|(_, rule)| rule.name.as_str() == wanted)
    };
    match error {
        MappingError::ClaimedTwice { name, .. } | MappingError::OrderLike { name, .. } => {
            named(name)
        }
        MappingError::ListedTwice { name, .. } => (0..stage.rules.len()).find(|&at| {
            let rule = &stage.rules[at].1;
            rule.name.as_str() == name && stage.rules[..at].iter().any(|(_, other)| other == rule)
        }),
        MappingError::NameLength { length, .. } => stage
            .rules
            .iter()
            .position(|(_, rule)| rule.name.as_str().chars().count() == *length),
        MappingError::RuleCount { .. } => None,
    }
}
