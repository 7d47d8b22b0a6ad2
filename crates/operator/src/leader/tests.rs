//! Elections on a real API server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kube::client::ClientBuilder;
use test_kubernetes::Server;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tower::util::MapFutureLayer;

use super::*;

/// So short that a test can wait for it.
const SHORT: LeaseTiming = LeaseTiming {
    duration: Duration::from_secs(2),
    renew_deadline: Duration::from_secs(1),
    retry: Duration::from_millis(100),
};
/// So long that only a Lease that was given back changes hands within a test.
const LONG: LeaseTiming = LeaseTiming {
    duration: Duration::from_secs(600),
    renew_deadline: Duration::from_secs(60),
    retry: Duration::from_millis(100),
};

fn server() -> &'static Server {
    Server::shared().unwrap()
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
        let election = Election {
            api: Api::namespaced(client, namespace),
            timing,
            candidate: Candidate::new(name.to_owned(), timing.duration),
            held: Instant::now(),
            metrics: Metrics::default(),
        };
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

async fn holder(namespace: &str) -> String {
    let api: Api<Lease> = Api::namespaced(server().client().unwrap(), namespace);
    let spec = api.get(LEASE).await.unwrap().spec.unwrap();
    spec.holder_identity.unwrap_or_default()
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
    let start = |name| Replica::start(server().client().unwrap(), &namespace, name, SHORT);
    let mut first = start("first");
    first.begins().await;
    let mut second = start("second");
    second.stands_by().await;
    first.task.abort();
    let died = Instant::now();
    second.begins().await;
    // It may have renewed a retry before it died.
    assert!(died.elapsed() >= SHORT.duration - SHORT.retry * 2);
    second.shutdown.cancel();
    second.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_leader_whose_lease_another_holds_stops_working() {
    let namespace = server().namespace("leader", &[]).await.unwrap();
    let client = server().client().unwrap();
    let mut first = Replica::start(client.clone(), &namespace, "first", LONG);
    first.begins().await;
    let api: Api<Lease> = Api::namespaced(client, &namespace);
    let theirs = serde_json::json!({"spec": {"holderIdentity": "second"}});
    let patch = kube::api::Patch::Merge(theirs);
    api.patch(LEASE, &kube::api::PatchParams::default(), &patch)
        .await
        .unwrap();
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
    let mut first = Replica::start(client, &namespace, "first", SHORT);
    first.begins().await;
    let mut second = Replica::start(server().client().unwrap(), &namespace, "second", SHORT);
    second.stands_by().await;

    is_cut.store(true, Ordering::SeqCst);
    assert_eq!(first.works.recv().await, Some(false));
    let ended = first.task.await.unwrap();
    assert!(matches!(ended, Err(Error::LeadershipLost)));
    assert!(second.works.is_empty(), "both worked at once");
    second.begins().await;
    second.shutdown.cancel();
    second.task.await.unwrap().unwrap();
}
