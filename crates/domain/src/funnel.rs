//! The funnel as it is answered: event counts by day and stage. No rates and no visitors, and no
//! number where Shopify has it.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::event::EventName;
use crate::mapping::{CheckoutSource, Mapping, StageMapping, StageSource};
use crate::stage::{FunnelStage, PostHogStage};
use crate::storage::DailyStageCount;

/// How many days, today among them, decide whether PostHog feeds Checkout started under Auto.
pub const CHECKOUT_LOOK_BACK_DAYS: i32 = 30;

/// Who counts a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Feed {
    /// PostHog's mapped events, counted here.
    PostHog,
    /// Shopify: there is no number here.
    Shopify,
}

/// What to know before trusting a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FunnelFlag {
    /// Two names of a default stage were sent on this day, so that one action may be two events:
    /// the larger counts.
    DoubleTracked,
    /// Nothing is mapped to the stage, so there is no number.
    NotMapped,
}

/// The events of one stage on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunnelCount {
    /// The stage.
    pub stage: FunnelStage,
    /// Who counts it.
    pub feed: Feed,
    /// Distinct events. Absent, never 0, where Shopify counts or nothing is mapped.
    pub events: Option<u64>,
    /// The names that `events` is of; empty on a day without events.
    pub counted: Vec<EventName>,
    /// What to know of the number.
    pub flags: Vec<FunnelFlag>,
}

/// One day of the funnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunnelDay {
    /// The day in the epoch's time zone.
    pub day: Date,
    /// One entry a stage, in funnel order; Order completed last, always Shopify's.
    pub stages: [FunnelCount; 4],
}

/// Who feeds Checkout started: as the merchant chose, and under Auto PostHog if `recent`, the
/// counts of the last [`CHECKOUT_LOOK_BACK_DAYS`] days (whatever days are asked for), has any event
/// of it.
pub fn checkout_feed(mapping: &Mapping, recent: &[DailyStageCount]) -> Feed {
    let seen = || {
        recent
            .iter()
            .any(|count| count.stage == PostHogStage::CheckoutStarted && count.events > 0)
    };
    match mapping.checkout_source {
        CheckoutSource::PostHog => Feed::PostHog,
        CheckoutSource::Auto if seen() => Feed::PostHog,
        CheckoutSource::Auto | CheckoutSource::Shopify => Feed::Shopify,
    }
}

/// The funnel on each of `days`, in their order, from the `counts` of those days (others are
/// ignored). Names that the merchant chose are added up, for each event has one name; of names
/// chosen by default the larger count is taken on each day, so that double tracking does not
/// count twice and a switch from one name to another is followed.
pub fn funnel(
    mapping: &Mapping,
    counts: &[DailyStageCount],
    checkout: Feed,
    days: impl IntoIterator<Item = Date>,
) -> Vec<FunnelDay> {
    let mut by_cell: BTreeMap<(Date, PostHogStage), Vec<&DailyStageCount>> = BTreeMap::new();
    for count in counts.iter().filter(|count| count.events > 0) {
        by_cell
            .entry((count.day, count.stage))
            .or_default()
            .push(count);
    }
    let feed = |stage| match stage {
        PostHogStage::CheckoutStarted => checkout,
        _ => Feed::PostHog,
    };
    days.into_iter()
        .map(|day| {
            let cell = |stage| {
                let counts = by_cell.get(&(day, stage)).map_or(&[][..], Vec::as_slice);
                stage_count(stage, mapping.stage(stage), feed(stage), counts)
            };
            FunnelDay {
                day,
                stages: [
                    cell(PostHogStage::ProductViewed),
                    cell(PostHogStage::AddedToCart),
                    cell(PostHogStage::CheckoutStarted),
                    shopifys(FunnelStage::OrderCompleted),
                ],
            }
        })
        .collect()
}

fn stage_count(
    stage: PostHogStage,
    mapped: Option<&StageMapping>,
    feed: Feed,
    counts: &[&DailyStageCount],
) -> FunnelCount {
    let none = shopifys(stage.into());
    let mapped = match (feed, mapped) {
        (Feed::Shopify, _) => return none,
        (Feed::PostHog, Some(mapped)) if !mapped.rules.is_empty() => mapped,
        (Feed::PostHog, _) => {
            return FunnelCount {
                feed,
                flags: vec![FunnelFlag::NotMapped],
                ..none
            };
        }
    };
    let (counted, flags) = match (mapped.source, larger(counts)) {
        (StageSource::Default, Some(larger)) if counts.len() > 1 => {
            (vec![larger], vec![FunnelFlag::DoubleTracked])
        }
        _ => (counts.to_vec(), Vec::new()),
    };
    FunnelCount {
        stage: stage.into(),
        feed,
        events: Some(counted.iter().map(|count| count.events).sum()),
        counted: counted.iter().map(|count| count.name.clone()).collect(),
        flags,
    }
}

/// The largest count; of equal ones the first by name, so that the answer is the same each time.
fn larger<'a>(counts: &[&'a DailyStageCount]) -> Option<&'a DailyStageCount> {
    counts
        .iter()
        .copied()
        .max_by(|a, b| (a.events, &b.name).cmp(&(b.events, &a.name)))
}

fn shopifys(stage: FunnelStage) -> FunnelCount {
    FunnelCount {
        stage,
        feed: Feed::Shopify,
        events: None,
        counted: Vec::new(),
        flags: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
