//! Ids resolved from memory, on the store that users have: at every moment what the store answers.

use std::sync::Arc;
use std::time::Duration;

use domain::erasure::erase;
use domain::identity::{IdProperty, IdPropertyKind, IdentityKey};
use domain::storage::{Deletion, DesiredConnection, Lease, PersonMapping, ReadRange, Store};
use grpc::proto::v1;
use grpc::proto::v1::identity_key::Key;
use grpc::proto::v1::identity_service_client::IdentityServiceClient;
use grpc::{GrpcMetrics, Settings};
use jiff::{SignedDuration, Timestamp};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tempfile::TempDir;
use tokio::time::timeout;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::shop::{self, PATIENCE, SHOP, event};
use crate::stored;

/// As many as one call may name, which is enough to get a graph.
const KEYS: usize = 1_000;
const PERSONS: usize = 60;

/// One store, a server that resolves from memory, and one that does not.
struct Shop {
    store: Arc<dyn Store>,
    desired: DesiredConnection,
    lease: Lease,
    registry: Registry,
    memory: IdentityServiceClient<Channel>,
    plain: IdentityServiceClient<Channel>,
    _folder: TempDir,
}

impl Shop {
    async fn start(identity_memory: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("shop.db").display());
        let store = store::open(&url, store::OpenOptions::default()).await;
        let store = store.unwrap();
        let desired = DesiredConnection {
            deletion: Deletion::Delete {
                grace: SignedDuration::ZERO,
            },
            id_properties: vec![IdProperty {
                kind: IdPropertyKind::Customer,
                property: "customer_id".to_owned(),
            }],
            ..shop::record(shop::name()).desired
        };
        let lease = put(&*store, &desired).await;
        let mut registry = Registry::default();
        let metrics = GrpcMetrics::register(&mut registry);
        let memory = serve(&store, identity_memory, Some(metrics)).await;
        let plain = serve(&store, 0, None).await;
        Self {
            store,
            desired,
            lease,
            registry,
            memory,
            plain,
            _folder: folder,
        }
    }

    async fn store(&self, events: impl IntoIterator<Item = domain::Event>) {
        let events = events.into_iter().collect();
        stored::sync(&*self.store, &self.lease, events).await;
    }

    /// Maps distinct ids to persons, by number.
    async fn map(&self, ids: impl IntoIterator<Item = (usize, usize)>) {
        let mapping = |(id, person)| PersonMapping {
            distinct_id: format!("d{id}"),
            person_id: Uuid::from_u128(person as u128),
        };
        let mappings: Vec<PersonMapping> = ids.into_iter().map(mapping).collect();
        let observed = self.store.observe_persons(
            &self.lease,
            &mappings,
            &ReadRange::Answered,
            Timestamp::now(),
        );
        observed.await.unwrap();
    }

    fn remembered(&self) -> usize {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        let counter = r#"ordinary_posthog_identities_resolved_total{from="memory"} "#;
        let line = text.lines().find_map(|line| line.strip_prefix(counter));
        line.unwrap().parse().unwrap()
    }

    /// Asks both servers, at once and then until everything comes from memory.
    async fn assert_alike(&mut self) -> Vec<v1::ResolvedIdentity> {
        let expected = resolved(&mut self.plain).await;
        let remembering = timeout(PATIENCE, async {
            loop {
                let before = self.remembered();
                assert_same(&resolved(&mut self.memory).await, &expected);
                if self.remembered() == before + KEYS {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        remembering.await.expect("memory never answered");
        expected
    }
}

async fn put(store: &dyn Store, desired: &DesiredConnection) -> Lease {
    let record = store.put_connection(desired, Timestamp::now()).await;
    let ttl = Duration::from_secs(600);
    let target = record.unwrap().target;
    let lease = store.acquire_lease(target, "test", ttl).await.unwrap();
    store.set_time_zone(&lease, "UTC").await.unwrap();
    store.remap(&lease, &shop::mapping()).await.unwrap();
    lease
}

async fn serve(
    store: &Arc<dyn Store>,
    identity_memory: usize,
    metrics: Option<GrpcMetrics>,
) -> IdentityServiceClient<Channel> {
    let settings = Settings {
        identity_memory,
        ..shop::settings()
    };
    let channel = stored::serve_with(Arc::clone(store), settings, metrics).await;
    IdentityServiceClient::new(channel)
}

/// Ids of every kind, and some that nobody has.
async fn resolved(client: &mut IdentityServiceClient<Channel>) -> Vec<v1::ResolvedIdentity> {
    let key = |number: usize| {
        let of = number / 4 % (PERSONS + 2);
        match number % 4 {
            0 | 1 => Key::DistinctId(format!("d{}", of * 2 + number % 2)),
            2 => Key::PersonId(Uuid::from_u128(of as u128).to_string()),
            _ => Key::CustomerId(format!("c{of}")),
        }
    };
    let keys = (0..KEYS).map(|number| v1::IdentityKey {
        key: Some(key(number)),
    });
    let request = v1::ResolveIdentitiesRequest {
        parent: SHOP.to_owned(),
        keys: keys.collect(),
    };
    let answer = client.resolve_identities(request).await.unwrap();
    v1::ResolvedIdentity::unpack(answer.into_inner().identities).unwrap()
}

/// One by one: of a thousand nobody finds the one that differs.
fn assert_same(memory: &[v1::ResolvedIdentity], store: &[v1::ResolvedIdentity]) {
    assert_eq!(memory.len(), store.len());
    for (memory, store) in memory.iter().zip(store) {
        assert_eq!(memory, store);
    }
}

/// An event of a distinct id that carries a customer id.
fn carrying(number: usize, id: usize, customer: usize) -> domain::Event {
    let mut event = event(number as u128, "seen", number as i64).event;
    event.distinct_id = format!("d{id}");
    event
        .id_properties
        .insert("customer_id".to_owned(), format!("c{customer}"));
    event
}

#[tokio::test]
async fn whatever_happens_memory_answers_what_the_store_answers() {
    let mut shop = Shop::start(64 * 1024 * 1024).await;
    shop.map((0..2 * PERSONS).map(|id| (id, id / 2))).await;
    shop.store((0..PERSONS).map(|number| carrying(number, 2 * number, number)))
        .await;
    let first = shop.assert_alike().await;
    assert_eq!(first[0].primary_customer_id(), "c0");
    assert_eq!(first[0].distinct_ids, ["d0", "d1"]);

    // An id moves: another person's customer.
    shop.map([(1, 1)]).await;
    let moved = shop.assert_alike().await;
    assert_eq!(moved[0].distinct_ids, ["d0"]);

    // An id carries another customer too, and then no more.
    shop.store([carrying(900, 0, 7)]).await;
    let conflict = shop.assert_alike().await;
    assert_eq!(conflict[0].customer_ids, ["c0", "c7"]);
    let gone = [Uuid::from_u128(900)];
    shop.store.remove_events(&shop.lease, &gone).await.unwrap();
    assert_eq!(shop.assert_alike().await[0].customer_ids, ["c0"]);

    // All mappings are seen again, which changes none.
    let later = Timestamp::now();
    shop.store.persons_read(&shop.lease, later).await.unwrap();
    let seen = shop.assert_alike().await[0].evidence[0].last_seen_time;
    assert_eq!(seen.unwrap().seconds, later.as_second());

    // Somebody is erased.
    let key = IdentityKey::DistinctId("d0".to_owned());
    erase(&*shop.store, &shop::name(), &key, Timestamp::now())
        .await
        .unwrap();
    let erased = shop.assert_alike().await;
    assert_eq!(erased[0].status(), v1::resolved_identity::Status::Unknown);

    // Another property carries customers.
    shop.desired.id_properties[0].property = "shop_customer".to_owned();
    let put = shop.store.put_connection(&shop.desired, Timestamp::now());
    put.await.unwrap();
    assert!(shop.assert_alike().await[8].customer_ids.is_empty());
}

#[tokio::test]
async fn a_connection_of_the_same_name_is_not_answered_from_an_earlier_life() {
    let mut shop = Shop::start(64 * 1024 * 1024).await;
    shop.map((0..2 * PERSONS).map(|id| (id, id / 2))).await;
    shop.assert_alike().await;
    let store = Arc::clone(&shop.store);
    store.release_lease(&shop.lease).await.unwrap();
    let now = Timestamp::now();
    store.mark_deleted(&shop::name(), now).await.unwrap();
    store.purge_connection(&shop::name(), now).await.unwrap();
    // As many changes of others: the numbers of the last ones are alike.
    shop.lease = put(&*store, &shop.desired).await;
    shop.map((0..2 * PERSONS).map(|id| (id, PERSONS + id)))
        .await;
    let reborn = shop.assert_alike().await;
    assert_eq!(
        reborn[0].person_ids,
        [Uuid::from_u128(PERSONS as u128).to_string()]
    );
}

#[tokio::test]
async fn what_does_not_fit_into_memory_is_answered_from_the_store() {
    let mut shop = Shop::start(4_096).await;
    shop.map((0..2 * PERSONS).map(|id| (id, id / 2))).await;
    for _ in 0..20 {
        let expected = resolved(&mut shop.plain).await;
        assert_same(&resolved(&mut shop.memory).await, &expected);
    }
    assert_eq!(shop.remembered(), 0);
}
