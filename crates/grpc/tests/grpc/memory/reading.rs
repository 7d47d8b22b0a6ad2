//! Events and links, found by looking at every one.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use domain::identity::{IdentityKey, IdentityLink};
use domain::mapping::{Candidate, OrderEvidence, StageRule};
use domain::storage::{
    Change, DailyEventCount, DailyStageCount, EventDefinition, EventFilter, EventKey, EventReader,
    EventRow, FactChanges, IdentityReader, LinkKey, PersonChange, Result,
};
use domain::{ConnectionId, EventName};
use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use super::{Memory, State};

fn passes(row: &EventRow, filter: &EventFilter) -> bool {
    let event = &row.event;
    filter.from.is_none_or(|from| event.timestamp >= from)
        && filter.to.is_none_or(|to| event.timestamp < to)
        && (filter.names.is_empty() || filter.names.contains(&event.event))
        && (filter.stages.is_empty() || row.stage.is_some_and(|it| filter.stages.contains(&it)))
        && (filter.distinct_ids.is_empty() || filter.distinct_ids.contains(&event.distinct_id))
        && filter.session_id.is_none() | (filter.session_id == event.session_id)
}

fn day(state: &State, connection: ConnectionId, at: Timestamp) -> Date {
    let zone = state.epochs[&connection].time_zone.clone().unwrap();
    domain::day::day_of(at, &domain::day::time_zone(&zone).unwrap())
}

#[async_trait]
impl EventReader for Memory {
    async fn each_event(
        &self,
        _: ConnectionId,
        filter: &EventFilter,
        after: Option<EventKey>,
        limit: usize,
        take: &mut (dyn for<'r> FnMut(EventRow<&'r str>) + Send),
    ) -> Result<()> {
        let rows = self.ask(|state| {
            let mut rows: Vec<EventRow> = state.events.values().cloned().collect();
            rows.sort_by_key(EventRow::key);
            if filter.newest_first {
                rows.reverse();
            }
            rows.retain(|row| {
                passes(row, filter)
                    && after.is_none_or(|after| {
                        if filter.newest_first {
                            row.key() < after
                        } else {
                            row.key() > after
                        }
                    })
            });
            rows.truncate(limit);
            rows
        });
        rows.await?.iter().map(EventRow::borrowed).for_each(take);
        Ok(())
    }

    async fn changes(&self, _: ConnectionId, seq: i64, limit: usize) -> Result<Vec<Change>> {
        self.ask(|state| state.changes_after(seq, limit)).await
    }

    async fn daily_event_counts(
        &self,
        connection: ConnectionId,
        from: Date,
        to: Date,
        names: &[EventName],
    ) -> Result<Vec<DailyEventCount>> {
        self.ask(|state| {
            let mut counts = BTreeMap::new();
            for row in state.events.values() {
                let day = day(state, connection, row.event.timestamp);
                let name = &row.event.event;
                if (from..to).contains(&day) && (names.is_empty() || names.contains(name)) {
                    *counts.entry((day, name.clone())).or_default() += 1;
                }
            }
            counts
                .into_iter()
                .map(|((day, name), events)| DailyEventCount { day, name, events })
                .collect()
        })
        .await
    }

    async fn daily_stage_counts(
        &self,
        connection: ConnectionId,
        from: Date,
        to: Date,
    ) -> Result<Vec<DailyStageCount>> {
        self.ask(|state| {
            let mut counts = BTreeMap::new();
            for row in state.events.values() {
                let day = day(state, connection, row.event.timestamp);
                if let Some(stage) = row.stage.filter(|_| (from..to).contains(&day)) {
                    let name = row.event.event.clone();
                    *counts.entry((day, stage, name)).or_default() += 1;
                }
            }
            counts
                .into_iter()
                .map(|((day, stage, name), events)| DailyStageCount {
                    day,
                    stage,
                    name,
                    events,
                })
                .collect()
        })
        .await
    }

    async fn count_events(&self, _: ConnectionId, from: Timestamp, to: Timestamp) -> Result<u64> {
        self.ask(|state| {
            let within = |row: &&EventRow| (from..to).contains(&row.event.timestamp);
            state.events.values().filter(within).count() as u64
        })
        .await
    }

    async fn count_taken(
        &self,
        _: ConnectionId,
        rule: &StageRule,
        since: Timestamp,
        newest: usize,
    ) -> Result<u64> {
        self.ask(|state| {
            let mut rows: Vec<&EventRow> = state.events.values().collect();
            rows.retain(|row| row.event.event == rule.name && row.event.timestamp >= since);
            rows.sort_by_key(|row| std::cmp::Reverse(row.key()));
            rows.truncate(newest);
            let taken = |row: &&&EventRow| rule.takes(row.event.path.as_deref());
            rows.iter().filter(taken).count() as u64
        })
        .await
    }

    async fn event_definitions(
        &self,
        _: ConnectionId,
        after: Option<&EventName>,
        limit: usize,
    ) -> Result<Vec<EventDefinition>> {
        self.ask(|state| {
            let mut found = state.definitions.clone();
            found.sort_by(|a, b| a.name.cmp(&b.name));
            found.retain(|definition| after.is_none_or(|after| definition.name > *after));
            found.truncate(limit);
            found
        })
        .await
    }

    async fn order_evidence(
        &self,
        _: ConnectionId,
        candidates: &[Candidate],
        _: Timestamp,
    ) -> Result<Vec<OrderEvidence>> {
        self.ask(|state| {
            let of = |candidate: &Candidate| state.evidence.get(&candidate.rule.name).copied();
            candidates
                .iter()
                .map(|it| of(it).unwrap_or_default())
                .collect()
        })
        .await
    }

    async fn distinct_ids_since(
        &self,
        _: ConnectionId,
        _: Timestamp,
        _: Option<&str>,
        _: usize,
    ) -> Result<Vec<String>> {
        super::read_only()
    }
}

#[async_trait]
impl IdentityReader for Memory {
    async fn links_of(
        &self,
        _: ConnectionId,
        keys: &[IdentityKey],
        limit: usize,
    ) -> Result<Vec<IdentityLink>> {
        self.ask(|state| {
            let mut found: Vec<IdentityLink> = state
                .links
                .iter()
                .map(|(_, link)| link.clone())
                .filter(|link| link.valid_to.is_none())
                .filter(|link| {
                    keys.contains(&link.to)
                        || keys.contains(&IdentityKey::DistinctId(link.distinct_id.clone()))
                })
                .collect();
            found.truncate(limit);
            found
        })
        .await
    }

    async fn links_carried(
        &self,
        connection: ConnectionId,
        distinct_ids: &[String],
        limit: usize,
    ) -> Result<Vec<IdentityLink>> {
        let keys: Vec<IdentityKey> = distinct_ids
            .iter()
            .cloned()
            .map(IdentityKey::DistinctId)
            .collect();
        let mut found = self.links_of(connection, &keys, usize::MAX).await?;
        found.retain(|link| !matches!(link.to, IdentityKey::Person(_)));
        found.truncate(limit);
        Ok(found)
    }

    async fn links(
        &self,
        _: ConnectionId,
        history: bool,
        after: Option<&LinkKey>,
        limit: usize,
    ) -> Result<Vec<(LinkKey, IdentityLink)>> {
        self.ask(|state| {
            let mut found = state.links.clone();
            found.sort();
            found.retain(|(key, link)| {
                (history || link.valid_to.is_none()) && after.is_none_or(|after| key > after)
            });
            found.truncate(limit);
            found
        })
        .await
    }

    async fn persons_of_several_customers(
        &self,
        _: ConnectionId,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Uuid>> {
        self.ask(|state| {
            let mut customers: BTreeMap<Uuid, BTreeSet<String>> = BTreeMap::new();
            let current = || {
                state
                    .links
                    .iter()
                    .map(|(_, link)| link)
                    .filter(|link| link.valid_to.is_none())
            };
            for link in current() {
                let IdentityKey::Person(person) = &link.to else {
                    continue;
                };
                let own = current().filter(|it| it.distinct_id == link.distinct_id);
                customers
                    .entry(*person)
                    .or_default()
                    .extend(own.filter_map(|it| match &it.to {
                        IdentityKey::CustomerId(customer) => Some(customer.clone()),
                        _ => None,
                    }));
            }
            let several = customers
                .into_iter()
                .filter(|(_, customers)| customers.len() > 1);
            let later = several.filter(|(person, _)| after.is_none_or(|after| *person > after));
            later.map(|(person, _)| person).take(limit).collect()
        })
        .await
    }

    async fn person_changes(
        &self,
        _: ConnectionId,
        seq: i64,
        limit: usize,
    ) -> Result<Vec<PersonChange>> {
        self.ask(|state| {
            let changes = state.person_changes.iter();
            let later = changes.filter(|change| change.seq > seq);
            later.take(limit).cloned().collect()
        })
        .await
    }

    async fn fact_changes(&self, _: ConnectionId, seq: i64, _: usize) -> Result<FactChanges> {
        self.ask(|_| FactChanges {
            reached: seq,
            is_last: true,
            ..FactChanges::default()
        })
        .await
    }
}
