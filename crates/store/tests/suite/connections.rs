//! Connections and epochs: what is wanted and what answers.

use domain::ApiHost;
use domain::check::{CheckSummary, KeySummary, LatestEvent, ProjectSummary};
use domain::connection::{ConnectionId, ConnectionName};
use domain::storage::{ConnectionFailure, Purge, StoreError};

use super::Database;
use super::fixtures::{Site, desired, event, hours, start};
use super::oracle::Oracle;

fn summary() -> CheckSummary {
    CheckSummary {
        checked_at: hours(1),
        host: Some(ApiHost::parse("https://eu.posthog.com").unwrap()),
        project: ProjectSummary {
            id: 7,
            name: "Shop".to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
            event_retention_months: Some(12),
        },
        key: KeySummary {
            masked_value: "phx_...abcd".to_owned(),
            label: "ordinary".to_owned(),
            scopes: vec!["query:read".to_owned()],
            missing_scopes: Vec::new(),
            too_broad: Vec::new(),
        },
        latest_event: Some(LatestEvent {
            name: "$pageview".to_owned(),
            timestamp: hours(0),
        }),
    }
}

pub(crate) async fn a_first_epoch_serves_at_once_and_another_only_when_told(
    database: &dyn Database,
) {
    let store = database.open().await;
    let wanted = desired("acme", "shop", 7);
    let first = store.put_connection(&wanted, start()).await.unwrap();
    assert_eq!(first.desired, wanted);
    assert_eq!(first.target, ConnectionId::of(&wanted.name, &wanted.epoch));
    assert_eq!(first.serving, first.target);
    let epoch = store.epoch(first.target).await.unwrap().unwrap();
    assert_eq!((epoch.id, epoch.epoch), (first.target, wanted.epoch));
    assert_eq!((epoch.mapping_revision, epoch.change_seq), (0, 0));
    assert_eq!((epoch.time_zone, epoch.mapping), (None, None));

    let moved = desired("acme", "shop", 8);
    let second = store.put_connection(&moved, hours(1)).await.unwrap();
    assert_ne!(second.target, first.target);
    assert_eq!(second.serving, first.target);
    let old = store.epoch(first.target).await.unwrap();
    let served = store.served(&moved.name).await.unwrap();
    assert_eq!(served, Some((second.clone(), old)));
    store
        .serve_epoch(&moved.name, second.target, hours(2))
        .await
        .unwrap();
    let now = store.connection(&moved.name).await.unwrap().unwrap();
    assert_eq!(now.serving, second.target);
    let new = store.epoch(second.target).await.unwrap();
    assert!(new.is_some());
    let served = store.served(&moved.name).await.unwrap();
    assert_eq!(served, Some((now, new)));
    let another = desired("acme", "another", 7).name;
    assert_eq!(store.served(&another).await.unwrap(), None);
}

pub(crate) async fn writing_the_same_connection_again_changes_nothing(database: &dyn Database) {
    let store = database.open().await;
    let wanted = desired("acme", "shop", 7);
    let first = store.put_connection(&wanted, start()).await.unwrap();
    store.record_check(&wanted.name, &summary()).await.unwrap();
    let again = store.put_connection(&wanted, hours(5)).await.unwrap();
    assert_eq!(again.check, Some(summary()));
    assert_eq!((again.target, again.serving), (first.target, first.serving));
    let mut paused = wanted.clone();
    paused.suspended = true;
    let changed = store.put_connection(&paused, hours(6)).await.unwrap();
    assert_eq!(changed.desired, paused);
    assert_eq!(changed.check, Some(summary()));
}

pub(crate) async fn a_deleted_connection_is_not_listed_and_comes_back_with_its_rows(
    database: &dyn Database,
) {
    let mut site = Site::new(database).await;
    let name = ConnectionName::new("acme", "shop");
    let events = [event(1, "a", "d", hours(1))];
    site.store(&events).await;
    site.store.mark_deleted(&name, hours(3)).await.unwrap();
    site.store.mark_deleted(&name, hours(4)).await.unwrap();
    let deleted = site.store.connection(&name).await.unwrap().unwrap();
    assert_eq!(deleted.deleted_at, Some(hours(3)));
    assert!(
        site.store
            .connections(None, None, 9)
            .await
            .unwrap()
            .is_empty()
    );

    let again = site
        .store
        .put_connection(&desired("acme", "shop", 7), hours(5))
        .await
        .unwrap();
    assert_eq!((again.deleted_at, again.serving), (None, site.id));
    assert_eq!(
        site.store.connections(None, None, 9).await.unwrap().len(),
        1
    );
    let mut oracle = Oracle::default();
    oracle.apply(&events);
    oracle.assert_kept(&*site.store, site.id).await;
}

pub(crate) async fn connections_are_listed_by_name_and_page_by_page(database: &dyn Database) {
    let store = database.open().await;
    for (namespace, name) in [("b", "x"), ("a", "z"), ("a", "y"), ("a-b", "x"), ("b", "a")] {
        store
            .put_connection(&desired(namespace, name, 7), start())
            .await
            .unwrap();
    }
    let mut seen: Vec<ConnectionName> = Vec::new();
    loop {
        let page = store.connections(None, seen.last(), 2).await.unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page.into_iter().map(|record| record.desired.name));
    }
    let expected = [("a", "y"), ("a", "z"), ("a-b", "x"), ("b", "a"), ("b", "x")]
        .map(|(namespace, name)| ConnectionName::new(namespace, name));
    assert_eq!(seen, expected);
    let of_a = store.connections(Some("a"), None, 9).await.unwrap();
    assert_eq!(of_a.len(), 2);
}

pub(crate) async fn a_check_clears_the_failure(database: &dyn Database) {
    let site = Site::new(database).await;
    let name = ConnectionName::new("acme", "shop");
    let failure = ConnectionFailure {
        reason: "InvalidApiKey".to_owned(),
        message: "Invalid API key.".to_owned(),
        at: hours(1),
    };
    site.store
        .record_failure(&name, Some(&failure))
        .await
        .unwrap();
    let found = site.store.connection(&name).await.unwrap().unwrap();
    assert_eq!((found.check, found.failure), (None, Some(failure.clone())));
    site.store.record_check(&name, &summary()).await.unwrap();
    let found = site.store.connection(&name).await.unwrap().unwrap();
    assert_eq!((found.check, found.failure), (Some(summary()), None));
    site.store
        .record_failure(&name, Some(&failure))
        .await
        .unwrap();
    site.store.record_failure(&name, None).await.unwrap();
    let found = site.store.connection(&name).await.unwrap().unwrap();
    assert_eq!((found.check, found.failure), (Some(summary()), None));
}

pub(crate) async fn what_is_not_there_is_not_found(database: &dyn Database) {
    let store = database.open().await;
    let nobody = desired("acme", "nobody", 7);
    let id = ConnectionId::of(&nobody.name, &nobody.epoch);
    assert_eq!(store.connection(&nobody.name).await.unwrap(), None);
    assert_eq!(store.epoch(id).await.unwrap(), None);
    let nothing = Purge::Done { events: 0 };
    assert_eq!(
        store.purge_connection(&nobody.name, start()).await.unwrap(),
        nothing
    );
    let answers = [
        store.record_check(&nobody.name, &summary()).await,
        store.record_failure(&nobody.name, None).await,
        store.mark_deleted(&nobody.name, start()).await,
        store.serve_epoch(&nobody.name, id, start()).await,
        store
            .acquire_lease(id, "test", super::fixtures::MINUTE)
            .await
            .map(drop),
    ];
    for answer in answers {
        assert!(
            matches!(answer, Err(StoreError::NotFound { .. })),
            "{answer:?}"
        );
    }
    Oracle::default().assert_kept(&*store, id).await;
}

pub(crate) async fn page_token_keys_are_the_same_for_every_process(database: &dyn Database) {
    let (one, other) = (database.open().await, database.open().await);
    let (first, second) = tokio::join!(one.page_token_keys(), other.page_token_keys());
    let first = first.unwrap();
    assert_eq!(first, second.unwrap());
    assert!(!first.is_empty());
    assert!(
        first
            .iter()
            .all(|key| key.len() == 32 && key.iter().any(|byte| *byte != 0))
    );
    assert_eq!(one.page_token_keys().await.unwrap(), first);
}

pub(crate) async fn a_store_answers_a_ping(database: &dyn Database) {
    database.open().await.ping().await.unwrap();
}
