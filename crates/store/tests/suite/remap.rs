//! A change of mapping, held against counting everything anew.

use super::Database;
use super::fixtures::{Site, cut_off, event, hours, mapping};
use super::oracle::{Follower, Oracle};

fn events() -> Vec<domain::Event> {
    let names = [
        "$pageview",
        "add",
        "checkout",
        "search",
        "buy",
        "cart",
        "pay",
        "go",
    ];
    (0..160_u128)
        .map(|n| {
            let name = names[usize::try_from(n % 8).unwrap()];
            let mut event = event(n, name, "d", hours(i64::try_from(n / 2).unwrap()));
            event.path = Some(if n % 16 == 0 { "/products/shirt" } else { "/" }.to_owned());
            event
        })
        .collect()
}

pub(crate) async fn a_new_mapping_reaches_every_stored_event(database: &dyn Database) {
    let mut site = Site::new(database).await;
    let mut oracle = Oracle::default();
    let mut follower = Follower::default();
    site.store(&events()).await;
    oracle.apply(&events());
    let mappings = [
        mapping(&["add"], &["checkout"]),
        mapping(&["add", "cart"], &["pay"]),
        mapping(&["pay"], &["add"]),
        mapping(&[], &[]),
    ];
    for (revision, mapped) in (1..).zip(mappings) {
        let before = oracle.in_order();
        oracle.mapping = Some(mapped.clone());
        let after = oracle.in_order();
        let moved = before.iter().zip(&after).filter(|(a, b)| a != b).count();
        assert_eq!(
            site.store.remap(&site.lease, &mapped).await.unwrap(),
            moved as u64
        );
        oracle.assert_kept(&*site.store, site.id).await;
        follower.catch_up(&*site.store, site.id).await;
        follower.assert_knows(&oracle);
        let epoch = site.store.epoch(site.id).await.unwrap().unwrap();
        assert_eq!(
            (epoch.mapping, epoch.mapping_revision),
            (Some(mapped), revision)
        );
    }
}

pub(crate) async fn a_mapping_in_force_is_not_applied_again(database: &dyn Database) {
    let mut site = Site::new(database).await;
    site.store(&events()).await;
    let mapped = mapping(&["add"], &["checkout"]);
    assert!(site.store.remap(&site.lease, &mapped).await.unwrap() > 0);
    let epoch = site.store.epoch(site.id).await.unwrap();
    assert_eq!(site.store.remap(&site.lease, &mapped).await.unwrap(), 0);
    assert_eq!(site.store.epoch(site.id).await.unwrap(), epoch);
}

pub(crate) async fn an_interrupted_remap_is_finished_by_the_next(database: &dyn Database) {
    let first = mapping(&["add", "buy"], &["checkout"]);
    let second = mapping(&["cart", "checkout"], &["pay", "go"]);
    let third = mapping(&["search"], &["buy"]);
    let mut cut_short = 0;
    for polls in (1..120).step_by(6) {
        let store = database.open().await;
        let mut site = Site::named(store, &format!("shop-{polls}")).await;
        site.store(&events()).await;
        site.store.remap(&site.lease, &first).await.unwrap();
        cut_off(site.store.remap(&site.lease, &second), polls).await;
        let epoch = site.store.epoch(site.id).await.unwrap().unwrap();
        cut_short += u32::from(epoch.mapping.as_ref() == Some(&first));
        // A page meanwhile, then back to the second mapping, on to a third, or back to the first.
        let mut more = event(1000, "pay", "d", hours(1));
        site.store(std::slice::from_ref(&more)).await;
        more.created_at = hours(90);
        more.event = "buy".into();
        site.store(std::slice::from_ref(&more)).await;
        let next = [&second, &third, &first][polls % 3];
        site.store = database.open().await;
        site.store.remap(&site.lease, next).await.unwrap();
        let mut oracle = Oracle {
            mapping: Some(next.clone()),
            ..Oracle::default()
        };
        oracle.apply(&events());
        oracle.apply(&[more]);
        oracle.assert_kept(&*site.store, site.id).await;
        let epoch = site.store.epoch(site.id).await.unwrap().unwrap();
        assert_eq!(epoch.mapping.as_ref(), Some(next));
        let mut follower = Follower::default();
        follower.catch_up(&*site.store, site.id).await;
        follower.assert_knows(&oracle);
    }
    assert!(cut_short > 3, "some must be interrupted: {cut_short} were");
}
