//! Clickmaps of whose clicks some are erased: texts are gone at once, all else with the next call.

use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use domain::connection::ConnectionName;
use domain::erasure::erase;
use domain::identity::IdentityKey;
use tokio::time::timeout;

use super::*;

const HERS: &str = r#"a:attr__href="/account/ada"href="/account/ada"nth-child="2"nth-of-type="1"text="Ada Lovelace""#;
const HOUR: i64 = 3_600_000;

fn named(connection: &str) -> ConnectionName {
    ConnectionName::new("acme", connection)
}

fn ada() -> IdentityKey {
    IdentityKey::DistinctId("ada".to_owned())
}

/// Bob's clicks on three days, and Ada's on the first two of them.
fn clicks() -> Vec<Event> {
    let bobs = (0..6).map(|n| click(n, 0, i64::try_from(n).unwrap() * 12 * HOUR + HOUR, 0));
    let hers = (100..104).map(|n: u128| {
        let millis = i64::try_from(n - 100).unwrap() * 12 * HOUR + 2 * HOUR;
        Event {
            distinct_id: "ada".to_owned(),
            elements_chain: Some(HERS.to_owned()),
            ..click(n, 0, millis, 0)
        }
    });
    bobs.chain(hers).collect()
}

/// Another click on each of the days.
fn clicks_again() -> Vec<Event> {
    let moments = (0..3).map(|day| day * 24 * HOUR + 3 * HOUR);
    (200..)
        .zip(moments)
        .map(|(n, at)| click(n, 0, at, 0))
        .collect()
}

/// What is counted of all days, without how it looked.
fn counted(mut answer: Answer) -> Answer {
    for row in answer.values_mut().flat_map(|(_, rows)| rows) {
        (row.text, row.href) = (None, None);
    }
    answer
}

/// How the elements of her page look, by any rules.
async fn looks(store: &dyn Store, id: ConnectionId) -> Vec<ClickedElementRow> {
    let mut rows = Vec::new();
    for page in ["/products/*", "/products/a"] {
        let found = store.clicked_elements(id, page, &spans()[0], None, 9).await;
        rows.extend(found.unwrap().1);
    }
    rows
}

fn is_told_of_her(rows: &[ClickedElementRow]) -> bool {
    let texts = rows.iter().flat_map(|row| [&row.text, &row.href]);
    texts
        .flatten()
        .any(|text| text.to_lowercase().contains("ada"))
}

async fn make(site: &Site, policy: &ClickmapPolicy) {
    let made = site.store.make_clickmaps(&site.lease, policy).await;
    made.unwrap();
}

pub(crate) async fn an_erased_persons_texts_are_gone_before_clickmaps_are_made_anew(
    database: &dyn Database,
) {
    let mut site = Site::new(database).await;
    let mut oracle = Oracle::default();
    site.store(&clicks()).await;
    let policy = ClickmapPolicy::default();
    make(&site, &policy).await;
    let before = answered(&*site.store, site.id).await;
    assert!(is_told_of_her(&looks(&*site.store, site.id).await));

    // Nobody makes clickmaps of a connection that is suspended.
    let store = site.store.clone();
    let erased = erase(&*store, &named("shop"), &ada(), hours(5)).await;
    assert_eq!(erased.unwrap().events, 4);
    assert!(!is_told_of_her(&looks(&*store, site.id).await));
    let after = answered(&*store, site.id).await;
    assert_eq!(counted(after), counted(before));
    // Her days have no texts, whoever they are of; another day is as it was.
    for (day, texts) in [
        (24, vec![None, None]),
        (48, vec![None, None]),
        (72, vec![Some("Buy")]),
    ] {
        let from = day_of(hours(day), &time_zone("UTC").unwrap());
        let span = ClickmapSpan {
            from,
            to: from.tomorrow().unwrap(),
            devices: Vec::new(),
        };
        let rows = store.clicked_elements(site.id, "/products/*", &span, None, 9);
        let rows = rows.await.unwrap().1;
        let found: Vec<_> = rows.iter().map(|row| row.text.as_deref()).collect();
        assert_eq!(found, texts, "{day}");
    }

    make(&site, &policy).await;
    let left = clicks().into_iter().filter(|it| it.distinct_id != "ada");
    oracle.apply(&left.collect::<Vec<_>>());
    assert_made(&site, &oracle, &policy).await;
}

pub(crate) async fn an_erased_persons_texts_are_gone_from_clickmaps_of_another_zone_too(
    database: &dyn Database,
) {
    for (number, zones) in (0..).zip([
        ["Pacific/Kiritimati", "Pacific/Pago_Pago"],
        ["Pacific/Pago_Pago", "Pacific/Kiritimati"],
    ]) {
        let shop = format!("shop-{number}");
        let mut site = Site::named(database.open().await, &shop).await;
        site.store(&clicks()).await;
        let store = site.store.clone();
        store.set_time_zone(&site.lease, zones[0]).await.unwrap();
        make(&site, &rules(0)).await;
        // The run that would make them anew fails.
        store.set_time_zone(&site.lease, zones[1]).await.unwrap();
        assert!(is_told_of_her(&looks(&*store, site.id).await));
        let erased = erase(&*store, &named(&shop), &ada(), hours(5)).await;
        erased.unwrap();
        assert!(!is_told_of_her(&looks(&*store, site.id).await));
        let mut oracle = Oracle {
            zone: Some(zones[1].to_owned()),
            ..Oracle::default()
        };
        let left = clicks().into_iter().filter(|it| it.distinct_id != "ada");
        oracle.apply(&left.collect::<Vec<_>>());
        make(&site, &rules(0)).await;
        assert_made(&site, &oracle, &rules(0)).await;
    }
}

/// Polls a future that many times more; answers whether it has ended.
async fn go_on(mut future: Pin<&mut impl Future>, mut polls: usize) -> bool {
    std::future::poll_fn(|context| {
        polls -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending if polls == 0 => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

pub(crate) async fn an_erasure_while_clickmaps_are_made_leaves_no_text_in_them(
    database: &dyn Database,
) {
    let mut erasures = 0;
    for polls in (1..40).step_by(2) {
        let shop = format!("shop-{polls}");
        let mut site = Site::named(database.open().await, &shop).await;
        site.store(&clicks()).await;
        make(&site, &rules(0)).await;
        // The days are due, or all are made by other rules.
        site.store(&clicks_again()).await;
        let policy = rules(polls / 2 % 2);
        let other = database.open().await;
        let mut making = pin!(site.store.make_clickmaps(&site.lease, &policy));
        let mut is_over = go_on(making.as_mut(), polls).await;
        let (name, key) = (named(&shop), ada());
        let erasing = erase(&*other, &name, &key, hours(5));
        // It may have to wait for what is being written.
        if timeout(Duration::from_millis(100), erasing).await.is_err() {
            continue;
        }
        erasures += 1;
        while !is_over {
            is_over = go_on(making.as_mut(), 1).await;
            let rows = looks(&*other, site.id).await;
            assert!(!is_told_of_her(&rows), "{polls}: {rows:?}");
        }
    }
    assert!(erasures > 3, "{erasures}");
}
