//! A shop at PostHog, a database, and the processes that pull the one into the other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::ConnectionName;
use domain::event::EventName;
use domain::identity::{Evidence, IdProperty, IdPropertyKind, IdentityKey};
use domain::mapping::{CheckoutSource, MappingSpec, StageRule, StageSpec};
use domain::page_path::PathPattern;
use domain::stage::PostHogStage;
use domain::storage::{ClickmapSpan, EventFilter, EventRow, Store};
use domain::sync::SyncMode;
use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};
use posthog::{Client, ClientConfig, Error, Gate, GatePass, Http, HttpConfig, ThrottleKind};
use posthog_stub::{Endpoint, Key, Limits, Project, Stub, StubHandle, World};
use sync::{Context, MappingPolicy, RunSummary, Settings, SyncError, progress};
use test_store::{Fate, FatedStore};
use tokio_util::sync::CancellationToken;

use super::database::Database;
use super::posthog::{CUSTOMER, Happening, PostHog};
use super::story::{Attempt, Then};
use super::truth::{Truth, ZONE};
use crate::shop::{KEY, PROJECT, TestClock, at, days, key, patient, settings};

/// When stories begin: the clocks of [`ZONE`] were changed a week before.
const START: &str = "2026-04-05T10:30:00Z";
const SECOND: SignedDuration = SignedDuration::from_secs(1);
const FIRST_DAY: Date = date(2020, 1, 1);
const LAST_DAY: Date = date(2030, 1, 1);

/// One connection, its PostHog and its rows.
pub(crate) struct Site<'a> {
    database: &'a Database,
    /// An observer's handle.
    store: Arc<dyn Store>,
    stub: StubHandle,
    posthog: PostHog,
    clock: Arc<TestClock>,
    settings: Settings,
    http: Http,
    page_rows: usize,
    processes: u32,
}

impl<'a> Site<'a> {
    /// A new connection of that name.
    pub(crate) async fn open(database: &'a Database, name: &str, page_rows: usize) -> Self {
        let project = Project::new(PROJECT, "Shop").timezone(ZONE);
        let world = World::new().with_project(project).with_key(Key::new(KEY));
        let stub = Stub::start(world).await.unwrap();
        let mut settings = settings(stub.url());
        settings.desired.name = ConnectionName::new("acme", name);
        settings.desired.id_properties = vec![IdProperty {
            kind: IdPropertyKind::Customer,
            property: CUSTOMER.to_owned(),
        }];
        settings.mapping = MappingPolicy::Spec(mapping());
        let store = database.open().await;
        let site = Self {
            database,
            store,
            stub,
            posthog: PostHog::new(),
            clock: Arc::new(TestClock::at(at(START))),
            settings,
            http: http(),
            page_rows,
            processes: 0,
        };
        site.set_now(at(START));
        let desired = &site.settings.desired;
        site.store.put_connection(desired, at(START)).await.unwrap();
        site
    }

    pub(crate) fn limit(&self, limits: Limits) {
        self.stub.set_limits(limits);
    }

    pub(crate) fn now(&self) -> Timestamp {
        sync::Clock::now(&*self.clock)
    }

    fn set_now(&self, now: Timestamp) {
        self.clock.set(now);
        self.stub
            .edit(|world| world.clock = posthog_stub::Clock::Fixed(now));
    }

    pub(crate) fn pass(&self, time: SignedDuration) {
        self.set_now(self.now() + time);
    }

    /// Lets things happen at PostHog, a second apart.
    pub(crate) fn happen(&mut self, happenings: &[Happening]) {
        for happening in happenings {
            self.pass(SECOND);
            let now = self.now();
            let posthog = &mut self.posthog;
            self.stub.edit(|world| {
                let project = world.project_mut(PROJECT).unwrap();
                posthog.let_happen(project, happening, now);
            });
        }
    }

    /// What a new process works with, and its fate.
    async fn process(&mut self, at: usize, fate: Fate) -> (Context, Arc<FatedStore>) {
        self.processes += 1;
        let store = FatedStore::new(self.database.open().await, at, fate);
        let desired = &self.settings.desired;
        let client = Client::new(ClientConfig {
            host: desired.epoch.host.clone(),
            project: desired.epoch.project_id,
            key: key(KEY),
            http: self.http.clone(),
            gate: Arc::new(Open),
            reads_elements: desired.clickmaps.rules().is_some(),
            id_properties: desired.id_properties.clone(),
        });
        let context = Context {
            store: store.clone(),
            client: client.with_page_rows(self.page_rows),
            clock: self.clock.clone(),
            progress: Arc::new(progress::Silent),
            cancel: CancellationToken::new(),
            holder: format!("{}-{}", desired.name.name, self.processes).into(),
            patience: Duration::ZERO,
            retry: patient(),
        };
        (context, store)
    }

    /// Lets a process run as told; what came of it unless it died.
    pub(crate) async fn attempt(
        &mut self,
        attempt: &Attempt,
    ) -> Option<Result<RunSummary, SyncError>> {
        for trouble in &attempt.troubles {
            let fault = trouble.fault.clone();
            let faults = self.stub.faults();
            faults.push_after(Endpoint::Query, trouble.skip, trouble.times, fault);
        }
        let outcome = self.run(attempt).await;
        self.stub.faults().clear();
        outcome
    }

    async fn run(&mut self, attempt: &Attempt) -> Option<Result<RunSummary, SyncError>> {
        let fate = match attempt.then {
            Then::Fate(fate) => fate,
            Then::Overtaken => Fate::GoesOn,
        };
        let (context, store) = self.process(attempt.at, fate).await;
        let settings = self.settings.clone();
        let mut run = Box::pin(sync::run(&context, &settings, attempt.mode));
        tokio::select! {
            biased;
            () = store.stands() => {}
            done = &mut run => return Some(done),
        }
        self.happen(&attempt.meanwhile);
        if attempt.then == Then::Overtaken {
            // It stood still for so long that its lease ran out, and knows nothing of that.
            self.bury(&context.holder).await;
            let (other, _) = self.process(usize::MAX, Fate::GoesOn).await;
            store.go_on();
            let (first, second) =
                tokio::join!(run, sync::run(&other, &settings, SyncMode::Refresh));
            tolerate(&first);
            return Some(second);
        }
        store.go_on();
        tokio::select! {
            biased;
            () = store.died() => {}
            done = &mut run => return Some(done),
        }
        drop(run);
        self.bury(&context.holder).await;
        None
    }

    /// Gives back what a process held: by its successor's start, or by time.
    async fn bury(&self, holder: &str) {
        self.store.release_all_of(holder).await.unwrap();
    }

    /// Lets PostHog be well and time pass, until everything has come in and every day is counted.
    pub(crate) async fn come_to_rest(&mut self) -> RunSummary {
        self.limit(Limits::default());
        self.pass(SignedDuration::from_hours(25));
        self.calm_run().await;
        self.pass(SignedDuration::from_hours(1));
        self.calm_run().await
    }

    async fn calm_run(&mut self) -> RunSummary {
        let calm = Attempt::calm(SyncMode::Refresh);
        self.attempt(&calm).await.unwrap().unwrap()
    }

    /// What must be stored by now.
    pub(crate) fn truth(&self) -> Truth {
        self.stub.read(|world| {
            let project = world.project(PROJECT).unwrap();
            Truth::of(project, at(START) - days(30), self.now())
        })
    }

    pub(crate) fn observed(&self) -> (&dyn Store, domain::ConnectionId) {
        (&*self.store, self.settings.connection_id())
    }

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
    async fn rows(&self, truth: &Truth) -> BTreeMap<uuid::Uuid, EventRow> {
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

/// What may come of a run that met trouble.
pub(crate) fn tolerate(outcome: &Result<RunSummary, SyncError>) {
    use domain::storage::StoreError::FenceLost;
    match outcome {
        Ok(_)
        | Err(
            SyncError::PostHog(_)
            | SyncError::TooHeavy { .. }
            | SyncError::Busy { .. }
            | SyncError::Store(FenceLost),
        ) => {}
        Err(error) => panic!("{error}"),
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

fn mapping() -> MappingSpec {
    let stage = |stage, name: &str, path: Option<&str>| StageSpec {
        stage,
        rules: vec![StageRule {
            name: EventName::from(name),
            url_path: path.map(|path| PathPattern::parse(path).unwrap()),
        }],
    };
    let stages = vec![
        stage(
            PostHogStage::ProductViewed,
            "$pageview",
            Some("/products/*"),
        ),
        stage(PostHogStage::AddedToCart, "product added to cart", None),
        stage(PostHogStage::CheckoutStarted, "checkout started", None),
    ];
    MappingSpec::new(stages, CheckoutSource::PostHog).unwrap()
}

fn http() -> Http {
    Http::new(HttpConfig {
        allow_insecure_hosts: vec!["127.0.0.1".to_owned()],
        answer_timeout: Duration::from_secs(1),
        idle_timeout: Duration::from_millis(500),
        total_timeout: Duration::from_secs(5),
        backoff: Duration::from_millis(1),
        max_answer: 1 << 20,
        ..HttpConfig::default()
    })
    .unwrap()
}

/// A gate that keeps nobody waiting: these clocks stand still, and budgets are of real time.
struct Open;

#[async_trait]
impl Gate for Open {
    async fn enter(&self) -> Result<GatePass, Error> {
        Ok(GatePass::new(|| {}))
    }

    async fn throttled(&self, _: Option<Duration>, _: ThrottleKind) {}

    async fn settled(&self) {}
}
