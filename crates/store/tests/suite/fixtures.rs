//! Connections, events and mappings to test with, and a site: a connection that is being written.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use domain::clickmap::ClickmapPolicy;
use domain::connection::{ConnectionId, ConnectionName, Epoch, ProjectId};
use domain::identity::{IdProperty, IdPropertyKind};
use domain::mapping::{CheckoutSource, StageMapping, StageRule, StageSource};
use domain::page_path::PathPattern;
use domain::plan::{Plan, PlanStanding};
use domain::stage::PostHogStage;
use domain::storage::{
    Deletion, DesiredConnection, Lease, NewRun, Page, PageOutcome, RunId, SliceAdvance, Store,
};
use domain::sync::{RunTotals, Slice, SliceEvents, SyncMode, Window};
use domain::{ApiHost, Event, EventName, Mapping};
use jiff::{SignedDuration, Timestamp};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestRunner};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::Database;

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// An instant as RFC 3339 writes it.
pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The moment from which tests count.
pub(crate) fn start() -> Timestamp {
    at("2026-10-24T00:00:00Z")
}

pub(crate) fn hours(count: i64) -> Timestamp {
    start() + SignedDuration::from_hours(count)
}

pub(crate) fn id_properties() -> Vec<IdProperty> {
    vec![
        IdProperty {
            kind: IdPropertyKind::Customer,
            property: "customer_id".to_owned(),
        },
        IdProperty {
            kind: IdPropertyKind::Anonymous,
            property: "clientId".to_owned(),
        },
    ]
}

pub(crate) fn desired(namespace: &str, name: &str, project: i64) -> DesiredConnection {
    DesiredConnection {
        name: ConnectionName::new(namespace, name),
        epoch: Epoch {
            host: ApiHost::parse("https://eu.posthog.com").unwrap(),
            project_id: ProjectId::try_from(project).unwrap(),
        },
        plan: PlanStanding::Eligible {
            plan: Plan::Starter,
        },
        suspended: false,
        backfill_days: 30,
        retention_days: 400,
        id_properties: id_properties(),
        deletion: Deletion::Delete { grace: GRACE },
        clickmaps: ClickmapPolicy::default(),
    }
}

/// How long the rows of test connections stay.
pub(crate) const GRACE: SignedDuration = SignedDuration::from_hours(24);

/// An event with no more than it must have.
pub(crate) fn event(uuid: u128, name: &str, distinct_id: &str, timestamp: Timestamp) -> Event {
    Event {
        uuid: Uuid::from_u128(uuid),
        event: EventName::from(name),
        distinct_id: distinct_id.to_owned(),
        person_id: None,
        timestamp,
        created_at: timestamp,
        session_id: None,
        window_id: None,
        host: None,
        path: None,
        referrer: None,
        utm_source: None,
        utm_medium: None,
        utm_campaign: None,
        utm_content: None,
        utm_term: None,
        device_type: None,
        elements_chain: None,
        event_type: None,
        anon_distinct_id: None,
        alias: None,
        product_id: None,
        sku: None,
        price: None,
        currency: None,
        quantity: None,
        cart_id: None,
        id_properties: BTreeMap::new(),
    }
}

/// `event` carrying identity properties.
pub(crate) fn carrying(event: Event, properties: &[(&str, &str)]) -> Event {
    Event {
        id_properties: properties
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..event
    }
}

/// A mapping by names; a `$pageview` counts as Product viewed on product pages only.
pub(crate) fn mapping(added_to_cart: &[&str], checkout_started: &[&str]) -> Mapping {
    let stage = |stage, rules| StageMapping {
        stage,
        source: StageSource::Override,
        rules,
    };
    let rules = |names: &[&str]| {
        names
            .iter()
            .map(|name| StageRule {
                name: EventName::from(*name),
                url_path: None,
            })
            .collect()
    };
    Mapping {
        stages: vec![
            stage(
                PostHogStage::ProductViewed,
                vec![StageRule {
                    name: EventName::from("$pageview"),
                    url_path: Some(PathPattern::parse("/products/*").unwrap()),
                }],
            ),
            stage(PostHogStage::AddedToCart, rules(added_to_cart)),
            stage(PostHogStage::CheckoutStarted, rules(checkout_started)),
        ],
        checkout_source: CheckoutSource::Auto,
    }
}

pub(crate) fn slice(from: i64, to: i64, expected_rows: u64) -> Slice {
    Slice {
        from: hours(from),
        to: hours(to),
        arrived_since: None,
        events: SliceEvents::All,
        part: None,
        expected_rows,
        export: None,
    }
}

pub(crate) fn run(mode: SyncMode, slices: Vec<Slice>) -> NewRun {
    NewRun {
        mode,
        window: Window {
            from: start(),
            to: hours(72),
        },
        arrivals: None,
        started_at: hours(72),
        way: None,
        slices,
    }
}

/// A connection whose lease is held and whose run is open.
pub(crate) struct Site {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) id: ConnectionId,
    pub(crate) lease: Lease,
    pub(crate) run: RunId,
    next_slice: i64,
}

/// Slices that each run of a site begins with.
const SLICES: i64 = 64;

impl Site {
    /// A site of the connection `acme/shop` on a handle of its own.
    pub(crate) async fn new(database: &dyn Database) -> Self {
        Self::named(database.open().await, "shop").await
    }

    /// A site of the connection of that name.
    pub(crate) async fn named(store: Arc<dyn Store>, name: &str) -> Self {
        let record = store
            .put_connection(&desired("acme", name, 7), start())
            .await
            .unwrap();
        let lease = store
            .acquire_lease(record.target, "test", MINUTE)
            .await
            .unwrap();
        let slices = (0..SLICES).map(|_| slice(0, 72, 10)).collect();
        let run = store
            .begin_run(&lease, &run(SyncMode::Backfill, slices))
            .await
            .unwrap();
        Self {
            store,
            id: record.target,
            lease,
            run,
            next_slice: 0,
        }
    }

    /// A page that ends the run's next slice.
    pub(crate) async fn page(&mut self, events: &[Event]) -> Page {
        if self.next_slice == SLICES {
            let slices = (0..SLICES).map(|_| slice(0, 72, 10)).collect();
            let next = run(SyncMode::Backfill, slices);
            self.run = self.store.begin_run(&self.lease, &next).await.unwrap();
            self.next_slice = 0;
        }
        let slice = self.next_slice;
        self.next_slice += 1;
        Page {
            run: self.run,
            slice,
            advance: SliceAdvance::Done,
            events: events.to_vec(),
            late_before: start(),
            cost: RunTotals {
                requests: 1,
                ..RunTotals::default()
            },
        }
    }

    /// Stores events as one page.
    pub(crate) async fn store(&mut self, events: &[Event]) -> PageOutcome {
        let page = self.page(events).await;
        self.store
            .apply_page(&self.lease, page.clone())
            .await
            .unwrap()
    }
}

/// Plays histories of any steps, each on a connection of its own name.
pub(crate) fn any_history<S: Strategy>(steps: S, play: impl AsyncFn(String, S::Value)) {
    let runtime = tokio::runtime::Handle::current();
    let mut runner = TestRunner::new(Config {
        cases: 48,
        failure_persistence: None,
        ..Config::default()
    });
    let case = Cell::new(0);
    tokio::task::block_in_place(|| {
        runner
            .run(&steps, |steps| {
                case.set(case.get() + 1);
                runtime.block_on(play(format!("shop-{}", case.get()), steps));
                Ok(())
            })
            .unwrap();
    });
}

/// Polls a future that many times and then drops it, as a crash would.
pub(crate) async fn cut_off(future: impl Future, polls: usize) {
    let mut future = pin!(future);
    let mut polled = 0;
    std::future::poll_fn(|context| {
        polled += 1;
        if polled > polls || future.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        Poll::Pending
    })
    .await;
}

/// Polls a future that many times, or to its end, before `other` begins; then both go on.
pub(crate) async fn beside<T>(
    future: impl Future<Output = T>,
    polls: usize,
    other: impl Future,
) -> T {
    let mut future = pin!(future);
    let (reach, reached) = oneshot::channel();
    let (mut reach, mut polled) = (Some(reach), 0);
    let first = std::future::poll_fn(|context| {
        let answer = future.as_mut().poll(context);
        polled += 1;
        if (polled >= polls || answer.is_ready())
            && let Some(reach) = reach.take()
        {
            reach.send(()).unwrap();
        }
        answer
    });
    let (first, _) = tokio::join!(first, async {
        reached.await.unwrap();
        other.await
    });
    first
}
