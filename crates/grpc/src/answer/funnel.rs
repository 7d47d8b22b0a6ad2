//! The funnel: its stages over all days, and each day.

use std::collections::{BTreeMap, BTreeSet};

use domain::funnel::{Feed, FunnelCount, FunnelDay, FunnelFlag};
use domain::{EventName, Mapping, PostHogStage};

use super::completeness::DayVerdicts;
use super::stage::stage;
use super::time::date;
use crate::proto::v1;

/// The days, and of each stage what holds for all of them together.
pub(crate) fn funnel(
    days: Vec<FunnelDay>,
    mapping: &Mapping,
    renamed: &BTreeMap<PostHogStage, EventName>,
    verdicts: &DayVerdicts,
) -> (Vec<v1::FunnelStageSummary>, Vec<v1::FunnelDay>) {
    let stages = summaries(&days, mapping, renamed);
    let days = days.into_iter().map(|day| v1::FunnelDay {
        day: Some(date(day.day)),
        completeness: verdicts.of(day.day).into(),
        stages: day.stages.into_iter().map(count).collect(),
    });
    (stages, days.collect())
}

fn summaries(
    days: &[FunnelDay],
    mapping: &Mapping,
    renamed: &BTreeMap<PostHogStage, EventName>,
) -> Vec<v1::FunnelStageSummary> {
    let Some(first) = days.first() else {
        return Vec::new();
    };
    first
        .stages
        .iter()
        .enumerate()
        .map(|(place, cell)| {
            let flags: BTreeSet<FunnelFlag> = days
                .iter()
                .flat_map(|day| day.stages[place].flags.iter().copied())
                .collect();
            let mapped = mapping
                .stages
                .iter()
                .find(|mapped| cell.stage == mapped.stage.into());
            let mut events: Vec<String> = Vec::new();
            for rule in mapped.iter().flat_map(|mapped| &mapped.rules) {
                // One name may have several rules, for several paths.
                if !events.iter().any(|name| name == rule.name.as_str()) {
                    events.push(rule.name.as_str().to_owned());
                }
            }
            let mut flags: Vec<i32> = flags.into_iter().map(|it| flag(it).into()).collect();
            let renamed_to = mapped.and_then(|mapped| renamed.get(&mapped.stage));
            if renamed_to.is_some() {
                flags.push(v1::StageFlag::MaybeRenamed.into());
            }
            v1::FunnelStageSummary {
                stage: stage(cell.stage).into(),
                source: source(cell.feed).into(),
                flags,
                events,
                maybe_renamed_to: renamed_to.map(ToString::to_string).unwrap_or_default(),
            }
        })
        .collect()
}

fn count(cell: FunnelCount) -> v1::FunnelCount {
    v1::FunnelCount {
        stage: stage(cell.stage).into(),
        source: source(cell.feed).into(),
        event_count: cell.events,
        counted_events: cell
            .counted
            .iter()
            .map(|name| name.as_str().to_owned())
            .collect(),
        flags: cell.flags.into_iter().map(|it| flag(it).into()).collect(),
    }
}

fn source(feed: Feed) -> v1::StageSource {
    match feed {
        Feed::PostHog => v1::StageSource::Posthog,
        Feed::Shopify => v1::StageSource::Shopify,
    }
}

fn flag(flag: FunnelFlag) -> v1::StageFlag {
    match flag {
        FunnelFlag::DoubleTracked => v1::StageFlag::DoubleTracked,
        FunnelFlag::NotMapped => v1::StageFlag::NotMapped,
    }
}
