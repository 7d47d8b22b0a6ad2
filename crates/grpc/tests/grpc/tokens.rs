//! Page tokens: bound to what gave them, and to the state of the connection.

use grpc::proto::v1;
use tonic::{Code, Status};

use crate::memory::Memory;
use crate::shop::{self, SHOP, Server, event, reason, shop_events};
use std::sync::Arc;

/// A server with a few events, and the token of their second page.
async fn begun() -> (Arc<Memory>, Server, String) {
    let store = shop::store();
    for number in 1..=5 {
        store.state().put(shop::rows(), event(number, "seen", 0));
    }
    let server = Server::start(store.clone()).await;
    let token = server.list(page("")).await.unwrap().next_page_token;
    assert!(!token.is_empty());
    (store, server, token)
}

fn page(token: &str) -> v1::ListEventsRequest {
    v1::ListEventsRequest {
        page_size: 2,
        page_token: token.to_owned(),
        ..shop_events()
    }
}

fn assert_invalid(refused: &Status) {
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(reason(refused), "TOKEN_INVALID");
}

fn assert_stale(refused: &Status) {
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(reason(refused), "TOKEN_STALE");
}

#[tokio::test]
async fn a_token_that_was_altered_anywhere_is_invalid() {
    let (_, server, token) = begun().await;
    for place in (0..token.len()).step_by(11) {
        let mut bytes = token.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(bytes).unwrap();
        assert_invalid(&server.list(page(&altered)).await.unwrap_err());
    }
    for nonsense in ["x", "====", "päge", &token[1..], &"A".repeat(9_000)] {
        assert_invalid(&server.list(page(nonsense)).await.unwrap_err());
    }
}

#[tokio::test]
async fn a_token_is_of_no_use_to_other_arguments() {
    let (store, server, token) = begun().await;
    let other = domain::ConnectionName::new("acme", "other");
    let record = shop::record(other.clone());
    store.state().connections.insert(other, record);
    for request in [
        v1::ListEventsRequest {
            distinct_id: "visitor-1".to_owned(),
            ..page(&token)
        },
        v1::ListEventsRequest {
            order: v1::EventOrder::NewestFirst.into(),
            ..page(&token)
        },
        v1::ListEventsRequest {
            parent: "namespaces/acme/connections/other".to_owned(),
            ..page(&token)
        },
    ] {
        assert_invalid(&server.list(request).await.unwrap_err());
    }
}

#[tokio::test]
async fn a_token_is_of_no_use_to_another_method() {
    let (_, server, token) = begun().await;
    let refused = server
        .events()
        .list_mapped_events(v1::ListMappedEventsRequest {
            parent: SHOP.to_owned(),
            page_token: token.clone(),
            ..Default::default()
        })
        .await
        .unwrap_err();
    assert_invalid(&refused);
    let refused = server
        .events()
        .stream_events(v1::StreamEventsRequest {
            parent: SHOP.to_owned(),
            resume_token: token,
            ..Default::default()
        })
        .await
        .unwrap_err();
    assert_invalid(&refused);
}

#[tokio::test]
async fn a_token_is_stale_after_the_mapping_changed() {
    let (store, server, token) = begun().await;
    {
        let mut state = store.state();
        let epoch = state.epochs.get_mut(&shop::rows()).unwrap();
        epoch.mapping_revision += 1;
    }
    assert_stale(&server.list(page(&token)).await.unwrap_err());
}

#[tokio::test]
async fn a_token_is_stale_once_reads_move_to_another_project() {
    let (store, server, token) = begun().await;
    let moved = domain::ConnectionId::of(&shop::name(), &shop::epoch(5));
    {
        let mut state = store.state();
        let mut epoch = state.epochs[&shop::rows()].clone();
        epoch.id = moved;
        state.epochs.insert(moved, epoch);
        state.connections.get_mut(&shop::name()).unwrap().serving = moved;
    }
    assert_stale(&server.list(page(&token)).await.unwrap_err());
}

#[tokio::test]
async fn a_token_outlives_one_rotation_of_keys_and_no_key_that_was_dropped() {
    let (store, _, token) = begun().await;
    store.state().keys = vec![vec![8; 32], vec![7; 32]];
    let rotated = Server::start(store.clone()).await;
    assert_eq!(rotated.list(page(&token)).await.unwrap().events.len(), 2);
    store.state().keys = vec![vec![9; 32], vec![8; 32]];
    let dropped = Server::start(store).await;
    assert_invalid(&dropped.list(page(&token)).await.unwrap_err());
}

#[tokio::test]
async fn every_replica_on_the_store_continues_a_token() {
    let (store, _, token) = begun().await;
    let replica = Server::start(store).await;
    assert_eq!(replica.list(page(&token)).await.unwrap().events.len(), 2);
}
