//! What a service reads from `up`.

use std::collections::{BTreeMap, BTreeSet};

use grpc::proto::v1;
use grpc::proto::v1::identity_key::Key as Id;
use posthog_stub::{Endpoint, Fault};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;

use crate::support::api::{Api, reason};
use crate::support::documents::{CONNECTION, Document};
use crate::support::home::Home;
use crate::support::shop::{self, ADDED_TO_CART, CHECKOUTS, PRODUCT_VIEWS, PROJECT, SIGN_UPS};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_answers_while_the_backfill_runs() {
    let stub = shop::small_shop().await;
    // However late the backfill is looked at, it is not complete.
    let page = Endpoint::Named("ordinary_posthog_page");
    let retry_after = Some(1);
    stub.faults().always(page, Fault::Throttle { retry_after });
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    let (program, at) = home.up(&file);
    let mut up = program.start();
    let mut api = Api::of(&mut up, at.grpc).await;

    let started = api
        .connection_where(&mut up, "a run has begun", |connection| {
            connection.backfill.is_some()
        })
        .await;
    let backfill = started.backfill.unwrap();
    assert_eq!(backfill.complete_time, None);
    assert!((0.0..100.0).contains(&backfill.percent), "{backfill:?}");
    let health = api
        .health
        .check(HealthCheckRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(health.status(), ServingStatus::Serving);

    stub.faults().clear();
    let connection = api.synced(&mut up).await;
    let backfill = connection.backfill.unwrap();
    assert!(
        (backfill.percent - 100.0).abs() < f64::EPSILON,
        "{backfill:?}"
    );
    up.interrupt();
    up.ended().await.with_code(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_read_agrees_with_what_posthog_has() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    let (program, at) = home.up(&file);
    let mut up = program.start();
    let mut api = Api::of(&mut up, at.grpc).await;

    let connection = api.synced(&mut up).await;
    assert_eq!(
        (connection.name.as_str(), connection.project_id),
        (CONNECTION, 4242)
    );
    assert_eq!(
        (connection.host.as_str(), connection.time_zone.as_str()),
        (stub.url(), "Europe/Berlin")
    );
    assert_eq!(connection.failure, None);
    let check = connection.check.unwrap();
    assert_eq!(
        (check.project_name.as_str(), check.masked_key.as_str()),
        ("Linden & Loom", "phx_...77c2")
    );
    let completeness = connection.completeness.unwrap();
    assert_eq!(
        (completeness.pending_days, completeness.mismatched_days),
        (0, 0)
    );

    // Orders are Shopify's: never a number here, although the shop sends such events.
    let totals = [
        Some(PRODUCT_VIEWS),
        Some(ADDED_TO_CART),
        Some(CHECKOUTS),
        None,
    ];
    assert_eq!(api.stage_totals().await, totals);

    let mapped = api.mapped_events(7).await;
    let uuids: BTreeSet<_> = mapped.iter().map(|event| event.uuid.as_str()).collect();
    assert_eq!(uuids.len(), mapped.len(), "a page repeated an event");
    let mut by_name = BTreeMap::<&str, u64>::new();
    for event in &mapped {
        *by_name.entry(&event.event).or_default() += 1;
    }
    let expected = [
        ("$pageview", PRODUCT_VIEWS),
        ("Checkout Started", CHECKOUTS),
        ("Product Added", ADDED_TO_CART),
    ];
    assert_eq!(by_name, BTreeMap::from(expected));

    assert_eq!(
        all_events(&mut api).await,
        stub.read(|world| world.project(PROJECT).unwrap().events().len())
    );
    assert_eq!(sign_ups(&mut api).await, SIGN_UPS);
    identities_are_linked(&mut api, &stub).await;
    up.interrupt();
    up.ended().await.with_code(0);
}

async fn all_events(api: &mut Api) -> usize {
    let mut request = v1::ListEventsRequest {
        parent: CONNECTION.to_owned(),
        page_size: 50,
        ..Default::default()
    };
    let mut count = 0;
    loop {
        let page = api
            .events
            .list_events(request.clone())
            .await
            .unwrap()
            .into_inner();
        count += page.events.len();
        if page.next_page_token.is_empty() {
            return count;
        }
        request.page_token = page.next_page_token;
    }
}

/// From the daily counts of one custom event.
async fn sign_ups(api: &mut Api) -> u64 {
    let funnel = api.funnel().await.unwrap();
    let (first, last) = (funnel.days.first().unwrap(), funnel.days.last().unwrap());
    let request = v1::ListDailyEventCountsRequest {
        parent: CONNECTION.to_owned(),
        start_date: first.day,
        end_date: last.day,
        event_names: vec!["newsletter signup".to_owned()],
        page_size: 1000,
        ..Default::default()
    };
    let answer = api
        .events
        .list_daily_event_counts(request)
        .await
        .unwrap()
        .into_inner();
    answer
        .daily_event_counts
        .iter()
        .map(|count| count.event_count)
        .sum()
}

async fn identities_are_linked(api: &mut Api, stub: &posthog_stub::StubHandle) {
    let customer = api.resolve(Id::CustomerId("1004".to_owned())).await;
    assert_eq!(customer.status(), v1::resolved_identity::Status::Resolved);
    assert_eq!(customer.primary_customer_id.as_deref(), Some("1004"));
    let ids: BTreeSet<_> = customer.distinct_ids.iter().map(String::as_str).collect();
    assert_eq!(ids, BTreeSet::from(["anon-4", "customer-4"]));
    let person =
        stub.read(|world| world.project(PROJECT).unwrap().distinct_ids()["anon-4"].person_id);
    assert_eq!(customer.person_ids, [person.to_string()]);
    assert!(!customer.evidence.is_empty());

    // The anonymous id leads to the same customer as the customer's own.
    let anonymous = api.resolve(Id::DistinctId("anon-4".to_owned())).await;
    assert_eq!(anonymous.primary_customer_id.as_deref(), Some("1004"));
    let stranger = api.resolve(Id::CustomerId("nobody".to_owned())).await;
    assert_eq!(stranger.status(), v1::resolved_identity::Status::Unknown);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_requests_are_refused_with_their_reason() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    let (program, at) = home.up(&file);
    let mut up = program.start();
    let mut api = Api::of(&mut up, at.grpc).await;
    api.synced(&mut up).await;

    let mut list = async |request: v1::ListMappedEventsRequest| {
        api.events.list_mapped_events(request).await.unwrap_err()
    };
    let request = v1::ListMappedEventsRequest {
        parent: CONNECTION.to_owned(),
        ..Default::default()
    };
    let refused = list(v1::ListMappedEventsRequest {
        parent: "storefront".to_owned(),
        ..request.clone()
    })
    .await;
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::InvalidArgument, "INVALID_FIELD")
    );
    let parent = "namespaces/default/connections/other".to_owned();
    let refused = list(v1::ListMappedEventsRequest {
        parent,
        ..request.clone()
    })
    .await;
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::NotFound, "CONNECTION_NOT_FOUND")
    );
    let stages = vec![v1::FunnelStage::OrderCompleted.into()];
    let refused = list(v1::ListMappedEventsRequest {
        stages,
        ..request.clone()
    })
    .await;
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::InvalidArgument, "ORDER_NOT_FROM_POSTHOG")
    );
    let page_token = "made-up".to_owned();
    let refused = list(v1::ListMappedEventsRequest {
        page_token,
        ..request
    })
    .await;
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::InvalidArgument, "TOKEN_INVALID")
    );
    up.terminate();
    up.ended().await.with_code(0);
}
