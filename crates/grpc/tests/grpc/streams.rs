//! StreamEvents: nothing lost, nothing unsaid, whatever interrupts it.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::PostHogStage;
use grpc::Settings;
use grpc::proto::v1;
use tokio::time::timeout;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt;
use uuid::Uuid;

use crate::shop::{self, PATIENCE, SHOP, Server, event, reason};

/// What a follower holds: it applies every change as the API's comments say.
#[derive(Default)]
struct Copy {
    events: BTreeMap<String, v1::Event>,
    token: String,
    deletes: usize,
}

impl Copy {
    fn apply(&mut self, message: v1::StreamEventsResponse) -> bool {
        for change in message.changes {
            match change.kind() {
                v1::event_change::Kind::Upsert => {
                    self.events.insert(change.uuid, change.event.unwrap());
                }
                v1::event_change::Kind::Delete => {
                    self.deletes += 1;
                    self.events.remove(&change.uuid);
                }
                v1::event_change::Kind::Unspecified => panic!("never sent"),
            }
        }
        self.token = message.resume_token;
        message.caught_up
    }

    /// Applies messages until everything was told.
    async fn catch_up(&mut self, stream: &mut Streaming<v1::StreamEventsResponse>) {
        while !self.apply(next(stream).await.unwrap()) {}
    }

    fn names(&self) -> Vec<&str> {
        self.events.values().map(|it| it.event.as_str()).collect()
    }
}

async fn next(
    stream: &mut Streaming<v1::StreamEventsResponse>,
) -> Result<v1::StreamEventsResponse, Status> {
    let message = timeout(PATIENCE, stream.message()).await;
    Ok(message
        .expect("a message in time")?
        .expect("a stream that goes on"))
}

async fn follow(
    server: &Server,
    request: v1::StreamEventsRequest,
) -> Streaming<v1::StreamEventsResponse> {
    server
        .events()
        .stream_events(request)
        .await
        .unwrap()
        .into_inner()
}

fn from_beginning() -> v1::StreamEventsRequest {
    v1::StreamEventsRequest {
        parent: SHOP.to_owned(),
        ..Default::default()
    }
}

fn resumed(token: &str) -> v1::StreamEventsRequest {
    v1::StreamEventsRequest {
        resume_token: token.to_owned(),
        ..from_beginning()
    }
}

#[tokio::test]
async fn a_follower_that_resumes_after_every_message_holds_what_is_stored() {
    let store = shop::store();
    for number in 1..=1_200 {
        store.state().put(shop::rows(), event(number, "seen", 0));
    }
    let server = Server::start(store.clone()).await;
    let mut copy = Copy::default();
    let mut messages = 0;
    loop {
        let mut stream = follow(&server, resumed(&copy.token)).await;
        let caught_up = copy.apply(next(&mut stream).await.unwrap());
        messages += 1;
        if caught_up {
            break;
        }
        // Meanwhile one comes and one goes.
        let mut state = store.state();
        state.put(shop::rows(), event(5_000 + messages, "seen", 0));
        state.remove(shop::rows(), Uuid::from_u128(messages));
    }
    assert!(messages >= 3);
    let stored: Vec<String> = {
        let state = store.state();
        let mut uuids: Vec<String> = state.events.keys().map(ToString::to_string).collect();
        uuids.sort();
        uuids
    };
    assert_eq!(copy.events.keys().cloned().collect::<Vec<_>>(), stored);
}

#[tokio::test]
async fn a_change_reaches_an_open_stream() {
    let store = shop::store();
    let server = Server::start(store.clone()).await;
    let mut stream = follow(&server, from_beginning()).await;
    let mut copy = Copy::default();
    copy.catch_up(&mut stream).await;
    store.state().put(shop::rows(), event(1, "seen", 0));
    copy.apply(next(&mut stream).await.unwrap());
    assert_eq!(copy.names(), ["seen"]);
    store.state().remove(shop::rows(), Uuid::from_u128(1));
    copy.apply(next(&mut stream).await.unwrap());
    assert!(copy.events.is_empty());
}

#[tokio::test]
async fn a_stream_from_now_tells_nothing_of_before_and_has_a_token_at_once() {
    let store = shop::store();
    store.state().put(shop::rows(), event(1, "seen", 0));
    let server = Server::start(store.clone()).await;
    let request = v1::StreamEventsRequest {
        start: v1::stream_events_request::Start::Now.into(),
        ..from_beginning()
    };
    let mut copy = Copy::default();
    let mut stream = follow(&server, request).await;
    assert!(copy.apply(next(&mut stream).await.unwrap()));
    assert!(copy.events.is_empty() && !copy.token.is_empty());
    store.state().put(shop::rows(), event(2, "added", 0));
    copy.apply(
        next(&mut follow(&server, resumed(&copy.token)).await)
            .await
            .unwrap(),
    );
    assert_eq!(copy.names(), ["added"]);
}

#[tokio::test]
async fn an_event_that_leaves_the_filter_is_told_as_deleted() {
    let store = shop::store();
    for (number, name) in [(1, "seen"), (2, "added"), (3, "other")] {
        store.state().put(shop::rows(), event(number, name, 0));
    }
    let server = Server::start(store.clone()).await;
    let request = v1::StreamEventsRequest {
        stages: vec![v1::FunnelStage::ProductViewed.into()],
        ..from_beginning()
    };
    let mut stream = follow(&server, request).await;
    let mut copy = Copy::default();
    copy.catch_up(&mut stream).await;
    assert_eq!(copy.names(), ["seen"]);
    assert_eq!(copy.deletes, 0, "nothing can have left at the beginning");
    // A re-map moves the event to another stage.
    let mut row = event(1, "seen", 0);
    row.stage = Some(PostHogStage::CheckoutStarted);
    store.state().put(shop::rows(), row);
    copy.apply(next(&mut stream).await.unwrap());
    assert_eq!((copy.events.len(), copy.deletes), (0, 1));
}

#[tokio::test]
async fn a_resume_token_is_of_no_use_to_another_filter() {
    let server = Server::start(shop::store()).await;
    let first = next(&mut follow(&server, from_beginning()).await)
        .await
        .unwrap();
    let refused = server
        .events()
        .stream_events(v1::StreamEventsRequest {
            event_names: vec!["seen".to_owned()],
            ..resumed(&first.resume_token)
        })
        .await
        .unwrap_err();
    assert_eq!(reason(&refused), "TOKEN_INVALID");
}

#[tokio::test]
async fn an_idle_stream_is_not_silent() {
    let settings = Settings {
        heartbeat_interval: Duration::from_millis(30),
        ..shop::settings()
    };
    let server = Server::with(shop::store(), settings, None).await;
    let mut stream = follow(&server, from_beginning()).await;
    for _ in 0..3 {
        let message = next(&mut stream).await.unwrap();
        assert!(message.changes.is_empty() && message.caught_up);
        assert!(!message.resume_token.is_empty());
    }
}

#[tokio::test]
async fn a_drain_ends_streams_with_a_token_that_resumes_them() {
    let store = shop::store();
    store.state().put(shop::rows(), event(1, "seen", 0));
    let server = Server::start(store.clone()).await;
    let mut stream = follow(&server, from_beginning()).await;
    Copy::default().catch_up(&mut stream).await;
    server.shutdown.cancel();
    let ended = next(&mut stream).await.unwrap_err();
    assert_eq!(ended.code(), Code::Unavailable);
    assert_eq!(reason(&ended), "DRAINING");
    let token = ended.get_details_error_info().unwrap().metadata["resumeToken"].clone();
    timeout(PATIENCE, server.serving)
        .await
        .unwrap()
        .unwrap()
        .unwrap();

    store.state().put(shop::rows(), event(2, "added", 0));
    let next_server = Server::start(store).await;
    let mut copy = Copy::default();
    copy.catch_up(&mut follow(&next_server, resumed(&token)).await)
        .await;
    assert_eq!(copy.names(), ["added"]);
}

#[tokio::test]
async fn a_stream_ends_when_its_connection_may_not_be_read_any_more() {
    let store = shop::store();
    let server = Server::start(store.clone()).await;
    let mut stream = follow(&server, from_beginning()).await;
    Copy::default().catch_up(&mut stream).await;
    let deleted_at = Some(jiff::Timestamp::UNIX_EPOCH);
    let name = shop::name();
    store.state().connections.get_mut(&name).unwrap().deleted_at = deleted_at;
    let ended = next(&mut stream).await.unwrap_err();
    assert_eq!(reason(&ended), "CONNECTION_NOT_FOUND");
}

#[tokio::test]
async fn a_token_from_beyond_the_stores_history_is_stale() {
    let store = shop::store();
    for number in 1..=3 {
        store.state().put(shop::rows(), event(number, "seen", 0));
    }
    let server = Server::start(store.clone()).await;
    let mut copy = Copy::default();
    copy.catch_up(&mut follow(&server, from_beginning()).await)
        .await;
    store
        .state()
        .epochs
        .get_mut(&shop::rows())
        .unwrap()
        .change_seq = 1;
    let refused = server
        .events()
        .stream_events(resumed(&copy.token))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(reason(&refused), "TOKEN_STALE");
}
