//! Epochs that a connection has left: kept while somebody could come back to them, then removed.

use std::sync::Arc;

use domain::connection::{ConnectionId, ConnectionName};
use domain::storage::{Lease, Purge, RunEnd, Store, StoreError};
use domain::sync::SyncMode;

use super::Database;
use super::fixtures::{MINUTE, Site, cut_off, desired, event, hours, run, start};
use super::oracle::Oracle;

/// Points the connection at a project, and takes its epoch's lease.
async fn point_at(store: &Arc<dyn Store>, name: &str, project: i64) -> Lease {
    let moved = desired("acme", name, project);
    let record = store.put_connection(&moved, hours(73)).await.unwrap();
    store
        .acquire_lease(record.target, "test", MINUTE)
        .await
        .unwrap()
}

/// Ends a backfill at that hour and moves reads to it, as a run does.
async fn serve(store: &Arc<dyn Store>, name: &str, lease: &Lease, at: i64) {
    let run = store
        .begin_run(lease, &run(SyncMode::Backfill, Vec::new()))
        .await
        .unwrap();
    store
        .end_run(lease, run, &RunEnd::Complete, hours(at))
        .await
        .unwrap();
    let name = ConnectionName::new("acme", name);
    store
        .serve_epoch(&name, lease.connection, hours(at))
        .await
        .unwrap();
}

async fn assert_there(store: &Arc<dyn Store>, id: ConnectionId) {
    let mut oracle = Oracle::default();
    oracle.apply(&[event(1, "a", "d", hours(1))]);
    oracle.assert_kept(&**store, id).await;
}

pub(crate) async fn what_was_left_goes_once_the_next_is_complete_for_long_enough(
    database: &dyn Database,
) {
    let store = database.open().await;
    let mut left = Site::named(store.clone(), "shop").await;
    let mut other = Site::named(store.clone(), "other").await;
    for site in [&mut left, &mut other] {
        site.store(&[event(1, "a", "d", hours(1))]).await;
    }
    serve(&store, "shop", &left.lease, 72).await;

    // Reads are still answered from it.
    let next = point_at(&store, "shop", 8).await;
    let removed = store.remove_left_epochs(&next, hours(999)).await.unwrap();
    assert_eq!(removed, 0);
    assert_there(&store, left.id).await;

    serve(&store, "shop", &next, 80).await;
    let removed = store.remove_left_epochs(&next, hours(79)).await.unwrap();
    assert_eq!(removed, 0);
    assert_there(&store, left.id).await;

    let removed = store.remove_left_epochs(&next, hours(80)).await.unwrap();
    assert_eq!(removed, 1);
    assert_eq!(store.epoch(left.id).await.unwrap(), None);
    Oracle::default().assert_kept(&*store, left.id).await;
    assert!(store.epoch(next.connection).await.unwrap().is_some());
    assert_there(&store, other.id).await;
    let again = store.remove_left_epochs(&next, hours(999)).await.unwrap();
    assert_eq!(again, 0);
}

pub(crate) async fn whoever_comes_back_in_time_finds_the_rows(database: &dyn Database) {
    let store = database.open().await;
    let mut first = Site::named(store.clone(), "shop").await;
    first.store(&[event(1, "a", "d", hours(1))]).await;
    serve(&store, "shop", &first.lease, 72).await;
    let second = point_at(&store, "shop", 8).await;
    serve(&store, "shop", &second, 80).await;

    let back = desired("acme", "shop", 7);
    let record = store.put_connection(&back, hours(81)).await.unwrap();
    assert_eq!(record.target, first.id);
    for lease in [&first.lease, &second] {
        let removed = store.remove_left_epochs(lease, hours(999)).await.unwrap();
        assert_eq!(removed, 0, "one is asked for, the other answers");
    }
    assert_there(&store, first.id).await;

    // What is answered from now was complete long ago.
    serve(&store, "shop", &first.lease, 82).await;
    let removed = store.remove_left_epochs(&first.lease, hours(82)).await;
    assert_eq!(removed.unwrap(), 1);
    assert_eq!(store.epoch(second.connection).await.unwrap(), None);
    let refused = store.remove_left_epochs(&second, start()).await;
    assert!(matches!(refused, Err(StoreError::FenceLost)));
}

pub(crate) async fn an_interrupted_removal_is_finished_by_the_next_or_a_purge(
    database: &dyn Database,
) {
    let mut interrupted = 0;
    for polls in (1..60).step_by(3) {
        let store = database.open().await;
        let shop = format!("shop-{polls}");
        let mut left = Site::named(store.clone(), &shop).await;
        left.store(&[event(1, "a", "d", hours(1))]).await;
        let next = point_at(&store, &shop, 8).await;
        serve(&store, &shop, &next, 80).await;
        cut_off(store.remove_left_epochs(&next, hours(80)), polls).await;

        let store = database.open().await;
        let name = ConnectionName::new("acme", &shop);
        let listed = store.purges_due(start(), None, 9).await.unwrap();
        if polls % 2 == 0 && listed == [name.clone()] {
            interrupted += 1;
            let ended = store.purge_connection(&name, start()).await.unwrap();
            assert!(matches!(ended, Purge::Done { .. }), "{ended:?}");
        }
        store.remove_left_epochs(&next, hours(80)).await.unwrap();
        assert_eq!(store.epoch(left.id).await.unwrap(), None);
        assert!(store.epoch(next.connection).await.unwrap().is_some());
        let listed = store.purges_due(start(), None, 9).await.unwrap();
        assert!(listed.is_empty());
    }
    assert!(interrupted > 0);
}
