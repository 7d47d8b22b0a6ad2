//! The naive truth: events in a map, everything else counted from them each time it is asked.

use std::collections::{BTreeMap, BTreeSet};

use domain::day::{day_of, time_zone};
use domain::identity::{IdentityLink, facts_of};
use domain::stage::PostHogStage;
use domain::storage::{
    ChangeKind, DailyEventCount, DailyStageCount, EventFilter, EventRow, LinkKey, Store,
};
use domain::{ConnectionId, Event, EventName, Mapping};
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use uuid::Uuid;

use super::fixtures::id_properties;

pub(crate) const EARLIEST: Date = date(1, 1, 2);
pub(crate) const LATEST: Date = date(9999, 12, 30);

/// What a store must hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct Oracle {
    pub(crate) rows: BTreeMap<Uuid, Event>,
    pub(crate) mapping: Option<Mapping>,
    pub(crate) zone: Option<String>,
}

impl Oracle {
    pub(crate) fn apply(&mut self, events: &[Event]) {
        for event in events {
            match self.rows.get(&event.uuid) {
                Some(stored) if stored.precedence() >= event.precedence() => {}
                _ => {
                    self.rows.insert(event.uuid, event.clone());
                }
            }
        }
    }

    pub(crate) fn remove(&mut self, uuids: &[Uuid]) {
        for uuid in uuids {
            self.rows.remove(uuid);
        }
    }

    pub(crate) fn row(&self, event: &Event) -> EventRow {
        EventRow {
            stage: self
                .mapping
                .as_ref()
                .and_then(|mapping| mapping.stage_of(event.event.as_str(), event.path.as_deref())),
            event: event.clone(),
        }
    }

    pub(crate) fn in_order(&self) -> Vec<EventRow> {
        let mut rows: Vec<EventRow> = self.rows.values().map(|event| self.row(event)).collect();
        rows.sort_by_key(|row| (row.event.timestamp, row.event.uuid));
        rows
    }

    fn days(&self) -> TimeZone {
        self.zone
            .as_deref()
            .map_or(TimeZone::UTC, |name| time_zone(name).unwrap())
    }

    pub(crate) fn event_counts(&self) -> Vec<DailyEventCount> {
        let zone = self.days();
        let mut counts: BTreeMap<(Date, EventName), u64> = BTreeMap::new();
        for event in self.rows.values() {
            let day = day_of(event.timestamp, &zone);
            *counts.entry((day, event.event.clone())).or_default() += 1;
        }
        counts
            .into_iter()
            .map(|((day, name), events)| DailyEventCount { day, name, events })
            .collect()
    }

    pub(crate) fn stage_counts(&self) -> Vec<DailyStageCount> {
        let zone = self.days();
        let mut counts: BTreeMap<(Date, PostHogStage, EventName), u64> = BTreeMap::new();
        for event in self.rows.values() {
            if let Some(stage) = self.row(event).stage {
                let day = day_of(event.timestamp, &zone);
                *counts.entry((day, stage, event.event.clone())).or_default() += 1;
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
    }

    /// The links that the events carry.
    pub(crate) fn links(&self) -> Vec<IdentityLink> {
        let mut links = BTreeMap::new();
        for event in self.rows.values() {
            for fact in facts_of(event.into(), &id_properties()) {
                let at = event.timestamp;
                links
                    .entry(fact)
                    .and_modify(|(first, last)| {
                        *first = at.min(*first);
                        *last = at.max(*last);
                    })
                    .or_insert((at, at));
            }
        }
        links
            .into_iter()
            .map(|(fact, (first, last))| IdentityLink {
                distinct_id: fact.distinct_id,
                to: fact.to,
                evidence: fact.evidence,
                valid_from: first,
                valid_to: None,
                last_seen: last,
            })
            .collect()
    }

    /// Holds everything that a store answers for a connection without persons against this.
    pub(crate) async fn assert_kept(&self, store: &dyn Store, id: ConnectionId) {
        assert_eq!(all_events(store, id).await, self.in_order());
        assert_eq!(
            store
                .daily_event_counts(id, EARLIEST, LATEST, &[])
                .await
                .unwrap(),
            self.event_counts()
        );
        assert_eq!(
            store
                .daily_stage_counts(id, EARLIEST, LATEST)
                .await
                .unwrap(),
            self.stage_counts()
        );
        assert_eq!(all_links(store, id, true).await, self.links());
        let by_utc_day: u64 = store
            .count_by_utc_day(id, EARLIEST, LATEST)
            .await
            .unwrap()
            .into_iter()
            .map(|(_, events)| events)
            .sum();
        assert_eq!(by_utc_day, self.rows.len() as u64);
        let names: BTreeSet<&EventName> = self.rows.values().map(|event| &event.event).collect();
        let defined = store.event_definitions(id, None, 1000).await.unwrap();
        assert!(defined.iter().map(|defined| &defined.name).eq(names));
    }
}

/// Every event, read in pages too small to be lucky.
pub(crate) async fn all_events(store: &dyn Store, id: ConnectionId) -> Vec<EventRow> {
    listed(store, id, &EventFilter::default()).await
}

/// Every event that passes a filter, page by page.
pub(crate) async fn listed(
    store: &dyn Store,
    id: ConnectionId,
    filter: &EventFilter,
) -> Vec<EventRow> {
    let mut rows: Vec<EventRow> = Vec::new();
    loop {
        let after = rows.last().map(EventRow::key);
        let page = store.events(id, filter, after, 3).await.unwrap();
        if page.is_empty() {
            return rows;
        }
        rows.extend(page);
    }
}

/// Every link, page by page.
pub(crate) async fn all_links(
    store: &dyn Store,
    id: ConnectionId,
    history: bool,
) -> Vec<IdentityLink> {
    let mut links = Vec::new();
    let mut after: Option<LinkKey> = None;
    loop {
        let page = store.links(id, history, after.as_ref(), 3).await.unwrap();
        let Some((key, _)) = page.last() else {
            return links;
        };
        after = Some(key.clone());
        links.extend(page.into_iter().map(|(_, link)| link));
    }
}

/// Somebody who knows only what changes told.
#[derive(Debug, Default)]
pub(crate) struct Follower {
    pub(crate) seq: i64,
    pub(crate) rows: BTreeMap<Uuid, EventRow>,
}

impl Follower {
    /// Takes in every change since the last time.
    pub(crate) async fn catch_up(&mut self, store: &dyn Store, id: ConnectionId) {
        loop {
            let changes = store.changes(id, self.seq, 3).await.unwrap();
            if changes.is_empty() {
                return;
            }
            for change in changes {
                assert!(change.seq > self.seq, "changes must ascend");
                self.seq = change.seq;
                match change.kind {
                    ChangeKind::Upsert(row) => self.rows.insert(row.event.uuid, *row),
                    ChangeKind::Delete { uuid } => self.rows.remove(&uuid),
                };
            }
        }
    }

    /// Holds what was told against the truth.
    pub(crate) fn assert_knows(&self, oracle: &Oracle) {
        let truth: BTreeMap<Uuid, EventRow> = oracle
            .rows
            .iter()
            .map(|(uuid, event)| (*uuid, oracle.row(event)))
            .collect();
        assert_eq!(self.rows, truth);
    }
}
