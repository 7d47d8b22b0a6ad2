//! Removal: what PostHog deleted, and what is past retention.

use domain::storage::ChangeKind;
use uuid::Uuid;

use super::Database;
use super::fixtures::{Site, carrying, event, hours, mapping};
use super::oracle::{Follower, Oracle};

fn events() -> Vec<domain::Event> {
    vec![
        carrying(event(1, "add", "d1", hours(1)), &[("customer_id", "7")]),
        carrying(event(2, "add", "d1", hours(30)), &[("customer_id", "7")]),
        event(3, "search", "ada@shop.example", hours(2)),
        carrying(event(4, "checkout", "d2", hours(3)), &[("clientId", "x")]),
    ]
}

async fn filled(database: &dyn Database) -> (Site, Oracle) {
    let mut site = Site::new(database).await;
    let mapped = mapping(&["add"], &["checkout"]);
    site.store.remap(&site.lease, &mapped).await.unwrap();
    site.store(&events()).await;
    let mut oracle = Oracle {
        mapping: Some(mapped),
        ..Oracle::default()
    };
    oracle.apply(&events());
    (site, oracle)
}

pub(crate) async fn a_removed_event_is_gone_from_everything_and_followers_are_told(
    database: &dyn Database,
) {
    let (site, mut oracle) = filled(database).await;
    let mut follower = Follower::default();
    follower.catch_up(&*site.store, site.id).await;
    let gone = [2, 3, 4, 99].map(Uuid::from_u128);
    assert_eq!(
        site.store.remove_events(&site.lease, &gone).await.unwrap(),
        3
    );
    oracle.remove(&gone);
    oracle.assert_kept(&*site.store, site.id).await;
    let told = site.store.changes(site.id, follower.seq, 9).await.unwrap();
    assert_eq!(told.len(), 3);
    assert!(
        told.iter()
            .all(|change| matches!(change.kind, ChangeKind::Delete { .. }))
    );
    follower.catch_up(&*site.store, site.id).await;
    follower.assert_knows(&oracle);
    // Once more: there is nothing left to remove or to tell.
    assert_eq!(
        site.store.remove_events(&site.lease, &gone).await.unwrap(),
        0
    );
    assert!(
        site.store
            .changes(site.id, follower.seq, 9)
            .await
            .unwrap()
            .is_empty()
    );
}

pub(crate) async fn a_removed_event_may_come_back(database: &dyn Database) {
    let (mut site, mut oracle) = filled(database).await;
    let mut follower = Follower::default();
    let gone = [Uuid::from_u128(1)];
    for _ in 0..2 {
        site.store.remove_events(&site.lease, &gone).await.unwrap();
        oracle.remove(&gone);
        follower.catch_up(&*site.store, site.id).await;
        follower.assert_knows(&oracle);
        site.store(&events()).await;
        oracle.apply(&events());
        oracle.assert_kept(&*site.store, site.id).await;
        follower.catch_up(&*site.store, site.id).await;
        follower.assert_knows(&oracle);
        let mut late = Follower::default();
        late.catch_up(&*site.store, site.id).await;
        late.assert_knows(&oracle);
    }
}

pub(crate) async fn expired_events_are_gone_and_followers_are_not_told(database: &dyn Database) {
    let (site, mut oracle) = filled(database).await;
    site.store
        .remove_events(&site.lease, &[Uuid::from_u128(3)])
        .await
        .unwrap();
    let mut follower = Follower::default();
    follower.catch_up(&*site.store, site.id).await;
    assert_eq!(
        site.store
            .expire_events(&site.lease, hours(3))
            .await
            .unwrap(),
        1
    );
    oracle.rows.retain(|_, event| event.timestamp >= hours(3));
    oracle.remove(&[Uuid::from_u128(3)]);
    oracle.assert_kept(&*site.store, site.id).await;
    assert!(
        site.store
            .changes(site.id, follower.seq, 9)
            .await
            .unwrap()
            .is_empty()
    );
    // One who begins now is told of what is there, and of nothing that has expired.
    let mut late = Follower::default();
    late.catch_up(&*site.store, site.id).await;
    late.assert_knows(&oracle);
    assert_eq!(
        site.store
            .expire_events(&site.lease, hours(3))
            .await
            .unwrap(),
        0
    );
}

/// More events of one id, and more at one moment, than are looked at in one go.
pub(crate) async fn links_follow_the_events_that_are_left_of_an_id_of_many(
    database: &dyn Database,
) {
    let mut site = Site::new(database).await;
    let many: Vec<domain::Event> = (0..400_u128)
        .map(|n| {
            let hour = i64::try_from(n / 50).unwrap();
            let customer = (n % 3).to_string();
            let rare = [("customer_id", customer.as_str()), ("clientId", "rare")];
            let carried = if n % 97 == 0 { &rare[..] } else { &rare[..1] };
            carrying(event(n, "add", "d1", hours(hour)), carried)
        })
        .collect();
    site.store(&many).await;
    let mut oracle = Oracle::default();
    oracle.apply(&many);
    let remove = async |oracle: &mut Oracle, numbers: &mut dyn Iterator<Item = u128>| {
        let uuids: Vec<Uuid> = numbers.map(Uuid::from_u128).collect();
        site.store.remove_events(&site.lease, &uuids).await.unwrap();
        oracle.remove(&uuids);
        oracle.assert_kept(&*site.store, site.id).await;
    };
    // From both ends, then what only few say, then one of several at each moment.
    remove(&mut oracle, &mut (0..60)).await;
    remove(&mut oracle, &mut (330..400)).await;
    remove(&mut oracle, &mut (0..4).map(|n| 97 * n)).await;
    remove(&mut oracle, &mut (60..330).step_by(5)).await;
    for hour in [3, 5, 9] {
        let before = hours(hour);
        site.store.expire_events(&site.lease, before).await.unwrap();
        oracle.rows.retain(|_, event| event.timestamp >= before);
        oracle.assert_kept(&*site.store, site.id).await;
    }
}
