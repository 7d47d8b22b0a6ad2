//! Pages: complete, in order, and steady while rows come and go.

use std::collections::BTreeSet;

use grpc::proto::v1;
use tonic::Code;

use crate::memory::Memory;
use crate::shop::{self, Server, event, reason, shop_events};

/// Every page of ListEvents from `request`; `between` runs after each page.
async fn walk(
    server: &Server,
    mut request: v1::ListEventsRequest,
    mut between: impl FnMut(usize),
) -> Vec<v1::Event> {
    let mut all = Vec::new();
    for page in 0.. {
        let answer = server.list(request.clone()).await.unwrap();
        all.extend(answer.events);
        if answer.next_page_token.is_empty() {
            break;
        }
        request.page_token = answer.next_page_token;
        between(page);
    }
    all
}

fn fill(store: &Memory, events: u128, second: impl Fn(u128) -> i64) {
    let mut state = store.state();
    for number in 1..=events {
        state.put(shop::rows(), event(number, "seen", second(number)));
    }
}

#[tokio::test]
async fn pages_over_ties_hold_every_event_once_in_order() {
    let store = shop::store();
    fill(&store, 100, |number| i64::try_from(number / 40).unwrap());
    let server = Server::start(store).await;
    for order in [v1::EventOrder::OldestFirst, v1::EventOrder::NewestFirst] {
        let request = v1::ListEventsRequest {
            order: order.into(),
            page_size: 7,
            ..shop_events()
        };
        let found = walk(&server, request, |_| {}).await;
        let mut numbers: Vec<String> = found.into_iter().map(|event| event.uuid).collect();
        if order == v1::EventOrder::NewestFirst {
            numbers.reverse();
        }
        let wanted: Vec<String> = (1..=100_u128)
            .map(|number| uuid::Uuid::from_u128(number).to_string())
            .collect();
        assert_eq!(numbers, wanted, "{order:?}");
    }
}

#[tokio::test]
async fn rows_that_come_and_go_between_pages_shift_no_other() {
    let store = shop::store();
    fill(&store, 50, |number| i64::try_from(number).unwrap());
    let server = Server::start(store.clone()).await;
    let request = v1::ListEventsRequest {
        page_size: 10,
        ..shop_events()
    };
    let found = walk(&server, request, |page| {
        let mut state = store.state();
        // One already answered goes, and one comes before all of them.
        state.remove(shop::rows(), uuid::Uuid::from_u128(page as u128 + 1));
        state.put(shop::rows(), event(1_000 + page as u128, "seen", -1));
    })
    .await;
    let names: BTreeSet<&str> = found.iter().map(|event| event.uuid.as_str()).collect();
    assert_eq!((found.len(), names.len()), (50, 50));
}

#[tokio::test]
async fn a_page_ends_at_about_a_mebibyte_and_the_next_goes_on() {
    let store = shop::store();
    {
        let mut state = store.state();
        for number in 1..=20 {
            let mut row = event(number, "$autocapture", 0);
            row.event.elements_chain = Some("x".repeat(200 * 1024));
            state.put(shop::rows(), row);
        }
    }
    let server = Server::start(store).await;
    let first = server.list(shop_events()).await.unwrap();
    assert_eq!(first.events.len(), 6);
    assert_eq!(walk(&server, shop_events(), |_| {}).await.len(), 20);
}

#[tokio::test]
async fn page_sizes_are_defaulted_capped_and_never_negative() {
    let store = shop::store();
    fill(&store, 1_100, |number| i64::try_from(number).unwrap());
    let server = Server::start(store).await;
    for (page_size, rows) in [(0, 100), (5, 5), (1_000, 1_000), (50_000, 1_000)] {
        let request = v1::ListEventsRequest {
            page_size,
            ..shop_events()
        };
        assert_eq!(server.list(request).await.unwrap().events.len(), rows);
    }
    let refused = server
        .list(v1::ListEventsRequest {
            page_size: -1,
            ..shop_events()
        })
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(reason(&refused), "INVALID_FIELD");
}

#[tokio::test]
async fn a_page_may_have_another_size_than_the_one_before() {
    let store = shop::store();
    fill(&store, 10, |number| i64::try_from(number).unwrap());
    let server = Server::start(store).await;
    let mut request = v1::ListEventsRequest {
        page_size: 3,
        ..shop_events()
    };
    request.page_token = server.list(request.clone()).await.unwrap().next_page_token;
    request.page_size = 100;
    let rest = server.list(request).await.unwrap();
    assert_eq!((rest.events.len(), rest.next_page_token.as_str()), (7, ""));
}

#[tokio::test]
async fn filters_hold_together() {
    let store = shop::store();
    {
        let mut state = store.state();
        for (number, name, second) in [
            (1, "seen", 0),
            (2, "added", 1),
            (3, "added", 2),
            (5, "added", 3),
            (6, "other", 2),
        ] {
            state.put(shop::rows(), event(number, name, second));
        }
    }
    let server = Server::start(store).await;
    let at = |second: i64| {
        Some(prost_types::Timestamp {
            seconds: 1_772_323_200 + second,
            nanos: 0,
        })
    };
    let request = v1::ListEventsRequest {
        start_time: at(1),
        end_time: at(3),
        stages: vec![v1::FunnelStage::AddedToCart.into()],
        event_names: vec!["added".to_owned(), "seen".to_owned()],
        distinct_id: "visitor-2".to_owned(),
        ..shop_events()
    };
    let found = server.list(request).await.unwrap().events;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].uuid, uuid::Uuid::from_u128(2).to_string());
    assert_eq!(found[0].stage(), v1::FunnelStage::AddedToCart);
    assert_eq!(found[0].id_properties["customer_id"], "77");
}

#[tokio::test]
async fn mapped_events_are_those_of_a_stage() {
    let store = shop::store();
    {
        let mut state = store.state();
        for (number, name) in [(1, "seen"), (2, "added"), (3, "other"), (4, "checkout")] {
            state.put(shop::rows(), event(number, name, 0));
        }
    }
    let server = Server::start(store).await;
    for (stages, wanted) in [
        (vec![], vec!["seen", "added", "checkout"]),
        (vec![v1::FunnelStage::AddedToCart.into()], vec!["added"]),
    ] {
        let answer = server
            .events()
            .list_mapped_events(v1::ListMappedEventsRequest {
                parent: shop::SHOP.to_owned(),
                stages,
                ..Default::default()
            })
            .await
            .unwrap()
            .into_inner();
        let events = v1::Event::unpack(answer.events).unwrap();
        let names: Vec<&str> = events.iter().map(|it| it.event.as_str()).collect();
        assert_eq!(names, wanted);
    }
}
