//! A shop at PostHog, a database, and the processes that pull the one into the other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::ConnectionName;
use domain::event::EventName;
use domain::identity::{IdProperty, IdPropertyKind, IdentityKey};
use domain::mapping::{CheckoutSource, MappingSpec, StageRule, StageSpec};
use domain::page_path::PathPattern;
use domain::stage::PostHogStage;
use domain::storage::{Store, StoreError};
use domain::sync::SyncMode;
use jiff::{SignedDuration, Timestamp};
use posthog::{Error, Gate, GatePass, Http, HttpConfig, ThrottleKind};
use posthog_stub::{Endpoint, Key, Limits, Project, Stub, StubHandle, World};
use sync::{Context, MappingPolicy, RunSummary, Settings, SyncError, progress};
use test_store::{Fate, FatedStore};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::database::Database;
use super::posthog::{CUSTOMER, Happening, PostHog};
use super::story::{Attempt, Then};
use super::truth::{Truth, ZONE};
use crate::shop::{KEY, PROJECT, TestClock, at, client, days, patient, settings};

/// When stories begin: the clocks of [`ZONE`] were changed a week before.
const START: &str = "2026-04-05T10:30:00Z";
const SECOND: SignedDuration = SignedDuration::from_secs(1);

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
            http: http(HttpConfig::default().answer_timeout),
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
    async fn process(&mut self, at: usize, fate: Fate, http: &Http) -> (Context, Arc<FatedStore>) {
        self.processes += 1;
        let store = FatedStore::new(self.database.open().await, at, fate);
        let client = client(&self.settings, http.clone(), Arc::new(Open));
        let context = Context {
            store: store.clone(),
            client: client.with_page_rows(self.page_rows),
            clock: self.clock.clone(),
            progress: Arc::new(progress::Silent),
            cancel: CancellationToken::new(),
            holder: format!("{}-{}", self.settings.desired.name.name, self.processes).into(),
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
        // Where nothing hangs, no good answer is given up, however busy the machine is.
        let http = match attempt.may_hang() {
            true => http(Duration::from_secs(1)),
            false => self.http.clone(),
        };
        let (context, store) = self.process(attempt.at, fate, &http).await;
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
            let (other, _) = self.process(usize::MAX, Fate::GoesOn, &http).await;
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
        // Waits for a transaction whose end nobody heard of, which may be just taking the lease.
        let id = self.settings.connection_id();
        match self.store.acquire_lease(id, holder, Duration::ZERO).await {
            Ok(_) | Err(StoreError::LeaseHeld { .. }) => {}
            Err(error) => panic!("{error}"),
        }
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
            let from = at(START) - days(30);
            Truth::of(project, from, self.now(), &self.posthog.erased)
        })
    }

    /// Tells PostHog's side whether anybody is to be erased.
    pub(crate) fn expect_erasures(&mut self, expected: bool) {
        self.posthog.has_erasures = expected;
    }

    /// Erases the person of a visitor; what that leaves to do, somebody else may have to.
    pub(crate) async fn erase(&mut self, visitor: usize, ends: bool) {
        let found = self.stub.read(|world| {
            let project = world.project(PROJECT).unwrap();
            self.posthog.person_of(project, visitor)
        });
        let Some(person) = found else {
            return;
        };
        let (store, id) = self.observed();
        let ids: BTreeSet<String> = person.distinct_ids.iter().cloned().collect();
        // Who has ever had these ids, and no others, was merged into the person.
        let mut had: BTreeMap<Uuid, BTreeSet<String>> = BTreeMap::new();
        for (_, link) in store.links(id, true, None, 10_000).await.unwrap() {
            if let IdentityKey::Person(person) = link.to {
                had.entry(person).or_default().insert(link.distinct_id);
            }
        }
        had.retain(|_, theirs| theirs.is_subset(&ids));
        let mut persons: BTreeSet<Uuid> = had.into_keys().collect();
        persons.extend(&person.persons);
        let erased = store.begin_erasure(id, &person, self.now()).await.unwrap();
        assert_eq!(erased.persons, persons.len() as u64);
        if ends {
            store.finish_erasures(id).await.unwrap();
        }
        self.posthog.erased.persons.extend(persons);
        self.posthog.erased.distinct_ids.extend(ids);
    }

    pub(crate) fn observed(&self) -> (&dyn Store, domain::ConnectionId) {
        (&*self.store, self.settings.connection_id())
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

fn http(answer_timeout: Duration) -> Http {
    Http::new(HttpConfig {
        allow_insecure_hosts: vec!["127.0.0.1".to_owned()],
        answer_timeout,
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
