use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use domain::ConnectionName;
use domain::storage::{BudgetLimits, Grant, Store};
use domain::sync::SyncMode;
use jiff::SignedDuration;
use posthog_stub::{Endpoint, Event, Fault};
use sync::progress::{Progress, Update};
use sync::{RunSummary, Scheduled, Scheduler, SchedulerConfig};
use test_store::{Fate, FatedStore};

use crate::oracle::{assert_exact, project};
use crate::shop::{KEY, NOW, Shop, at, days, key, patient};

/// Remembers what it was told.
#[derive(Default)]
struct Told(Mutex<Vec<Update>>);

impl Progress for Told {
    fn report(&self, _: &ConnectionName, update: Update) {
        self.0.lock().unwrap().push(update);
    }
}

impl Told {
    fn finished(&self) -> Vec<RunSummary> {
        let told = self.0.lock().unwrap();
        told.iter()
            .filter_map(|update| match update {
                Update::Finished(summary) => Some((**summary).clone()),
                _ => None,
            })
            .collect()
    }

    fn failures(&self) -> Vec<(&'static str, Option<jiff::Timestamp>)> {
        let told = self.0.lock().unwrap();
        told.iter()
            .filter_map(|update| match update {
                Update::Failed {
                    reason, retry_at, ..
                } => Some((*reason, *retry_at)),
                _ => None,
            })
            .collect()
    }
}

fn scheduler(shop: &Shop, told: &Arc<Told>) -> Scheduler {
    scheduler_on(shop, Arc::clone(&shop.store), told)
}

fn scheduler_on(shop: &Shop, store: Arc<dyn Store>, told: &Arc<Told>) -> Scheduler {
    Scheduler::new(SchedulerConfig {
        store,
        http: shop.http.clone(),
        clock: shop.clock.clone(),
        progress: Arc::clone(told) as Arc<dyn Progress>,
        holder: "test".into(),
        max_concurrent: 1,
        region_probe: false,
        retry: patient(),
    })
}

fn scheduled(shop: &Shop) -> Scheduled {
    Scheduled {
        settings: shop.settings.clone(),
        key: key(KEY),
        refresh_requested: None,
    }
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        let is_late = begun.elapsed() > Duration::from_secs(120);
        assert!(!is_late, "{what} did not happen within two minutes");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

#[tokio::test]
async fn a_new_connection_is_checked_and_backfilled_and_a_restart_waits_for_its_tick() {
    let shop = Shop::open(project(1, 100, at(NOW), days(30))).await;
    let told = Arc::new(Told::default());
    let mut kept = scheduler(&shop, &told);
    kept.set(vec![scheduled(&shop)]).await.unwrap();
    until("the backfill", || told.finished().len() == 1).await;
    kept.drain().await;
    let summary = told.finished().remove(0);
    assert_eq!(summary.mode, SyncMode::Backfill);
    assert_exact(&shop, summary.from, summary.to).await;
    let name = &shop.settings.desired.name;
    let record = shop.store.connection(name).await.unwrap().unwrap();
    assert!(record.check.is_some());

    let mut again = scheduler(&shop, &told);
    again.set(vec![scheduled(&shop)]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    again.drain().await;
    assert_eq!(told.finished().len(), 1, "no tick has come");

    shop.pass(SignedDuration::from_hours(2));
    let late = shop.clock_now();
    shop.edit(|project| {
        project.capture(Event::new(
            "$pageview",
            "b",
            late - SignedDuration::from_mins(9),
        ));
    });
    let mut later = scheduler(&shop, &told);
    later.set(vec![scheduled(&shop)]).await.unwrap();
    until("the refresh", || told.finished().len() == 2).await;
    later.drain().await;
    assert_eq!(told.finished()[1].mode, SyncMode::Refresh);
}

#[tokio::test]
async fn a_bad_key_is_told_with_the_time_of_the_next_attempt_and_a_new_key_starts_at_once() {
    let shop = Shop::open(project(1, 30, at(NOW), days(30))).await;
    let told = Arc::new(Told::default());
    let mut kept = scheduler(&shop, &told);
    let mut bad = scheduled(&shop);
    bad.key = key("phx_unknownunknownunknownunknown");
    kept.set(vec![bad]).await.unwrap();
    until("the failure", || !told.failures().is_empty()).await;
    let (reason, retry_at) = told.failures().remove(0);
    assert_eq!(reason, "InvalidApiKey");
    assert!(retry_at.unwrap() > at(NOW));
    let name = shop.settings.desired.name.clone();
    let record = shop.store.connection(&name).await.unwrap().unwrap();
    assert_eq!(record.failure.unwrap().reason, "InvalidApiKey");

    kept.set(vec![scheduled(&shop)]).await.unwrap();
    until("the backfill", || told.finished().len() == 1).await;
    kept.drain().await;
    let record = shop.store.connection(&name).await.unwrap().unwrap();
    assert_eq!(record.failure, None);
}

#[tokio::test]
async fn a_refresh_asked_for_runs_before_its_tick_and_only_once() {
    let shop = Shop::open(project(1, 30, at(NOW), days(30))).await;
    let told = Arc::new(Told::default());
    let mut kept = scheduler(&shop, &told);
    kept.set(vec![scheduled(&shop)]).await.unwrap();
    until("the backfill", || told.finished().len() == 1).await;

    shop.pass(SignedDuration::from_mins(1));
    let mut asking = scheduled(&shop);
    asking.refresh_requested = Some("now".to_owned());
    kept.set(vec![asking.clone()]).await.unwrap();
    until("the refresh", || told.finished().len() == 2).await;
    assert_eq!(told.finished()[1].mode, SyncMode::Refresh);

    kept.set(vec![asking]).await.unwrap();
    kept.drain().await;
    assert_eq!(
        told.finished().len(),
        2,
        "the same request asks for nothing new"
    );
}

#[tokio::test]
async fn nothing_is_pulled_while_suspended_or_on_too_low_a_plan() {
    use domain::plan::{Plan, PlanStanding};
    let mut shop = Shop::open(project(1, 30, at(NOW), days(30))).await;
    let told = Arc::new(Told::default());
    let mut kept = scheduler(&shop, &told);
    shop.settings.desired.suspended = true;
    kept.set(vec![scheduled(&shop)]).await.unwrap();
    until("the suspension", || told.failures().len() == 1).await;
    shop.settings.desired.suspended = false;
    shop.settings.desired.plan = PlanStanding::TooLow { plan: Plan::Free };
    kept.set(vec![scheduled(&shop)]).await.unwrap();
    until("the plan", || told.failures().len() == 2).await;
    let reasons: Vec<_> = told
        .failures()
        .into_iter()
        .map(|(reason, _)| reason)
        .collect();
    assert_eq!(reasons, ["Suspended", "PlanTooLow"]);
    assert!(shop.stub.requests().is_empty());

    shop.settings.desired.plan = PlanStanding::Eligible { plan: Plan::Growth };
    kept.set(vec![scheduled(&shop)]).await.unwrap();
    until("the backfill", || told.finished().len() == 1).await;
    kept.drain().await;
}

#[tokio::test]
async fn a_connection_that_is_no_longer_wanted_stops_being_read_and_keeps_its_rows() {
    let shop = Shop::open(project(1, 30, at(NOW), days(30))).await;
    let told = Arc::new(Told::default());
    let mut kept = scheduler(&shop, &told);
    kept.set(vec![scheduled(&shop)]).await.unwrap();
    until("the backfill", || told.finished().len() == 1).await;
    kept.set(Vec::new()).await.unwrap();
    kept.drain().await;
    let name = &shop.settings.desired.name;
    let record = shop.store.connection(name).await.unwrap().unwrap();
    assert!(record.deleted_at.is_some());
    assert!(!shop.rows().await.is_empty());
}

#[tokio::test]
async fn a_connection_that_goes_just_when_its_own_task_writes_it_down_stays_gone() {
    let shop = Shop::open(project(1, 30, at(NOW), days(30))).await;
    let told = Arc::new(Told::default());
    // The task's first write is that the connection lives; there it stands still.
    let store = FatedStore::new(Arc::clone(&shop.store), 0, Fate::GoesOn);
    let mut kept = scheduler_on(&shop, store.clone(), &told);
    kept.set(vec![scheduled(&shop)]).await.unwrap();
    store.stands().await;
    let name = &shop.settings.desired.name;
    let (gone, ()) = tokio::join!(kept.set(Vec::new()), async {
        while is_living(&shop).await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        store.go_on();
    });
    gone.unwrap();
    assert!(!is_living(&shop).await, "its own task revived {name}");
    kept.drain().await;
    assert!(!is_living(&shop).await);
}

async fn is_living(shop: &Shop) -> bool {
    let name = &shop.settings.desired.name;
    let record = shop.store.connection(name).await.unwrap().unwrap();
    record.deleted_at.is_none()
}

#[tokio::test]
async fn a_time_to_come_back_that_is_years_away_is_kept_to_for_two_hours() {
    let shop = Shop::open(project(1, 30, at(NOW), days(30))).await;
    let told = Arc::new(Told::default());
    let years = Fault::Budget {
        retry_after: 20 * 365 * 24 * 3600,
    };
    shop.stub.faults().push(Endpoint::Query, years);
    let mut kept = scheduler(&shop, &told);
    kept.set(vec![scheduled(&shop)]).await.unwrap();
    until("the failure", || !told.failures().is_empty()).await;
    kept.drain().await;
    let (reason, retry_at) = told.failures().remove(0);
    assert_eq!(reason, "Throttled");
    let two_hours = SignedDuration::from_hours(2);
    assert_eq!(retry_at.unwrap().duration_since(at(NOW)), two_hours);

    // The pause that processes share is one of real time.
    let key = &shop.settings.desired.epoch;
    let limits = BudgetLimits::PUBLISHED;
    let ttl = Duration::from_secs(60);
    let now = jiff::Timestamp::now();
    let Grant::Wait(wait) = shop.store.take(key, limits, now, ttl).await.unwrap() else {
        panic!("nobody waits");
    };
    assert!(wait > Duration::from_secs(7100) && wait <= Duration::from_secs(7200));
    let after = now + two_hours;
    let grant = shop.store.take(key, limits, after, ttl).await.unwrap();
    assert!(matches!(grant, Grant::Granted { .. }), "{grant:?}");
}
