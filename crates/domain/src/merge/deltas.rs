//! By how much the daily counts and the identity facts move when rows come and go.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;

use super::fact_deltas::{FactDelta, Facts};
use super::{PlacedEvent, StoredRow};
use crate::clickmap::{is_click_event, touched_days};
use crate::day::DayEdges;
use crate::event::EventName;
use crate::identity::{IdProperty, facts_of};
use crate::stage::PostHogStage;

/// Every move of a count or fact; what moves by nothing is not listed. Lists are sorted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deltas {
    /// Per (day, name).
    pub events: Vec<EventDelta>,
    /// Per (day, stage, name).
    pub stages: Vec<StageDelta>,
    /// Per identity fact.
    pub facts: Vec<FactDelta>,
    /// The days whose clickmaps must be made anew, for clicks came, went or changed.
    pub clickmap_days: Vec<Date>,
}

/// A move of the count of one name on one day.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventDelta {
    /// The day in the epoch's time zone.
    pub day: Date,
    /// The name.
    pub name: EventName,
    /// To add; never 0.
    pub delta: i64,
}

/// A move of the count of one stage and name on one day.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StageDelta {
    /// The day in the epoch's time zone.
    pub day: Date,
    /// The stage.
    pub stage: PostHogStage,
    /// The name.
    pub name: EventName,
    /// To add; never 0.
    pub delta: i64,
}

/// A row as far as it is counted.
struct Counted<'a> {
    day: Date,
    stage: Option<PostHogStage>,
    name: &'a EventName,
    sign: i64,
}

impl Deltas {
    /// What removing `rows` moves: for deletions and expiry.
    pub fn of_removal<'a>(
        rows: impl IntoIterator<Item = &'a StoredRow>,
        days: &DayEdges,
        id_properties: &[IdProperty],
    ) -> Self {
        Self::between(rows, [], days, id_properties)
    }

    /// What taking some rows out and putting events in their place moves.
    pub fn between<'a>(
        taken_out: impl IntoIterator<Item = &'a StoredRow>,
        put_in: impl IntoIterator<Item = &'a PlacedEvent>,
        days: &DayEdges,
        id_properties: &[IdProperty],
    ) -> Self {
        let mut counted = Vec::new();
        let mut facts = Facts::default();
        let mut clicked = BTreeSet::new();
        for row in taken_out {
            note_click(&mut clicked, &row.event, row.timestamp, days);
            counted.push(Counted {
                day: days.day_of(row.timestamp),
                stage: row.stage,
                name: &row.event,
                sign: -1,
            });
            for fact in facts_of(row.carried(), id_properties) {
                facts.count(fact, row.timestamp, -1);
            }
        }
        for PlacedEvent { event, day, stage } in put_in {
            note_click(&mut clicked, &event.event, event.timestamp, days);
            counted.push(Counted {
                day: *day,
                stage: *stage,
                name: &event.event,
                sign: 1,
            });
            for fact in facts_of(event.into(), id_properties) {
                facts.count(fact, event.timestamp, 1);
            }
        }
        Self {
            events: event_deltas(&mut counted),
            stages: stage_deltas(counted),
            facts: facts.into_deltas(),
            clickmap_days: clicked.into_iter().collect(),
        }
    }

    /// What moving rows to another stage, or to none, moves: for a change of mapping. Only
    /// `stages` is ever filled.
    pub fn of_restaging<'a>(
        rows: impl IntoIterator<
            Item = (
                &'a EventName,
                Timestamp,
                Option<PostHogStage>,
                Option<PostHogStage>,
            ),
        >,
        days: &DayEdges,
    ) -> Self {
        let mut counted = Vec::new();
        for (name, timestamp, before, after) in rows {
            let day = days.day_of(timestamp);
            for (stage, sign) in [(before, -1), (after, 1)] {
                counted.push(Counted {
                    day,
                    stage,
                    name,
                    sign,
                });
            }
        }
        Self {
            stages: stage_deltas(counted),
            ..Self::default()
        }
    }

    /// Whether nothing moves.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
            && self.stages.is_empty()
            && self.facts.is_empty()
            && self.clickmap_days.is_empty()
    }
}

fn note_click(clicked: &mut BTreeSet<Date>, name: &EventName, at: Timestamp, days: &DayEdges) {
    if is_click_event(name) {
        let (mut day, last) = touched_days(at, days).into_inner();
        clicked.insert(day);
        while day < last {
            let Ok(next) = day.tomorrow() else { return };
            day = next;
            clicked.insert(day);
        }
    }
}

fn event_deltas(counted: &mut [Counted<'_>]) -> Vec<EventDelta> {
    counted.sort_unstable_by_key(|row| (row.day, row.name));
    counted
        .chunk_by(|a, b| (a.day, a.name) == (b.day, b.name))
        .map(|same| EventDelta {
            day: same[0].day,
            name: same[0].name.clone(),
            delta: same.iter().map(|row| row.sign).sum(),
        })
        .filter(|delta| delta.delta != 0)
        .collect()
}

fn stage_deltas(mut counted: Vec<Counted<'_>>) -> Vec<StageDelta> {
    counted.retain(|row| row.stage.is_some());
    counted.sort_unstable_by_key(|row| (row.day, row.stage, row.name));
    counted
        .chunk_by(|a, b| (a.day, a.stage, a.name) == (b.day, b.stage, b.name))
        .filter_map(|same| {
            Some(StageDelta {
                day: same[0].day,
                stage: same[0].stage?,
                name: same[0].name.clone(),
                delta: same.iter().map(|row| row.sign).sum(),
            })
        })
        .filter(|delta| delta.delta != 0)
        .collect()
}
