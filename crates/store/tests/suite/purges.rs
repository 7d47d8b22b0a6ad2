//! Purges: what goes, what stays, and what becomes of one that is interrupted.

use domain::connection::ConnectionName;
use domain::storage::{Deletion, Purge, Store, StoreError};
use domain::sync::SyncMode;

use super::Database;
use super::fixtures::{GRACE, Site, carrying, cut_off, desired, event, hours, start};
use super::oracle::{Follower, Oracle};

fn events() -> [domain::Event; 2] {
    [
        carrying(event(1, "a", "d", hours(1)), &[("customer_id", "7")]),
        event(2, "b", "ada@shop.example", hours(2)),
    ]
}

pub(crate) async fn a_purge_removes_every_epoch_of_its_connection_and_nothing_else(
    database: &dyn Database,
) {
    let store = database.open().await;
    let mut gone = Site::named(store.clone(), "gone").await;
    let mut stays = Site::named(store.clone(), "stays").await;
    gone.store(&events()).await;
    gone.store
        .remove_events(&gone.lease, &[events()[1].uuid])
        .await
        .unwrap();
    stays.store(&events()).await;
    // On to a second project and a third: the first epoch is neither asked for nor answers.
    let name = ConnectionName::new("acme", "gone");
    let mut targets = vec![gone.id];
    for project in [8, 9] {
        let moved = desired("acme", "gone", project);
        let record = store.put_connection(&moved, hours(2)).await.unwrap();
        store
            .serve_epoch(&name, record.target, hours(2))
            .await
            .unwrap();
        targets.push(record.target);
    }
    store.mark_deleted(&name, hours(3)).await.unwrap();

    let purged = store.purge_connection(&name, hours(3) + GRACE).await;
    assert_eq!(purged.unwrap(), Purge::Done { events: 1 });

    assert_eq!(store.connection(&name).await.unwrap(), None);
    for id in targets {
        assert_eq!(store.epoch(id).await.unwrap(), None);
        Oracle::default().assert_kept(&*store, id).await;
    }
    assert!(store.changes(gone.id, 0, 9).await.unwrap().is_empty());
    assert!(store.runs(gone.id, None, 9).await.unwrap().is_empty());
    let mut oracle = Oracle::default();
    oracle.apply(&events());
    oracle.assert_kept(&*store, stays.id).await;

    let again = Site::named(store.clone(), "gone").await;
    assert_eq!(again.id, gone.id);
    Oracle::default().assert_kept(&*store, gone.id).await;
    let mut follower = Follower::default();
    follower.catch_up(&*store, again.id).await;
    assert!(follower.rows.is_empty());
}

pub(crate) async fn a_purge_stops_whoever_is_writing(database: &dyn Database) {
    let mut site = Site::new(database).await;
    let page = site.page(&[event(1, "a", "d", hours(1))]).await;
    let name = ConnectionName::new("acme", "shop");
    let other = database.open().await;
    other.mark_deleted(&name, start()).await.unwrap();
    let purged = other.purge_connection(&name, start() + GRACE).await;
    assert_eq!(purged.unwrap(), Purge::Done { events: 0 });
    let refused = site.store.apply_page(&site.lease, page.clone()).await;
    assert!(matches!(refused, Err(StoreError::FenceLost)));
    let open = site.store.open_run(site.id, SyncMode::Backfill).await;
    assert!(open.unwrap().is_none());
}

pub(crate) async fn what_lives_or_is_not_due_is_refused_without_harm(database: &dyn Database) {
    let mut site = Site::new(database).await;
    let store = site.store.clone();
    site.store(&events()).await;
    let name = ConnectionName::new("acme", "shop");
    let late = hours(24 * 365);
    let alive = store.purge_connection(&name, late).await.unwrap();
    assert_eq!(alive, Purge::Alive);

    store.mark_deleted(&name, hours(3)).await.unwrap();
    let until = Some(hours(3) + GRACE);
    let early = store.purge_connection(&name, hours(4)).await.unwrap();
    assert_eq!(early, Purge::Kept { until });

    let mut retained = desired("acme", "shop", 7);
    store.put_connection(&retained, hours(4)).await.unwrap();
    let back = store.purge_connection(&name, late).await.unwrap();
    assert_eq!(back, Purge::Alive);

    retained.deletion = Deletion::Retain;
    store.put_connection(&retained, hours(5)).await.unwrap();
    store.mark_deleted(&name, hours(6)).await.unwrap();
    let kept = store.purge_connection(&name, late).await.unwrap();
    assert_eq!(kept, Purge::Kept { until: None });
    assert!(store.purges_due(late, None, 9).await.unwrap().is_empty());

    let mut oracle = Oracle::default();
    oracle.apply(&events());
    oracle.assert_kept(&*store, site.id).await;
    store
        .renew_lease(&site.lease, super::fixtures::MINUTE)
        .await
        .unwrap();
}

pub(crate) async fn the_first_deletion_decides_when_rows_are_due(database: &dyn Database) {
    let store = database.open().await;
    let wanted = desired("acme", "shop", 7);
    store.put_connection(&wanted, start()).await.unwrap();
    store.mark_deleted(&wanted.name, hours(3)).await.unwrap();
    store.mark_deleted(&wanted.name, hours(9)).await.unwrap();
    let due = hours(3) + GRACE;
    let listed = store.purges_due(due, None, 9).await.unwrap();
    assert_eq!(listed, [wanted.name]);
}

pub(crate) async fn purges_are_listed_when_they_are_due_and_page_by_page(database: &dyn Database) {
    let store = database.open().await;
    let names = [("b", "x"), ("a", "z"), ("a", "y"), ("c", "lives")];
    for (at, (namespace, name)) in (0..).zip(names) {
        let wanted = desired(namespace, name, 7);
        store.put_connection(&wanted, start()).await.unwrap();
        if namespace != "c" {
            store.mark_deleted(&wanted.name, hours(at)).await.unwrap();
        }
    }
    let early = start() + GRACE - jiff::SignedDuration::from_secs(1);
    assert!(store.purges_due(early, None, 9).await.unwrap().is_empty());
    let first = store.purges_due(start() + GRACE, None, 9).await.unwrap();
    assert_eq!(first, [ConnectionName::new("b", "x")]);
    let mut seen: Vec<ConnectionName> = Vec::new();
    let all = hours(2) + GRACE;
    loop {
        let page = store.purges_due(all, seen.last(), 2).await.unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page);
    }
    let expected =
        [("a", "y"), ("a", "z"), ("b", "x")].map(|(at, name)| ConnectionName::new(at, name));
    assert_eq!(seen, expected);
}

/// Waits for a transaction of a purge whose end nobody heard of: its first one keeps the connection locked,
/// and its last one the lease, which is given back.
async fn outwait(store: &dyn Store, name: &ConnectionName) {
    match store.mark_deleted(name, hours(3)).await {
        Ok(()) | Err(StoreError::NotFound { .. }) => {}
        Err(error) => panic!("{error}"),
    }
    store.release_all_of("test").await.unwrap();
}

pub(crate) async fn an_interrupted_purge_is_finished_by_the_next_and_spares_who_came_back(
    database: &dyn Database,
) {
    let due = hours(3) + GRACE;
    let (mut before, mut midway, mut after) = (0, 0, 0);
    // Most polls are of what is removed in batches; where a machine is busy, one poll may see several answers.
    for polls in (0..12).step_by(2).chain((12..180).step_by(6)) {
        let store = database.open().await;
        let shop = format!("shop-{polls}");
        let name = ConnectionName::new("acme", &shop);
        let mut site = Site::named(store.clone(), &shop).await;
        site.store(&events()).await;
        store.mark_deleted(&name, hours(3)).await.unwrap();
        cut_off(store.purge_connection(&name, due), polls).await;

        // Another process finds what is left to do; the connection comes back before that is done.
        let store = database.open().await;
        outwait(&*store, &name).await;
        let is_condemned = store.connection(&name).await.unwrap().is_none();
        let is_listed = store.purges_due(due, None, 9).await.unwrap() == [name.clone()];
        match (is_condemned, is_listed) {
            (false, true) => before += 1,
            (true, true) => midway += 1,
            (true, false) => after += 1,
            (false, false) => panic!("{name} is due and not listed"),
        }
        let again = Site::named(store.clone(), &shop).await;
        let mut oracle = Oracle::default();
        if !is_condemned {
            oracle.apply(&events());
        }
        oracle.assert_kept(&*store, again.id).await;
        let ended = store.purge_connection(&name, due).await.unwrap();
        let left_to_do = is_condemned && is_listed;
        assert_eq!(matches!(ended, Purge::Done { .. }), left_to_do, "{ended:?}");
        oracle.assert_kept(&*store, again.id).await;
        assert!(store.purges_due(due, None, 9).await.unwrap().is_empty());
    }
    assert!(
        before > 0 && midway > 0 && after > 0,
        "{before} {midway} {after}"
    );
}
