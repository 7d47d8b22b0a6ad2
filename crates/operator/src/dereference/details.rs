//! What status tells of stored events: counts by stage, double tracking, suggestions, completeness; and of
//! cohorts. Read once after each run, for nothing else changes it.

use std::collections::BTreeMap;

use crd::PostHogConnection;
use domain::cohorts::{CohortsStanding, standing_of};
use domain::event::EventName;
use domain::funnel::{CHECKOUT_LOOK_BACK_DAYS, Feed, FunnelFlag, checkout_feed, funnel};
use domain::mapping::{
    Mapping, OrderEvidence, SILENT_DAYS, SUGGESTION_DAYS, Suggestion, candidates, evidence_since,
    known_since, renamed_since, suggestions,
};
use domain::stage::PostHogStage;
use domain::storage::{ConnectionRecord, DailyStageCount, DayVerdict, Store, StoreError};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use sync::Outlook;

/// What status tells of stored events and cohorts.
pub(crate) struct Details {
    /// The mapping in force.
    pub(crate) mapping: Mapping,
    /// Who feeds Checkout started.
    pub(crate) checkout: Feed,
    /// Events of each stage in the last 7 days.
    pub(crate) seen: BTreeMap<PostHogStage, u64>,
    /// Stages of which two names were sent on one of these days.
    pub(crate) double_tracked: Vec<PostHogStage>,
    /// Events that could feed a stage but do not.
    pub(crate) suggestions: Vec<Suggestion>,
    /// What stored events say for the most frequent of these, the most frequent first.
    pub(crate) evidence: Vec<(EventName, OrderEvidence)>,
    /// Stages whose event may have been renamed, with the name that may have taken its place.
    pub(crate) renamed: BTreeMap<PostHogStage, EventName>,
    /// What was proven of the days that are still counted.
    pub(crate) verdicts: Vec<DayVerdict>,
    /// How cohorts stood after the last complete run.
    pub(crate) cohorts: CohortsStanding,
    /// Events of the 24 hours before the last complete run began; absent before there is one. Not of
    /// those before now: read again, it is the same until a run has stored others.
    pub(crate) last_day: Option<u64>,
}

/// Whether a run has ended, or the mapping has changed, since status told of it.
pub(crate) fn are_due(connection: &PostHogConnection, outlook: &Outlook) -> bool {
    let status = connection.status.as_ref();
    let told = status.and_then(|status| Some(status.last_sync.as_ref()?.completion_time));
    let ended = outlook.last.as_ref().and_then(|last| last.ended_at);
    let is_mapping_told = status.is_some_and(|status| !status.mapping.is_empty());
    let is_changed = status.is_some_and(|status| {
        status.observed_generation != connection.metadata.generation
            || status.conditions.iter().any(|condition| {
                condition.kind == crd::RECONCILING && condition.reason == crd::reasons::REMAPPING
            })
    });
    (ended.is_some() && told != ended) || !is_mapping_told || is_changed
}

/// Reads it; nothing before the first run.
pub(crate) async fn read(
    store: &dyn Store,
    record: Option<&ConnectionRecord>,
    outlook: &Outlook,
    now: Timestamp,
) -> Result<Option<Details>, StoreError> {
    let Some(epoch) = outlook.epoch.as_ref() else {
        return Ok(None);
    };
    let (Some(in_force), Some(zone)) = (&epoch.mapping, &epoch.time_zone) else {
        return Ok(None);
    };
    let Ok(zone) = domain::day::time_zone(zone) else {
        return Ok(None);
    };
    let tomorrow = later(domain::day::day_of(now, &zone), 1);
    let month_ago = later(tomorrow, -CHECKOUT_LOOK_BACK_DAYS.max(SUGGESTION_DAYS));
    let counts = store
        .daily_stage_counts(epoch.id, month_ago, tomorrow)
        .await?;
    let names = store
        .daily_event_counts(epoch.id, month_ago, tomorrow, &[])
        .await?;
    let checkout = checkout_feed(in_force, &counts);
    let week_ago = later(tomorrow, -SILENT_DAYS);
    let start_of = |day: Date| domain::day::day_bounds(day, &zone).0;
    let known = known_since(&names, month_ago);
    let since = start_of(month_ago);
    let suggestions = suggestions(store, epoch.id, in_force, &known, since).await?;
    let asked = candidates(&suggestions);
    let evidence = store
        .order_evidence(epoch.id, &asked, evidence_since(now))
        .await?;
    let names_asked = asked.into_iter().map(|it| it.rule.name);
    let week: Vec<DailyStageCount> = counts
        .iter()
        .filter(|count| count.day >= week_ago)
        .cloned()
        .collect();
    let last_day = match &outlook.last {
        Some(run) => {
            let until = run.window.to;
            let since = until - SignedDuration::from_hours(24);
            Some(store.count_events(epoch.id, since, until).await?)
        }
        None => None,
    };
    let cohorts = match &outlook.last {
        Some(run) => standing_of(store, epoch.id, run.started_at).await?,
        None => CohortsStanding::default(),
    };
    let counted_from = record.map_or(Date::MIN, |record| record.counted_from(&epoch.epoch, now));
    let seen = seen(&week);
    let lately = known_since(&names, week_ago);
    let since = start_of(week_ago);
    let renamed = renamed_since(store, epoch.id, in_force, &lately, &seen, since).await?;
    Ok(Some(Details {
        last_day,
        cohorts,
        checkout,
        renamed,
        seen,
        double_tracked: double_tracked(in_force, &week, checkout, week_ago, tomorrow),
        suggestions,
        evidence: names_asked.zip(evidence).collect(),
        verdicts: store.verdicts(epoch.id, counted_from, Date::MAX).await?,
        mapping: in_force.clone(),
    }))
}

fn later(day: Date, days: i32) -> Date {
    day.checked_add(days.days()).unwrap_or(day)
}

fn seen(week: &[DailyStageCount]) -> BTreeMap<PostHogStage, u64> {
    let mut seen = BTreeMap::new();
    for count in week {
        *seen.entry(count.stage).or_default() += count.events;
    }
    seen
}

fn double_tracked(
    mapping: &Mapping,
    week: &[DailyStageCount],
    checkout: Feed,
    from: Date,
    to: Date,
) -> Vec<PostHogStage> {
    let days = from.series(1.day()).take_while(|day| *day < to);
    let days = funnel(mapping, week, checkout, days);
    PostHogStage::ALL
        .into_iter()
        .filter(|stage| {
            days.iter().flat_map(|day| &day.stages).any(|count| {
                count.stage == (*stage).into() && count.flags.contains(&FunnelFlag::DoubleTracked)
            })
        })
        .collect()
}
