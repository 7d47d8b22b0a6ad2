//! What status tells of stored events: the mapping in force by stage, and what was proven of the days.

use crd::{CompletenessStatus, EvidenceStatus, StageEventStatus, StageSource, StageStatus};
use domain::funnel::Feed;
use domain::mapping::{self, Suggestion};
use domain::stage::PostHogStage;

use super::signed;
use crate::dereference::Details;

/// Each stage, as it is fed now.
pub(super) fn stages(details: &Details) -> Vec<StageStatus> {
    let one = |stage: PostHogStage| {
        let mapped = details.mapping.stage(stage);
        let is_shopifys =
            stage == PostHogStage::CheckoutStarted && details.checkout == Feed::Shopify;
        let source = match mapped.map(|mapped| mapped.source) {
            _ if is_shopifys => StageSource::Shopify,
            Some(mapping::StageSource::Override) => StageSource::Override,
            Some(mapping::StageSource::Shopify) => StageSource::Shopify,
            Some(mapping::StageSource::Default) | None => StageSource::Default,
        };
        let rules = mapped.into_iter().flat_map(|mapped| &mapped.rules);
        StageStatus {
            stage: stage.field().to_owned(),
            source,
            events: rules
                .map(|rule| StageEventStatus {
                    name: rule.name.as_str().to_owned(),
                    url_path: rule.url_path.as_ref().map(|path| path.as_str().to_owned()),
                })
                .collect(),
            seen_last7_days: (!is_shopifys)
                .then(|| signed(details.seen.get(&stage).copied().unwrap_or_default())),
            flags: flags(details, stage),
            suggestions: suggested(details, stage)
                .map(|suggestion| suggestion.name.to_string())
                .collect(),
            evidence: evidence(details, stage),
            maybe_renamed_to: details.renamed.get(&stage).map(ToString::to_string),
        }
    };
    PostHogStage::ALL.into_iter().map(one).collect()
}

fn flags(details: &Details, stage: PostHogStage) -> Vec<String> {
    let is_double = details.double_tracked.contains(&stage);
    let is_renamed = details.renamed.contains_key(&stage);
    [(is_double, "DoubleTracked"), (is_renamed, "MaybeRenamed")]
        .into_iter()
        .filter(|(holds, _)| *holds)
        .map(|(_, flag)| flag.to_owned())
        .collect()
}

fn suggested(details: &Details, stage: PostHogStage) -> impl Iterator<Item = &Suggestion> {
    let suggestions = details.suggestions.iter();
    suggestions.filter(move |suggestion| suggestion.stage == stage)
}

/// What speaks for the stage's suggestions, the most frequent first.
fn evidence(details: &Details, stage: PostHogStage) -> Vec<EvidenceStatus> {
    let found = details.evidence.iter().filter_map(|(name, evidence)| {
        let suggestion = suggested(details, stage).find(|it| it.name == *name)?;
        Some(EvidenceStatus {
            name: name.to_string(),
            reason: suggestion.reason.clone(),
            events: signed(suggestion.events),
            judged: signed(evidence.judged),
            in_order: signed(evidence.in_order),
        })
    });
    found.collect()
}

/// How many days are proven to be complete.
pub(super) fn completeness(details: &Details) -> CompletenessStatus {
    let sum = sync::Completeness::of(&details.verdicts);
    let count = |days: usize| i64::try_from(days).unwrap_or(i64::MAX);
    CompletenessStatus {
        verified_days: count(sum.verified),
        pending_days: count(sum.pending),
        mismatched_days: count(sum.mismatch),
        worst_day: sum.worst.map(|worst| worst.day.to_string()),
        worst_day_posthog_events: sum.worst.map(|worst| signed(worst.remote)),
        worst_day_stored_events: sum.worst.map(|worst| signed(worst.local)),
    }
}
