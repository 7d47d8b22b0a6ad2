//! What every kind of reader finds, held against the truth.

use std::collections::{BTreeMap, BTreeSet};

use domain::identity::{Evidence, IdentityKey};
use domain::storage::{ClickmapSpan, EventFilter, EventRow};
use jiff::Timestamp;
use jiff::civil::{Date, date};
use uuid::Uuid;

use super::posthog::VISITORS;
use super::site::Site;
use super::truth::Truth;

const FIRST_DAY: Date = date(2020, 1, 1);
const LAST_DAY: Date = date(2030, 1, 1);

impl Site<'_> {
    /// Holds everything that readers find against the truth.
    pub(crate) async fn assert_exact(&self) {
        let truth = self.truth();
        let (store, id) = self.observed();
        let rows = self.rows(&truth).await;
        assert_same(&rows, &truth.rows, "events");
        let daily = store.daily_event_counts(id, FIRST_DAY, LAST_DAY, &[]).await;
        let daily: BTreeMap<_, _> = daily
            .unwrap()
            .into_iter()
            .map(|count| ((count.day, count.name), count.events))
            .collect();
        assert_same(&daily, &truth.by_day(), "daily counts");
        let stages = store.daily_stage_counts(id, FIRST_DAY, LAST_DAY).await;
        let stages: BTreeMap<_, _> = stages
            .unwrap()
            .into_iter()
            .map(|count| ((count.day, count.stage, count.name), count.events))
            .collect();
        assert_same(&stages, &truth.by_stage(), "stage counts");
        self.assert_identities(&truth).await;
        self.assert_clickmaps(&truth).await;
        self.assert_cohorts(&truth).await;
        self.assert_trails(&truth).await;
    }

    async fn assert_cohorts(&self, truth: &Truth) {
        let (store, id) = self.observed();
        let mut cohorts = BTreeMap::new();
        for record in store.cohorts(id, true, None, 100).await.unwrap() {
            let cohort = record.cohort.id;
            let members = store.cohort_members(id, cohort, None, 100).await.unwrap();
            assert_eq!(members.len() as u64, record.members);
            let members: BTreeSet<Uuid> = members.into_iter().map(|it| it.person_id).collect();
            if !members.is_empty() {
                cohorts.insert(cohort, members);
            }
        }
        assert_same(&cohorts, &truth.cohorts, "cohorts");
    }

    /// What each visitor did, newest first.
    async fn assert_trails(&self, truth: &Truth) {
        let (store, id) = self.observed();
        for visitor in VISITORS {
            let filter = EventFilter {
                distinct_ids: vec![visitor.to_owned()],
                newest_first: true,
                ..EventFilter::default()
            };
            let trail = store.events(id, &filter, None, 10_000).await.unwrap();
            let trail: Vec<(Timestamp, Uuid)> = trail
                .into_iter()
                .map(|row| (row.event.timestamp, row.event.uuid))
                .collect();
            let rows = truth.rows.values().map(|row| &row.event);
            let mut did: Vec<(Timestamp, Uuid)> = rows
                .filter(|event| event.distinct_id == visitor)
                .map(|event| (event.timestamp, event.uuid))
                .collect();
            did.sort_unstable_by(|a, b| b.cmp(a));
            assert_eq!(trail, did, "the trail of {visitor}");
        }
    }

    async fn assert_clickmaps(&self, truth: &Truth) {
        let (store, id) = self.observed();
        let clicks = truth.clicks();
        let days: BTreeSet<Date> = clicks.keys().map(|(day, _)| *day).collect();
        let mut made = BTreeMap::new();
        let span = |from, to| ClickmapSpan {
            from,
            to,
            devices: Vec::new(),
        };
        for day in days {
            let span = span(day, day.tomorrow().unwrap());
            for page in store.clicked_pages(id, &span, None, 100).await.unwrap() {
                assert_eq!(page.unparsed, 0);
                made.insert((day, page.page), page.counts.clicks);
            }
        }
        assert_same(&made, &clicks, "clickmaps");
        let all = span(FIRST_DAY, LAST_DAY);
        let all = store.clicked_pages(id, &all, None, 100).await.unwrap();
        let total: u64 = all.iter().map(|page| page.counts.clicks).sum();
        assert_eq!(
            total,
            clicks.values().sum::<u64>(),
            "no other day has clicks"
        );
    }

    /// The stored events, with the person of each checked and then left out.
    async fn rows(&self, truth: &Truth) -> BTreeMap<Uuid, EventRow> {
        let (store, id) = self.observed();
        let mut rows = BTreeMap::new();
        let mut after = None;
        loop {
            let page = store.events(id, &EventFilter::default(), after, 100).await;
            let page = page.unwrap();
            let Some(last) = page.last() else {
                return rows;
            };
            after = Some(last.key());
            for mut row in page {
                let person = row.event.person_id.take();
                let mapped = truth.persons.get(&row.event.distinct_id).copied();
                // Without a mapping it is whom PostHog named when the row was read.
                assert_eq!(mapped.or(person), person, "person of {row:?}");
                rows.insert(row.event.uuid, row);
            }
        }
    }

    async fn assert_identities(&self, truth: &Truth) {
        let (store, id) = self.observed();
        let now = store.links(id, false, None, 10_000).await.unwrap();
        let links: BTreeSet<_> = now
            .iter()
            .map(|(_, link)| link.clone())
            .map(|link| (link.distinct_id, link.to, link.evidence))
            .collect();
        assert_eq!(links, truth.links(), "links");
        let carried: BTreeMap<_, _> = now
            .into_iter()
            .filter(|(_, link)| link.evidence != Evidence::PersonMapping)
            .map(|(_, link)| {
                let times = (link.valid_from, link.last_seen);
                ((link.distinct_id, link.to, link.evidence), times)
            })
            .collect();
        assert_eq!(carried, truth.carried(), "first and last sight of links");

        // An id has led to one person at a time.
        let mut ends: BTreeMap<String, Vec<(Timestamp, Timestamp)>> = BTreeMap::new();
        for (_, link) in store.links(id, true, None, 10_000).await.unwrap() {
            if let IdentityKey::Person(_) = link.to {
                let until = link.valid_to.unwrap_or(Timestamp::MAX);
                let spans = ends.entry(link.distinct_id).or_default();
                spans.push((link.valid_from, until));
            }
        }
        for (id, mut spans) in ends {
            spans.sort();
            let apart = spans.windows(2).all(|pair| pair[0].1 <= pair[1].0);
            assert!(apart, "{id} has led to two persons at once: {spans:?}");
        }
    }
}

fn assert_same<K: Ord + std::fmt::Debug, V: PartialEq + std::fmt::Debug>(
    found: &BTreeMap<K, V>,
    wanted: &BTreeMap<K, V>,
    what: &str,
) {
    let mut differing = Vec::new();
    let keys: BTreeSet<_> = found.keys().chain(wanted.keys()).collect();
    for key in keys {
        let (found, wanted) = (found.get(key), wanted.get(key));
        if found != wanted {
            differing.push(format!("{key:?}: found {found:?}, wanted {wanted:?}"));
        }
    }
    assert!(differing.is_empty(), "{what}:\n{}", differing.join("\n"));
}
