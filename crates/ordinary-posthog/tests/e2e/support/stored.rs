//! What a store holds in the end, in a form that two stores can be compared in.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::ConnectionName;
use domain::identity::{Evidence, IdentityKey};
use domain::storage::{
    DailyEventCount, DailyStageCount, EventFilter, EventRow, RunEnd, RunRecord, Store,
};
use jiff::civil::Date;
use store::OpenOptions;

const PAGE: usize = 5_000;

/// Everything that a reader of one connection could find.
pub(crate) struct Stored {
    pub(crate) events: Vec<EventRow>,
    pub(crate) daily: Vec<DailyEventCount>,
    pub(crate) stages: Vec<DailyStageCount>,
    /// Without the instants of observation, which no two runs share.
    pub(crate) links: BTreeSet<(String, IdentityKey, Evidence)>,
    pub(crate) runs: Vec<RunRecord>,
    /// Goes up with every change of a row.
    pub(crate) change_seq: i64,
}

impl Stored {
    /// Reads the connection of [`super::documents::Document::of`]; nothing when it is not there.
    pub(crate) async fn read(url: &str) -> Option<Self> {
        let store = store::open(url, OpenOptions::default()).await.unwrap();
        let name = ConnectionName::new("default", "storefront");
        let id = store.connection(&name).await.unwrap()?.serving;
        let mut links = BTreeSet::new();
        let mut after = None;
        loop {
            let page = store.links(id, false, after.as_ref(), PAGE).await.unwrap();
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            links.extend(
                page.into_iter()
                    .map(|(_, link)| (link.distinct_id, link.to, link.evidence)),
            );
        }
        Some(Self {
            events: events(&store, id).await,
            daily: store
                .daily_event_counts(id, Date::MIN, Date::MAX, &[])
                .await
                .unwrap(),
            stages: store
                .daily_stage_counts(id, Date::MIN, Date::MAX)
                .await
                .unwrap(),
            links,
            runs: store.runs(id, None, 1_000).await.unwrap(),
            change_seq: store.epoch(id).await.unwrap().unwrap().change_seq,
        })
    }

    /// Runs that ended complete.
    pub(crate) fn complete_runs(&self) -> usize {
        self.runs
            .iter()
            .filter(|run| run.end == Some(RunEnd::Complete))
            .count()
    }

    /// Fails, and names the first difference, unless readers would find the same in both.
    #[track_caller]
    pub(crate) fn assert_same(&self, other: &Self) {
        assert_same("events", &self.events, &other.events);
        assert_same("daily counts", &self.daily, &other.daily);
        assert_same("stage counts", &self.stages, &other.stages);
        let differing: Vec<_> = self
            .links
            .symmetric_difference(&other.links)
            .take(3)
            .collect();
        assert!(differing.is_empty(), "links are not in both: {differing:?}");
    }
}

async fn events(store: &Arc<dyn Store>, id: domain::ConnectionId) -> Vec<EventRow> {
    let mut events: Vec<EventRow> = Vec::new();
    loop {
        let after = events.last().map(EventRow::key);
        let page = store
            .events(id, &EventFilter::default(), after, PAGE)
            .await
            .unwrap();
        if page.is_empty() {
            return events;
        }
        events.extend(page);
    }
}

#[track_caller]
fn assert_same<T: PartialEq + std::fmt::Debug>(what: &str, these: &[T], those: &[T]) {
    if let Some((this, that)) = these.iter().zip(those).find(|(this, that)| this != that) {
        panic!("{what} differ:\n{this:?}\n{that:?}");
    }
    assert_eq!(these.len(), those.len(), "{what} differ in number");
}
