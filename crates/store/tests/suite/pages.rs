//! Pages: the winner rule, one transaction, nothing twice.

use domain::storage::{EventFilter, Page, PageOutcome, StoreError};
use domain::sync::SyncMode;
use jiff::SignedDuration;
use uuid::Uuid;

use super::Database;
use super::fixtures::{Site, carrying, event, hours, mapping, start};
use super::oracle::{EARLIEST, Follower, LATEST, Oracle, all_events, all_links};

pub(crate) async fn a_page_applied_twice_changes_nothing(database: &dyn Database) {
    let mut site = Site::new(database).await;
    let events = [
        carrying(
            event(1, "$pageview", "d1", hours(1)),
            &[("customer_id", "7")],
        ),
        event(2, "search", "ada@shop.example", hours(2)),
    ];
    let page = site.page(&events).await;
    site.store
        .apply_page(&site.lease, page.clone())
        .await
        .unwrap();
    let epoch = site.store.epoch(site.id).await.unwrap();
    let runs = site.store.runs(site.id, None, 10).await.unwrap();
    let links = all_links(&*site.store, site.id, true).await;

    let again = site
        .store
        .apply_page(&site.lease, page.clone())
        .await
        .unwrap();

    let nothing_but_duplicates = PageOutcome {
        duplicates: 2,
        ..PageOutcome::default()
    };
    assert_eq!(again, nothing_but_duplicates);
    assert_eq!(site.store.epoch(site.id).await.unwrap(), epoch);
    assert_eq!(site.store.runs(site.id, None, 10).await.unwrap(), runs);
    assert_eq!(all_links(&*site.store, site.id, true).await, links);
    let seq = epoch.unwrap().change_seq;
    assert!(
        site.store
            .changes(site.id, seq, 10)
            .await
            .unwrap()
            .is_empty()
    );
}

pub(crate) async fn the_greatest_row_of_a_uuid_stays_in_whatever_order(database: &dyn Database) {
    let base = event(1, "b", "d2", hours(5));
    let minute = SignedDuration::from_mins(1);
    let mut rows = vec![base.clone()];
    for (created, stamped, name, who) in [
        (1, 0, "b", "d2"),
        (0, 1, "b", "d2"),
        (0, 0, "c", "d2"),
        (0, 0, "b", "d3"),
        (1, -5, "a", "d1"),
    ] {
        let mut row = event(1, name, who, base.timestamp + minute * stamped);
        row.created_at = base.created_at + minute * created;
        rows.push(row);
    }
    let store = database.open().await;
    for first in 0..rows.len() {
        for second in 0..rows.len() {
            let mut site = Site::named(store.clone(), &format!("shop-{first}-{second}")).await;
            let mut oracle = Oracle::default();
            for row in [&rows[first], &rows[second]] {
                site.store(std::slice::from_ref(row)).await;
                oracle.apply(std::slice::from_ref(row));
            }
            oracle.assert_kept(&*site.store, site.id).await;
        }
    }
}

pub(crate) async fn a_page_reports_what_it_stored_replaced_and_found_late(database: &dyn Database) {
    let mut site = Site::new(database).await;
    let early = start() - SignedDuration::from_hours(1);
    let outcome = site
        .store(&[
            event(1, "a", "d", early),
            event(2, "a", "d", hours(1)),
            event(2, "a", "d", hours(2)),
            event(3, "a", "d", hours(1)),
        ])
        .await;
    assert_eq!(
        outcome,
        PageOutcome {
            stored: 3,
            updated: 0,
            duplicates: 1,
            late: 1
        }
    );
    let outcome = site
        .store(&[
            event(1, "a", "d", early),
            event(2, "a", "d", hours(3)),
            event(4, "a", "d", early),
        ])
        .await;
    assert_eq!(
        outcome,
        PageOutcome {
            stored: 1,
            updated: 1,
            duplicates: 1,
            late: 1
        }
    );
    let totals = site.store.runs(site.id, None, 1).await.unwrap()[0].totals;
    assert_eq!(
        (
            totals.events_read,
            totals.events_stored,
            totals.events_updated
        ),
        (7, 4, 1)
    );
    assert_eq!(
        (totals.duplicates, totals.late_events, totals.requests),
        (2, 2, 2)
    );
}

pub(crate) async fn every_column_comes_back_as_it_was_sent(database: &dyn Database) {
    let mut site = Site::new(database).await;
    let text = |value: &str| Some(value.to_owned());
    let mut full = carrying(
        event(1, "$autocapture", "d\u{1}\u{1f600}'\";--", hours(1)),
        &[("customer_id", "7"), ("naïve \"name\"", "\u{1} \\ value")],
    );
    full.person_id = Some(Uuid::from_u128(99));
    full.timestamp = start() + SignedDuration::from_micros(123_456);
    full.session_id = text("session");
    full.window_id = text("window");
    full.host = text("shop.example");
    full.path = text("/products/ünïcode");
    full.referrer = text("https://a.example/?q=1");
    full.utm_source = text("source");
    full.utm_medium = text("medium");
    full.utm_campaign = text("campaign");
    full.utm_content = text("content");
    full.utm_term = text("term");
    full.device_type = text("Mobile");
    full.elements_chain = text(&"a.btn:text=\"Buy\"".repeat(1000));
    full.event_type = text("submit");
    full.anon_distinct_id = text("anon");
    full.alias = text("alias");
    full.product_id = text("p");
    full.sku = text("s");
    full.price = text("12.300");
    full.currency = text("EUR");
    full.quantity = text("1e3");
    full.cart_id = text("");
    let long = event(
        2,
        &"n".repeat(65_536),
        "d",
        start() - SignedDuration::from_hours(24 * 365 * 70),
    );
    let mut oracle = Oracle::default();
    for sent in [&full, &long] {
        site.store(std::slice::from_ref(sent)).await;
        oracle.apply(std::slice::from_ref(sent));
    }
    assert_eq!(all_events(&*site.store, site.id).await, oracle.in_order());
}

pub(crate) async fn a_page_of_no_open_slice_is_refused_and_stores_nothing(database: &dyn Database) {
    let mut site = Site::new(database).await;
    let page = site.page(&[event(1, "a", "d", hours(1))]).await;
    let unplanned = Page {
        slice: 1_000_000,
        ..page.clone()
    };
    let refused = site.store.apply_page(&site.lease, unplanned.clone()).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })));
    let next = super::fixtures::run(SyncMode::Refresh, Vec::new());
    site.store.begin_run(&site.lease, &next).await.unwrap();
    let refused = site.store.apply_page(&site.lease, page.clone()).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })));
    Oracle::default().assert_kept(&*site.store, site.id).await;
}

pub(crate) async fn connections_do_not_see_each_other(database: &dyn Database) {
    let store = database.open().await;
    let mut one = Site::named(store.clone(), "one").await;
    let mut two = Site::named(store.clone(), "two").await;
    let (mut of_one, mut of_two) = (Oracle::default(), Oracle::default());
    let shared = [
        carrying(event(1, "a", "d1", hours(1)), &[("customer_id", "7")]),
        event(2, "b", "ada@shop.example", hours(2)),
    ];
    one.store(&shared).await;
    of_one.apply(&shared);
    two.store(&shared[..1]).await;
    of_two.apply(&shared[..1]);
    one.store
        .remove_events(&one.lease, &[Uuid::from_u128(1)])
        .await
        .unwrap();
    of_one.remove(&[Uuid::from_u128(1)]);
    let mapped = mapping(&["a"], &["b"]);
    two.store.remap(&two.lease, &mapped).await.unwrap();
    of_two.mapping = Some(mapped);
    for (site, oracle) in [(&one, &of_one), (&two, &of_two)] {
        oracle.assert_kept(&*site.store, site.id).await;
        let mut follower = Follower::default();
        follower.catch_up(&*site.store, site.id).await;
        follower.assert_knows(oracle);
    }
}

pub(crate) async fn what_was_stored_before_a_crash_is_there_after_it(database: &dyn Database) {
    let events: Vec<_> = (0..500)
        .map(|n| event(n, "a", &format!("d{n}"), hours(1)))
        .collect();
    let mut oracle = Oracle::default();
    let mut site = Site::new(database).await;
    for (number, page) in events.chunks(50).enumerate() {
        let page = site.page(page).await;
        // A crash between any two writes: the page is cut off wherever it is by then.
        let cut = std::time::Duration::from_micros(150 * number as u64);
        let _ = tokio::time::timeout(cut, site.store.apply_page(&site.lease, page.clone())).await;
        site.store = database.open().await;
        let stored = all_events(&*site.store, site.id).await.len();
        assert_eq!(stored % 50, 0, "a page is stored whole or not at all");
        let outcome = site
            .store
            .apply_page(&site.lease, page.clone())
            .await
            .unwrap();
        assert_eq!(outcome.stored + outcome.duplicates, 50);
        oracle.apply(&page.events);
        oracle.assert_kept(&*site.store, site.id).await;
    }
    let totals = site.store.runs(site.id, None, 1).await.unwrap()[0].totals;
    assert_eq!((totals.events_read, totals.events_stored), (500, 500));
    assert_eq!(totals.requests, 10);
}

pub(crate) async fn two_processes_write_to_one_store(database: &dyn Database) {
    let mut sites = Vec::new();
    for name in ["one", "two", "three"] {
        sites.push(Site::named(database.open().await, name).await);
    }
    let tasks: Vec<_> = sites
        .into_iter()
        .map(|mut site| {
            tokio::spawn(async move {
                let mut oracle = Oracle::default();
                for page in 0..10_u128 {
                    let events: Vec<_> = (0..40)
                        .map(|n| event(page * 20 + n, "a", "d", hours(1)))
                        .collect();
                    site.store(&events).await;
                    oracle.apply(&events);
                }
                (site, oracle)
            })
        })
        .collect();
    for task in tasks {
        let (site, oracle) = task.await.unwrap();
        oracle.assert_kept(&*site.store, site.id).await;
        let counted = site
            .store
            .daily_event_counts(site.id, EARLIEST, LATEST, &[])
            .await
            .unwrap();
        assert_eq!(counted[0].events, 220);
        let filter = EventFilter {
            to: Some(hours(1)),
            ..EventFilter::default()
        };
        assert!(
            site.store
                .events(site.id, &filter, None, 10)
                .await
                .unwrap()
                .is_empty()
        );
    }
}
