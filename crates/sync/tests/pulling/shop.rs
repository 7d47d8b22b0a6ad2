//! A small shop on a stand-in PostHog, a store on disk, and the run between them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::backfill_way::BackfillVia;
use domain::clickmap::ClickmapPolicy;
use domain::cohorts::CohortSelection;
use domain::mapping::MappingSpec;
use domain::plan::{Plan, PlanStanding};
use domain::storage::{BudgetLimits, Deletion, DesiredConnection, EventFilter, EventKey, Store};
use domain::sync::SyncMode;
use domain::{ApiHost, ApiKey, ConnectionId, ConnectionName, Epoch, ProjectId};
use jiff::{SignedDuration, Timestamp};
use posthog::{Client, ClientConfig, Gate, Http, HttpConfig, LocalGate};
use posthog_stub::{Endpoint, Key, Project, Stub, StubHandle, World};
use sync::{
    Clock, Context, MappingPolicy, Progress, RefreshPolicy, RetryPolicy, RunSummary, Settings,
    Share, StoreGate, SyncError, progress,
};
use tokio_util::sync::CancellationToken;

/// The stand-in's project.
pub(crate) const PROJECT: u64 = 4242;
/// The key that opens it.
pub(crate) const KEY: &str = "phx_0123456789abcdefghijklmnopqrstuvwxyzABCD";

/// A clock that tests put where they need it.
pub(crate) struct TestClock(Mutex<Timestamp>);

impl TestClock {
    pub(crate) fn at(now: Timestamp) -> Self {
        Self(Mutex::new(now))
    }

    pub(crate) fn set(&self, now: Timestamp) {
        *self.0.lock().unwrap() = now;
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// An instant, in RFC 3339.
pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// So many days.
pub(crate) fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

/// Where a backfill of so many days begins that starts at [`NOW`]: with a whole day.
pub(crate) fn backfilled_from(count: i64) -> Timestamp {
    at("2026-03-20T00:00:00Z") - days(count)
}

/// A shop with its store.
pub(crate) struct Shop {
    pub(crate) stub: StubHandle,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) settings: Settings,
    pub(crate) http: Http,
    /// Rows that one answer holds; PostHog's own most unless set.
    pub(crate) page_rows: Option<usize>,
    /// Whether requests are held to PostHog's limits, which days of tests would soon use up.
    pub(crate) is_metered: bool,
    /// The store's folder, which goes with it.
    dir: Option<tempfile::TempDir>,
}

pub(crate) const UNLIMITED: BudgetLimits = BudgetLimits {
    concurrent: 3,
    per_minute: u32::MAX,
    per_hour: u32::MAX,
};

/// The time at which every test begins.
pub(crate) const NOW: &str = "2026-03-20T10:30:00Z";

impl Shop {
    /// A shop with these events in PostHog, at [`NOW`], wanted and not pulled yet.
    pub(crate) async fn open(project: Project) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("store.db").display());
        let store = store::open(&url, store::OpenOptions::default())
            .await
            .unwrap();
        let mut shop = Self::open_in(project, store).await;
        shop.dir = Some(dir);
        shop
    }

    /// The same in a store of the caller's.
    pub(crate) async fn open_in(project: Project, store: Arc<dyn Store>) -> Self {
        let world = World::new()
            .with_project(project)
            .with_key(Key::new(KEY))
            .at(at(NOW));
        let stub = Stub::start(world).await.unwrap();
        let settings = settings(stub.url());
        store
            .put_connection(&settings.desired, at(NOW))
            .await
            .unwrap();
        Self {
            stub,
            store,
            clock: Arc::new(TestClock::at(at(NOW))),
            settings,
            http: http(),
            page_rows: None,
            is_metered: false,
            dir: None,
        }
    }

    /// Moves both clocks.
    pub(crate) fn set_now(&self, now: Timestamp) {
        self.clock.set(now);
        self.stub.edit(|world| {
            world.clock = posthog_stub::Clock::Fixed(now);
        });
    }

    pub(crate) fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, time: SignedDuration) {
        self.set_now(self.clock.now() + time);
    }

    /// Until PostHog has been asked at this endpoint.
    pub(crate) async fn until_asked(&self, endpoint: Endpoint) {
        let is_asked = || {
            let mut requests = self.stub.requests().into_iter();
            requests.any(|request| request.endpoint == endpoint)
        };
        while !is_asked() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Changes what PostHog has.
    pub(crate) fn edit<R>(&self, change: impl FnOnce(&mut Project) -> R) -> R {
        self.stub
            .edit(|world| change(world.project_mut(PROJECT).unwrap()))
    }

    pub(crate) fn id(&self) -> ConnectionId {
        self.settings.connection_id()
    }

    pub(crate) fn client(&self) -> Client {
        let gate: Arc<dyn Gate> = if self.is_metered {
            let key = self.settings.desired.epoch.clone();
            Arc::new(StoreGate::new(Arc::clone(&self.store), key, Share::Run))
        } else {
            Arc::new(LocalGate::new(UNLIMITED))
        };
        self.client_through(gate)
    }

    /// A client whose requests this gate lets through.
    pub(crate) fn client_through(&self, gate: Arc<dyn Gate>) -> Client {
        let client = client(&self.settings, self.http.clone(), gate);
        match self.page_rows {
            Some(rows) => client.with_page_rows(rows),
            None => client,
        }
    }

    pub(crate) fn context(&self) -> Context {
        Context {
            store: Arc::clone(&self.store),
            client: self.client(),
            clock: self.clock.clone(),
            progress: Arc::new(progress::Silent),
            cancel: CancellationToken::new(),
            holder: "test".into(),
            patience: Duration::from_secs(5),
            retry: patient(),
        }
    }

    pub(crate) async fn run(&self, mode: SyncMode) -> Result<RunSummary, SyncError> {
        sync::run(&self.context(), &self.settings, mode).await
    }

    pub(crate) async fn run_told(
        &self,
        mode: SyncMode,
        progress: Arc<dyn Progress>,
        cancel: CancellationToken,
    ) -> Result<RunSummary, SyncError> {
        let ctx = Context {
            progress,
            cancel,
            ..self.context()
        };
        sync::run(&ctx, &self.settings, mode).await
    }

    /// Every stored event.
    pub(crate) async fn rows(&self) -> Vec<domain::Event> {
        let mut rows = Vec::new();
        let mut after: Option<EventKey> = None;
        loop {
            let page = self
                .store
                .events(self.id(), &EventFilter::default(), after, 1000)
                .await
                .unwrap();
            let Some(last) = page.last() else {
                return rows;
            };
            after = Some(last.key());
            rows.extend(page.into_iter().map(|row| row.event));
        }
    }
}

/// A client of what a connection wants.
pub(crate) fn client(settings: &Settings, http: Http, gate: Arc<dyn Gate>) -> Client {
    let desired = &settings.desired;
    Client::new(ClientConfig {
        host: desired.epoch.host.clone(),
        project: desired.epoch.project_id,
        key: key(KEY),
        http,
        gate,
        reads_elements: desired.clickmaps.rules().is_some(),
        id_properties: desired.id_properties.clone(),
    })
}

/// Settings with the defaults of a connection document.
pub(crate) fn settings(host: &str) -> Settings {
    Settings {
        desired: DesiredConnection {
            name: ConnectionName::new("acme", "storefront"),
            epoch: Epoch {
                host: ApiHost::parse(host).unwrap(),
                project_id: ProjectId::try_from(4242).unwrap(),
            },
            plan: PlanStanding::Eligible {
                plan: Plan::Starter,
            },
            suspended: false,
            backfill_days: 30,
            retention_days: 400,
            id_properties: Vec::new(),
            deletion: Deletion::Retain,
            clickmaps: ClickmapPolicy::default(),
        },
        mapping: MappingPolicy::Spec(MappingSpec::default()),
        time_zone: None,
        refresh: RefreshPolicy::default(),
        cohorts: CohortSelection::All,
        backfill_via: BackfillVia::Auto,
    }
}

pub(crate) fn key(text: &str) -> ApiKey {
    ApiKey::parse(&text.to_owned().into()).unwrap().0
}

/// Tries again at once, four times.
pub(crate) fn patient() -> RetryPolicy {
    RetryPolicy {
        attempts: 4,
        first_wait: Duration::from_millis(5),
        longest_wait: Duration::from_secs(2),
    }
}

/// A client that waits for answers as the product does, and may talk to this machine.
fn http() -> Http {
    Http::new(http_config()).unwrap()
}

/// One that gives up an answer that never comes while a test can wait for that; on a busy machine it may
/// give up a good one too.
pub(crate) fn hasty_http() -> Http {
    Http::new(HttpConfig {
        answer_timeout: Duration::from_secs(2),
        ..http_config()
    })
    .unwrap()
}

fn http_config() -> HttpConfig {
    HttpConfig {
        allow_insecure_hosts: vec!["127.0.0.1".to_owned()],
        backoff: Duration::from_millis(2),
        ..HttpConfig::default()
    }
}
