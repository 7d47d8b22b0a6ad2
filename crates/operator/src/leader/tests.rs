//! Elections on a real API server.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use kube::api::{Patch, PatchParams};
use kube::client::ClientBuilder;
use test_kubernetes::Server;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tower::util::MapFutureLayer;

use super::*;

/// So long that a Lease changes hands within a test only when it was given back, or the test has it end.
const LONG: LeaseTiming = LeaseTiming {
    duration: Duration::from_secs(600),
    renew_deadline: Duration::from_secs(60),
    retry: Duration::from_millis(100),
};

fn server() -> &'static Server {
    Server::shared().unwrap()
}

fn election(client: kube::Client, namespace: &str, name: &str, timing: LeaseTiming) -> Election {
    Election {
        api: Api::namespaced(client, namespace),
        timing,
        candidate: Candidate::new(name.to_owned(), timing.duration),
        held: Instant::now(),
        metrics: Metrics::default(),
    }
}

/// A replica that tells when its work begins and ends.
struct Replica {
    shutdown: CancellationToken,
    readiness: Readiness,
    works: mpsc::UnboundedReceiver<bool>,
    task: JoinHandle<Result<(), Error>>,
}

impl Replica {
    fn start(client: kube::Client, namespace: &str, name: &str, timing: LeaseTiming) -> Self {
        let election = election(client, namespace, name, timing);
        let (shutdown, readiness) = (CancellationToken::new(), Readiness::default());
        let (told, works) = mpsc::unbounded_channel();
        let (token, ready) = (shutdown.clone(), readiness.clone());
        let task = tokio::spawn(async move {
            election
                .lead(&ready, &token, async move |tenure: CancellationToken| {
                    told.send(true).unwrap();
                    tenure.cancelled().await;
                    told.send(false).unwrap();
                    Ok(())
                })
                .await
        });
        Self {
            shutdown,
            readiness,
            works,
            task,
        }
    }

    async fn begins(&mut self) {
        assert_eq!(self.works.recv().await, Some(true));
    }

    async fn stands_by(&self) {
        while self.readiness.missing().is_some() {
            sleep(Duration::from_millis(20)).await;
        }
    }
}

fn leases(namespace: &str) -> Api<Lease> {
    Api::namespaced(server().client().unwrap(), namespace)
}

async fn holder(namespace: &str) -> String {
    let lease = leases(namespace).get(LEASE).await.unwrap();
    lease.spec.unwrap().holder_identity.unwrap_or_default()
}

/// Has the Lease say something else, whoever holds it.
async fn rewrite(namespace: &str, spec: serde_json::Value) {
    let patch = Patch::Merge(serde_json::json!({"spec": spec}));
    leases(namespace)
        .patch(LEASE, &PatchParams::default(), &patch)
        .await
        .unwrap();
}

/// Has the Lease end a second after whoever stands by sees this.
async fn let_it_end(namespace: &str) {
    rewrite(namespace, serde_json::json!({"leaseDurationSeconds": 1})).await;
}

#[tokio::test]
async fn one_replica_works_and_the_other_goes_on_at_once_when_it_ends_in_order() {
    let namespace = server().namespace("leader", &[]).await.unwrap();
    let start = |name| Replica::start(server().client().unwrap(), &namespace, name, LONG);
    let mut first = start("first");
    first.begins().await;
    let mut second = start("second");
    second.stands_by().await;
    sleep(LONG.retry * 3).await;
    assert!(second.works.is_empty());
    assert_eq!(holder(&namespace).await, "first");

    first.shutdown.cancel();
    second.begins().await;
    // The first had ended before the Lease was given back.
    assert_eq!(first.works.recv().await, Some(false));
    first.task.await.unwrap().unwrap();
    assert_eq!(holder(&namespace).await, "second");
    second.shutdown.cancel();
    second.task.await.unwrap().unwrap();
    assert_eq!(holder(&namespace).await, "");
}

#[tokio::test]
async fn a_standby_that_is_stopped_leaves_the_lease_alone() {
    let namespace = server().namespace("leader", &[]).await.unwrap();
    let start = |name| Replica::start(server().client().unwrap(), &namespace, name, LONG);
    let mut first = start("first");
    first.begins().await;
    let second = start("second");
    second.stands_by().await;
    second.shutdown.cancel();
    second.task.await.unwrap().unwrap();
    assert_eq!(holder(&namespace).await, "first");
    first.shutdown.cancel();
    first.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_replica_that_died_is_followed_once_its_lease_has_run_out() {
    let namespace = server().namespace("leader", &[]).await.unwrap();
    let start = |name| Replica::start(server().client().unwrap(), &namespace, name, LONG);
    let mut first = start("first");
    first.begins().await;
    let mut second = start("second");
    second.stands_by().await;
    first.task.abort();
    let _ = first.task.await;
    let died = Instant::now();
    let_it_end(&namespace).await;
    second.begins().await;
    // What a busy machine adds makes it only later.
    assert!(died.elapsed() >= Duration::from_secs(1));
    second.shutdown.cancel();
    second.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_lease_of_another_is_waited_for_from_when_it_was_seen() {
    let namespace = server().namespace("leader", &[]).await.unwrap();
    let client = server().client().unwrap();
    let mut first = election(client, &namespace, "first", LONG);
    assert!(matches!(first.attempt().await.unwrap(), Attempt::Held));

    let answered = Arc::new(Mutex::new(None));
    let tell = Arc::clone(&answered);
    let layer = MapFutureLayer::new(move |answer| {
        let tell = Arc::clone(&tell);
        async move {
            let answer = answer.await;
            *tell.lock().unwrap() = Some(Instant::now());
            answer
        }
    });
    let builder = ClientBuilder::try_from(server().config()).unwrap();
    let client = builder.with_layer(&layer).build();
    let mut second = election(client, &namespace, "second", LONG);
    assert!(matches!(
        second.attempt().await.unwrap(),
        Attempt::HeldBy(_)
    ));

    // The first may have renewed as late as that.
    let answered = answered.lock().unwrap().unwrap();
    let almost = answered + LONG.duration - Duration::from_nanos(1);
    let lease = leases(&namespace).get(LEASE).await.unwrap();
    let step = second.candidate.next(Some(lease), almost, Timestamp::now());
    assert!(matches!(step, Step::Wait { .. }), "{step:?}");
}

#[tokio::test]
async fn a_leader_whose_lease_another_holds_stops_working() {
    let namespace = server().namespace("leader", &[]).await.unwrap();
    let client = server().client().unwrap();
    let mut first = Replica::start(client, &namespace, "first", LONG);
    first.begins().await;
    rewrite(&namespace, serde_json::json!({"holderIdentity": "second"})).await;
    assert_eq!(first.works.recv().await, Some(false));
    let ended = first.task.await.unwrap();
    assert!(matches!(ended, Err(Error::LeadershipLost)));
    assert_eq!(holder(&namespace).await, "second");
}

#[tokio::test]
async fn a_leader_that_cannot_reach_the_api_server_stops_before_another_may_lead() {
    let namespace = server().namespace("leader", &[]).await.unwrap();
    let is_cut = Arc::new(AtomicBool::new(false));
    let cut = Arc::clone(&is_cut);
    let layer = MapFutureLayer::new(move |answer| {
        let is_cut = cut.load(Ordering::SeqCst);
        async move {
            // As behind a network that swallows packets: there is never an answer.
            if is_cut {
                std::future::pending::<()>().await;
            }
            answer.await
        }
    });
    let builder = ClientBuilder::try_from(server().config()).unwrap();
    let client = builder.with_layer(&layer).build();
    // So that it stops within a test, and yet long before its Lease ends.
    let soon = LeaseTiming {
        renew_deadline: Duration::from_secs(1),
        ..LONG
    };
    let mut first = Replica::start(client, &namespace, "first", soon);
    first.begins().await;
    let mut second = Replica::start(server().client().unwrap(), &namespace, "second", LONG);
    second.stands_by().await;

    is_cut.store(true, Ordering::SeqCst);
    assert_eq!(first.works.recv().await, Some(false));
    let ended = first.task.await.unwrap();
    assert!(matches!(ended, Err(Error::LeadershipLost)));
    assert!(second.works.is_empty(), "both worked at once");
    let_it_end(&namespace).await;
    second.begins().await;
    second.shutdown.cancel();
    second.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_leader_stops_in_time_however_rarely_it_tries_to_renew() {
    let namespace = server().namespace("leader", &[]).await.unwrap();
    let rarely = LeaseTiming {
        renew_deadline: Duration::from_millis(1),
        retry: Duration::from_secs(3600),
        ..LONG
    };
    let client = server().client().unwrap();
    let mut alone = election(client, &namespace, "alone", rarely);
    assert!(matches!(alone.attempt().await.unwrap(), Attempt::Held));
    let stopped = timeout(LONG.renew_deadline, alone.until_lost()).await;
    assert!(stopped.is_ok(), "it waits for its next attempt");
}

#[test]
fn the_work_of_a_lost_leader_is_dropped_before_another_may_lead() {
    let timing = LeaseTiming::default();
    let held = Instant::now();
    let after = |seconds| held + Duration::from_secs(seconds);
    // Another holds the Lease already, and the work has 5 seconds to end in order.
    assert_eq!(timing.drops_at(held, after(2)), after(7));
    assert_eq!(timing.drops_at(held, after(10)), after(15));
    // The process stood still.
    for late in [12, 15, 99] {
        assert_eq!(timing.drops_at(held, after(late)), after(15));
    }
}

#[tokio::test]
async fn leadership_is_given_back_even_when_a_renewal_under_way_comes_between() {
    let namespace = server().namespace("leader", &[]).await.unwrap();
    let comes_between = Arc::new(AtomicBool::new(false));
    let (once, of) = (Arc::clone(&comes_between), namespace.clone());
    let layer = MapFutureLayer::new(move |answer| {
        let (once, of) = (Arc::clone(&once), of.clone());
        async move {
            let answer = answer.await;
            // The Lease is on its way to who asked for it, and another version in its place already.
            if once.swap(false, Ordering::SeqCst) {
                rewrite(
                    &of,
                    serde_json::json!({"renewTime": "2026-03-01T00:00:00.000000Z"}),
                )
                .await;
            }
            answer
        }
    });
    let builder = ClientBuilder::try_from(server().config()).unwrap();
    let client = builder.with_layer(&layer).build();
    let mut alone = election(client, &namespace, "alone", LONG);
    assert!(matches!(alone.attempt().await.unwrap(), Attempt::Held));
    comes_between.store(true, Ordering::SeqCst);
    alone.give_back().await;
    assert_eq!(holder(&namespace).await, "");
}
