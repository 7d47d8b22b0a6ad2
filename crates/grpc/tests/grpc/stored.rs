//! The same API on the store that users have: pages, counts and streams of rows that a run stored.

use std::sync::Arc;
use std::time::Duration;

use domain::storage::{Lease, NewRun, Page, RunEnd, SliceAdvance, Store};
use domain::sync::{RunTotals, Slice, SliceEvents, SyncMode, Window};
use grpc::proto::v1;
use grpc::proto::v1::event_service_client::EventServiceClient;
use grpc::{GrpcMetrics, ServeConfig, Settings};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

use crate::shop::{self, SHOP, event};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Stores events as a run would.
pub(crate) async fn sync(store: &dyn Store, lease: &Lease, events: Vec<domain::Event>) {
    let window = Window {
        from: at("2026-03-01T00:00:00Z"),
        to: at("2026-03-02T00:00:00Z"),
    };
    let run = NewRun {
        mode: SyncMode::Backfill,
        window,
        arrivals: None,
        started_at: window.to,
        way: None,
        slices: vec![Slice {
            from: window.from,
            to: window.to,
            arrived_since: None,
            events: SliceEvents::All,
            part: None,
            expected_rows: events.len() as u64,
            export: None,
        }],
    };
    let run = store.begin_run(lease, &run).await.unwrap();
    let open = store.open_run(lease.connection, SyncMode::Backfill).await;
    let page = Page {
        run,
        slice: open.unwrap().unwrap().pending[0].number,
        advance: SliceAdvance::Done,
        events,
        late_before: window.from,
        cost: RunTotals::default(),
    };
    store.apply_page(lease, page).await.unwrap();
    store
        .end_run(lease, run, &RunEnd::Complete, window.to)
        .await
        .unwrap();
}

/// A channel to a server of that store.
pub(crate) async fn serve(store: Arc<dyn Store>) -> Channel {
    serve_with(store, shop::settings(), None).await
}

/// The same, with other limits, and counted.
pub(crate) async fn serve_with(
    store: Arc<dyn Store>,
    settings: Settings,
    metrics: Option<GrpcMetrics>,
) -> Channel {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(grpc::serve(ServeConfig {
        listener,
        tls: None,
        shutdown: CancellationToken::new(),
        store,
        metrics,
        settings,
    }));
    let address = format!("http://{address}");
    let endpoint = Channel::from_shared(address).unwrap();
    endpoint.connect().await.unwrap()
}

async fn listed(client: &mut EventServiceClient<Channel>) -> Vec<v1::Event> {
    let mut request = v1::ListEventsRequest {
        page_size: 7,
        ..shop::shop_events()
    };
    let mut all = Vec::new();
    loop {
        let page = client
            .list_events(request.clone())
            .await
            .unwrap()
            .into_inner();
        all.extend(v1::Event::unpack(page.events).unwrap());
        if page.next_page_token.is_empty() {
            return all;
        }
        request.page_token = page.next_page_token;
    }
}

#[tokio::test]
async fn what_a_run_stored_is_listed_counted_and_streamed_alike() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("shop.db").display());
    let store = store::open(&url, store::OpenOptions::default())
        .await
        .unwrap();
    let desired = shop::record(shop::name()).desired;
    let now = at("2026-03-02T00:00:00Z");
    let record = store.put_connection(&desired, now).await.unwrap();
    let ttl = Duration::from_secs(60);
    let lease = store
        .acquire_lease(record.target, "test", ttl)
        .await
        .unwrap();
    store.set_time_zone(&lease, "UTC").await.unwrap();
    store.remap(&lease, &shop::mapping()).await.unwrap();
    // 40 events on 14 instants, so that pages end among ties.
    let events = (1..=40_u128)
        .map(|number| {
            let name = ["seen", "added", "other"][usize::try_from(number % 3).unwrap()];
            event(number, name, i64::try_from(number / 3).unwrap()).event
        })
        .collect();
    sync(&*store, &lease, events).await;

    let mut client = EventServiceClient::new(serve(Arc::clone(&store)).await);
    let found = listed(&mut client).await;
    let uuids: Vec<String> = (1..=40_u128)
        .map(|number| uuid::Uuid::from_u128(number).to_string())
        .collect();
    let in_order: Vec<String> = found.iter().map(|it| it.uuid.clone()).collect();
    assert_eq!(in_order, uuids);

    let date = |day| {
        Some(v1::Date {
            year: 2026,
            month: 3,
            day,
        })
    };
    let counts = v1::ListDailyEventCountsRequest {
        parent: SHOP.to_owned(),
        start_date: date(1),
        end_date: date(2),
        ..Default::default()
    };
    let counts = client
        .list_daily_event_counts(counts)
        .await
        .unwrap()
        .into_inner();
    for count in counts.daily_event_counts {
        let listed = found.iter().filter(|it| it.event == count.event).count();
        assert_eq!(count.event_count, listed as u64, "{}", count.event);
    }

    let request = v1::StreamEventsRequest {
        parent: SHOP.to_owned(),
        ..Default::default()
    };
    let mut stream = client.stream_events(request).await.unwrap().into_inner();
    let mut followed = Vec::new();
    loop {
        let message = stream.message().await.unwrap().unwrap();
        followed.extend(
            message
                .changes
                .into_iter()
                .filter_map(|change| change.event),
        );
        if message.caught_up {
            break;
        }
    }
    followed.sort_by(|a, b| a.uuid.cmp(&b.uuid));
    assert_eq!(followed, found);

    store
        .remove_events(&lease, &[uuid::Uuid::from_u128(1)])
        .await
        .unwrap();
    let message = stream.message().await.unwrap().unwrap();
    assert_eq!(message.changes.len(), 1);
    assert_eq!(message.changes[0].kind(), v1::event_change::Kind::Delete);
    assert_eq!(message.changes[0].uuid, uuids[0]);
}
