//! What merging must come to, done without cleverness.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::identity::{IdentityFact, facts_of};

/// A store of no cleverness: it does as the deltas say and nothing else.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Naive {
    pub(super) rows: BTreeMap<Uuid, (Event, Option<PostHogStage>)>,
    events: BTreeMap<(Date, EventName), i64>,
    stages: BTreeMap<(Date, PostHogStage, EventName), i64>,
    facts: BTreeMap<IdentityFact, i64>,
}

impl Naive {
    pub(super) fn stored(&self) -> Vec<StoredRow> {
        self.rows
            .values()
            .map(|(event, stage)| StoredRow {
                uuid: event.uuid,
                created_at: event.created_at,
                timestamp: event.timestamp,
                event: event.event.clone(),
                distinct_id: event.distinct_id.clone(),
                stage: *stage,
                id_properties: event.id_properties.clone(),
                anon_distinct_id: event.anon_distinct_id.clone(),
                alias: event.alias.clone(),
            })
            .collect()
    }

    pub(super) fn apply_deltas(&mut self, deltas: Deltas) {
        for EventDelta { day, name, delta } in deltas.events {
            *self.events.entry((day, name)).or_default() += delta;
        }
        for StageDelta {
            day,
            stage,
            name,
            delta,
        } in deltas.stages
        {
            *self.stages.entry((day, stage, name)).or_default() += delta;
        }
        for FactDelta { fact, delta, .. } in deltas.facts {
            *self.facts.entry(fact).or_default() += delta;
        }
        self.events.retain(|_, count| *count != 0);
        self.stages.retain(|_, count| *count != 0);
        self.facts.retain(|_, count| *count != 0);
    }

    pub(super) fn apply(&mut self, page: Vec<Event>, days: &DayEdges) -> PageOutcome {
        let (mapping, id_properties) = (mapping(), id_properties());
        let placement = Placement {
            mapping: &mapping,
            days,
            id_properties: &id_properties,
        };
        let merged = merge(&self.stored(), page, &placement, instant(24));
        for placed in &merged.inserts {
            assert!(!self.rows.contains_key(&placed.event.uuid));
        }
        for placed in &merged.replacements {
            assert!(self.rows.contains_key(&placed.event.uuid));
        }
        for placed in merged.inserts.into_iter().chain(merged.replacements) {
            self.rows
                .insert(placed.event.uuid, (placed.event, placed.stage));
        }
        self.apply_deltas(merged.deltas);
        merged.outcome
    }

    /// What the rows come to when everything is counted from scratch.
    pub(super) fn recount(rows: &[Event]) -> Self {
        let zone = time_zone("Europe/Berlin").unwrap();
        let mut naive = Self::default();
        for uuid in rows.iter().map(|row| row.uuid).collect::<BTreeSet<_>>() {
            let winner = rows
                .iter()
                .filter(|row| row.uuid == uuid)
                .max_by_key(|row| row.precedence())
                .unwrap();
            let day = day_of(winner.timestamp, &zone);
            let stage = mapping().stage_of(winner.event.as_str(), None);
            let name = winner.event.clone();
            *naive.events.entry((day, name.clone())).or_default() += 1;
            if let Some(stage) = stage {
                *naive.stages.entry((day, stage, name)).or_default() += 1;
            }
            for fact in facts_of(winner.into(), &id_properties()) {
                *naive.facts.entry(fact).or_default() += 1;
            }
            naive.rows.insert(uuid, (winner.clone(), stage));
        }
        naive
    }
}
