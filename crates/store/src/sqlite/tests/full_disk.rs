//! A disk that is full: it is said, nothing is half written, and the same goes through once there is room.

use std::collections::BTreeMap;
use std::fmt::Debug;

use domain::storage::{
    ConnectionStore, EventReader, IdentityWriter, NewRun, Page, PageOutcome, PersonMapping,
    ReadRange, Result, SliceAdvance, StoreError, SyncStore,
};
use domain::sync::{RunTotals, Slice, SliceCursor, SliceEvents, SyncMode, Window};
use domain::{Event, EventName};
use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{SqliteStore, site};

/// Pages of the file that the store may still fill, where it has little room.
const LITTLE: i64 = 20;
const EVENTS: u64 = 2000;
const DAY: Date = date(1970, 1, 1);
/// The window of the run: that day.
const WINDOW: Window = Window {
    from: Timestamp::UNIX_EPOCH,
    to: Timestamp::constant(86_400, 0),
};

/// Leaves room for so many more pages of the file.
async fn leave_room(store: &SqliteStore, more: i64) {
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count")
        .fetch_one(&store.writer)
        .await
        .unwrap();
    let limit = format!("PRAGMA max_page_count = {}", pages + more);
    sqlx::query(sqlx::AssertSqlSafe(limit))
        .execute(&store.writer)
        .await
        .unwrap();
}

fn assert_full<T: Debug>(outcome: Result<T>) {
    match outcome {
        Err(StoreError::Unavailable { detail }) => assert!(detail.contains("is full"), "{detail}"),
        other => panic!("a full disk must be said, not {other:?}"),
    }
}

#[tokio::test]
async fn persons_are_all_noted_or_none() {
    let (_folder, store, id, lease) = site().await;
    let mappings: Vec<PersonMapping> = (0..5000)
        .map(|number| PersonMapping {
            distinct_id: format!("somebody with a rather long distinct id {number}"),
            person_id: Uuid::from_u128(number),
        })
        .collect();
    let observe = || {
        store.observe_persons(
            &lease,
            &mappings,
            &ReadRange::Answered,
            Timestamp::UNIX_EPOCH,
        )
    };
    leave_room(&store, LITTLE).await;
    assert_full(observe().await);
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM person_links")
        .fetch_one(&store.readers)
        .await
        .unwrap();
    assert_eq!(kept, 0);
    leave_room(&store, 1_000_000).await;
    assert_eq!(observe().await.unwrap(), 5000);
    assert!(store.epoch(id).await.unwrap().is_some());
}

fn event(number: u64) -> Event {
    let timestamp = WINDOW.from + SignedDuration::from_secs(number.cast_signed());
    Event {
        uuid: Uuid::from_u128(number.into()),
        event: EventName::from("$pageview"),
        distinct_id: format!("somebody with a rather long distinct id {number}"),
        person_id: Some(Uuid::from_u128(number.into())),
        timestamp,
        created_at: timestamp,
        session_id: None,
        window_id: None,
        host: None,
        path: None,
        referrer: None,
        utm_source: None,
        utm_medium: None,
        utm_campaign: None,
        utm_content: None,
        utm_term: None,
        device_type: None,
        elements_chain: None,
        event_type: None,
        anon_distinct_id: None,
        alias: None,
        product_id: None,
        sku: None,
        price: None,
        currency: None,
        quantity: None,
        cart_id: None,
        id_properties: BTreeMap::new(),
    }
}

/// A run of one slice that is the whole window.
fn run() -> NewRun {
    let slice = Slice {
        from: WINDOW.from,
        to: WINDOW.to,
        arrived_since: None,
        events: SliceEvents::All,
        part: None,
        expected_rows: 2 * EVENTS,
        export: None,
    };
    NewRun {
        mode: SyncMode::Backfill,
        window: WINDOW,
        arrivals: None,
        started_at: WINDOW.to,
        way: None,
        slices: vec![slice],
    }
}

#[tokio::test]
async fn a_page_is_stored_with_its_counts_and_its_place_or_not_at_all() {
    let (_folder, store, id, lease) = site().await;
    let begun = store.begin_run(&lease, &run()).await.unwrap();
    let page_of = |numbers: std::ops::Range<u64>| {
        let last = event(numbers.end - 1);
        Page {
            run: begun,
            slice: 0,
            advance: SliceAdvance::To(SliceCursor {
                timestamp: last.timestamp,
                uuid: last.uuid,
            }),
            events: numbers.map(event).collect(),
            late_before: WINDOW.from,
            cost: RunTotals {
                requests: 1,
                ..RunTotals::default()
            },
        }
    };
    // What an earlier page stored is there before and after.
    store.apply_page(&lease, page_of(0..10)).await.unwrap();
    let state = || async {
        let days = (DAY, DAY.tomorrow().unwrap());
        (
            store.open_run(id, SyncMode::Backfill).await.unwrap(),
            store
                .count_events(id, WINDOW.from, WINDOW.to)
                .await
                .unwrap(),
            store
                .daily_event_counts(id, days.0, days.1, &[])
                .await
                .unwrap(),
        )
    };
    let before = state().await;
    assert_eq!(before.1, 10);
    assert_eq!(before.2[0].events, 10);

    let page = page_of(10..EVENTS);
    leave_room(&store, LITTLE).await;
    assert_full(store.apply_page(&lease, page.clone()).await);
    assert_eq!(state().await, before);

    leave_room(&store, 1_000_000).await;
    let stored = store.apply_page(&lease, page.clone()).await.unwrap();
    let all_new = PageOutcome {
        stored: EVENTS - 10,
        ..PageOutcome::default()
    };
    assert_eq!(stored, all_new);
    let (open, events, counts) = state().await;
    assert_eq!((events, counts[0].events), (EVENTS, EVENTS));
    let open = open.unwrap();
    assert_eq!(
        SliceAdvance::To(open.pending[0].cursor.unwrap()),
        page.advance
    );
    assert_eq!(
        (open.totals.events_stored, open.totals.requests),
        (EVENTS, 2)
    );
}
