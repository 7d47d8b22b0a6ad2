//! TrailService: sessions, and customers over all of their ids.

use std::sync::Arc;

use domain::identity::{Evidence, IdentityKey, IdentityLink};
use domain::storage::LinkKey;
use grpc::proto::v1;
use grpc::proto::v1::identity_key::Key;
use grpc::proto::v1::resolved_identity::Status as IdentityStatus;
use jiff::Timestamp;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::memory::Memory;
use crate::shop::{self, SHOP, Server, event, reason};

const CHAIN: &str =
    r#"button:attr_id="buy"nth-child="1"nth-of-type="1"text="Ask ada@shop.example""#;

fn link(distinct_id: &str, to: IdentityKey) -> (LinkKey, IdentityLink) {
    let key = LinkKey(format!("{distinct_id} {to:?}"));
    let link = IdentityLink {
        distinct_id: distinct_id.to_owned(),
        to,
        evidence: Evidence::PersonMapping,
        valid_from: Timestamp::UNIX_EPOCH,
        valid_to: None,
        last_seen: Timestamp::UNIX_EPOCH,
    };
    (key, link)
}

/// Twelve events of three visitors, of whom the first two are one person.
fn store() -> Arc<Memory> {
    let store = shop::store();
    for number in 1..=12 {
        let mut row = event(number, "seen", 100 - i64::try_from(number).unwrap());
        row.event.session_id = Some(format!("session {}", number % 2));
        row.event.path = Some("/fr/products/red-shirt".to_owned());
        store.state().put(shop::rows(), row);
    }
    let person = IdentityKey::Person(Uuid::from_u128(7));
    store.state().links = vec![
        link("visitor-0", person.clone()),
        link("visitor-1", person),
        link("visitor-1", IdentityKey::CustomerId("77".to_owned())),
    ];
    store
}

fn of(key: Key) -> v1::ListCustomerTrailRequest {
    v1::ListCustomerTrailRequest {
        parent: SHOP.to_owned(),
        key: Some(v1::IdentityKey { key: Some(key) }),
        page_size: 3,
        ..Default::default()
    }
}

async fn walk(
    server: &Server,
    mut request: v1::ListCustomerTrailRequest,
) -> (Vec<u128>, v1::ListCustomerTrailResponse) {
    let mut found = Vec::new();
    loop {
        let page = server.trails().list_customer_trail(request.clone()).await;
        let page = page.unwrap().into_inner();
        found.extend(
            page.trail_events
                .iter()
                .map(|step| Uuid::parse_str(&step.uuid).unwrap().as_u128()),
        );
        if page.next_page_token.is_empty() {
            return (found, page);
        }
        request.page_token = page.next_page_token.clone();
    }
}

async fn refused(server: &Server, request: v1::ListCustomerTrailRequest) -> Status {
    server
        .trails()
        .list_customer_trail(request)
        .await
        .unwrap_err()
}

#[tokio::test]
async fn a_trail_is_of_every_id_that_belongs_together() {
    let server = Server::start(store()).await;
    let expected: Vec<u128> = (1..=12).rev().filter(|number| number % 3 != 2).collect();
    for key in [
        Key::DistinctId("visitor-0".to_owned()),
        Key::PersonId(Uuid::from_u128(7).to_string()),
        Key::CustomerId("77".to_owned()),
    ] {
        let (found, last) = walk(&server, of(key)).await;
        assert_eq!(found, expected);
        assert_eq!(last.distinct_ids, ["visitor-0", "visitor-1"]);
        assert_eq!(last.customer_ids, ["77"]);
        assert_eq!(last.status(), IdentityStatus::Resolved);
        assert_eq!(last.primary_customer_id(), "77");
        assert_eq!(last.person_ids, [Uuid::from_u128(7).to_string()]);
        assert!(!last.truncated);
    }
    let mut newest = of(Key::CustomerId("77".to_owned()));
    newest.order = v1::EventOrder::NewestFirst.into();
    let (found, _) = walk(&server, newest).await;
    assert!(found.iter().rev().eq(&expected));
}

/// Two persons who are not joined, `visitor-0` and `visitor-1`, with the ids that each carries.
fn strangers(carried: &[(&str, IdentityKey)]) -> Arc<Memory> {
    let store = store();
    store.state().links = vec![
        link("visitor-0", IdentityKey::Person(Uuid::from_u128(7))),
        link("visitor-1", IdentityKey::Person(Uuid::from_u128(8))),
    ];
    for (distinct_id, key) in carried {
        store.state().links.push(link(distinct_id, key.clone()));
    }
    store
}

#[tokio::test]
async fn a_trail_by_an_id_that_joins_nobody_says_whose_events_are_in_it() {
    let customer = |id: &str| IdentityKey::CustomerId(id.to_owned());
    let address = "ada@shop.example".to_owned();
    for (asked, shared) in [
        (Key::Email(address.clone()), IdentityKey::Email(address)),
        (
            Key::AnonymousId("till".to_owned()),
            IdentityKey::AnonymousId("till".to_owned()),
        ),
    ] {
        let both = ["visitor-0", "visitor-1"].map(|id| (id, shared.clone()));
        for (carried, status, primary) in [
            (vec![], IdentityStatus::Resolved, None),
            // Whose the other one's events are, nobody said.
            (
                vec![("visitor-1", customer("77"))],
                IdentityStatus::Resolved,
                None,
            ),
            (
                vec![("visitor-0", customer("77")), ("visitor-1", customer("77"))],
                IdentityStatus::Resolved,
                Some("77"),
            ),
            (
                vec![("visitor-0", customer("78")), ("visitor-1", customer("77"))],
                IdentityStatus::Conflict,
                None,
            ),
            (
                (0..6)
                    .map(|number| ("visitor-0", customer(&number.to_string())))
                    .collect(),
                IdentityStatus::Shared,
                None,
            ),
        ] {
            let store = strangers(&[&both[..], &carried[..]].concat());
            let server = Server::start(store).await;
            let (found, last) = walk(&server, of(asked.clone())).await;
            let expected: Vec<u128> = (1..=12).rev().filter(|number| number % 3 != 2).collect();
            assert_eq!(found, expected);
            assert_eq!(last.status(), status, "{carried:?}");
            assert_eq!(last.primary_customer_id.as_deref(), primary, "{carried:?}");
            let persons = [7, 8].map(|number| Uuid::from_u128(number).to_string());
            assert_eq!(last.person_ids, persons);
        }
    }
}

#[tokio::test]
async fn a_trail_may_be_of_one_id_alone_and_of_some_time() {
    let server = Server::start(store()).await;
    let mut alone = of(Key::DistinctId("visitor-0".to_owned()));
    alone.this_id_only = true;
    let (found, last) = walk(&server, alone.clone()).await;
    assert_eq!(found, [12, 9, 6, 3]);
    assert_eq!(last.distinct_ids, ["visitor-0"]);
    assert_eq!(last.status(), IdentityStatus::Unspecified);
    assert!(last.person_ids.is_empty());
    let second = |second| {
        let start: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        Some(prost_types::Timestamp {
            seconds: start.as_second() + second,
            nanos: 0,
        })
    };
    alone.start_time = second(90);
    alone.end_time = second(95);
    assert_eq!(walk(&server, alone).await.0, [9, 6]);
}

#[tokio::test]
async fn an_id_of_which_only_events_are_known_has_these() {
    let server = Server::start(store()).await;
    let (found, last) = walk(&server, of(Key::DistinctId("visitor-2".to_owned()))).await;
    assert_eq!(found, [11, 8, 5, 2]);
    assert_eq!(last.distinct_ids, ["visitor-2"]);
    assert_eq!(last.status(), IdentityStatus::Unknown);
    let (found, last) = walk(&server, of(Key::CustomerId("nobody".to_owned()))).await;
    assert!(found.is_empty() && last.distinct_ids.is_empty());
}

#[tokio::test]
async fn a_customer_of_too_many_ids_is_followed_in_part_and_says_so() {
    let store = store();
    let customer = IdentityKey::CustomerId("77".to_owned());
    for number in 0..150 {
        let link = link(&format!("till-{number:03}"), customer.clone());
        store.state().links.push(link);
    }
    let server = Server::start(store).await;
    let (_, last) = walk(&server, of(Key::CustomerId("77".to_owned()))).await;
    assert!(last.truncated);
    assert_eq!(last.distinct_ids.len(), 100);
    let asked = "till-149".to_owned();
    let (_, last) = walk(&server, of(Key::DistinctId(asked.clone()))).await;
    assert!(
        last.distinct_ids.contains(&asked),
        "the id asked for is never left out"
    );
}

#[tokio::test]
async fn a_token_is_stale_once_the_customer_has_other_ids() {
    let store = store();
    let server = Server::start(Arc::clone(&store)).await;
    let mut request = of(Key::CustomerId("77".to_owned()));
    let first = server.trails().list_customer_trail(request.clone()).await;
    request.page_token = first.unwrap().into_inner().next_page_token;
    let moved = link("visitor-2", IdentityKey::Person(Uuid::from_u128(7)));
    store.state().links.push(moved);
    assert_eq!(reason(&refused(&server, request).await), "TOKEN_STALE");
}

#[tokio::test]
async fn a_step_tells_its_page_and_what_was_clicked_and_nothing_that_was_typed() {
    let store = store();
    let mut row = event(20, "$autocapture", 50);
    row.event.session_id = Some("clicks".to_owned());
    row.event.path = Some("/products/a".to_owned());
    row.event.elements_chain = Some(CHAIN.to_owned());
    row.event.event_type = Some("submit".to_owned());
    store.state().put(shop::rows(), row.clone());
    row.event.uuid = Uuid::from_u128(21);
    row.event.elements_chain = Some("a:broken".to_owned());
    store.state().put(shop::rows(), row);
    let server = Server::start(store).await;
    let request = v1::ListSessionEventsRequest {
        parent: SHOP.to_owned(),
        session_id: "clicks".to_owned(),
        ..Default::default()
    };
    let answer = server
        .trails()
        .list_session_events(request)
        .await
        .unwrap()
        .into_inner();
    let [step, broken] = &answer.trail_events[..] else {
        panic!("two steps");
    };
    assert_eq!(step.page.as_deref(), Some("/products/*"));
    let element = step.element.as_ref().unwrap();
    assert_eq!(element.event_type.as_deref(), Some("submit"));
    assert_eq!(element.selector, r#"[id="buy"]"#);
    assert_eq!(element.text.as_deref(), Some("Ask [email]"));
    assert_eq!(broken.element, None);
}

#[tokio::test]
async fn a_session_is_listed_page_by_page_in_either_order() {
    let server = Server::start(store()).await;
    for (order, expected) in [
        (v1::EventOrder::OldestFirst, [11, 9, 7, 5, 3, 1]),
        (v1::EventOrder::NewestFirst, [1, 3, 5, 7, 9, 11]),
    ] {
        let mut request = v1::ListSessionEventsRequest {
            parent: SHOP.to_owned(),
            session_id: "session 1".to_owned(),
            order: order.into(),
            page_size: 4,
            page_token: String::new(),
        };
        let mut found = Vec::new();
        loop {
            let page = server.trails().list_session_events(request.clone()).await;
            let page = page.unwrap().into_inner();
            found.extend(
                page.trail_events
                    .iter()
                    .map(|step| Uuid::parse_str(&step.uuid).unwrap().as_u128()),
            );
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn a_trail_of_nobody_is_refused_by_its_field() {
    let server = Server::start(store()).await;
    let mut no_key = of(Key::DistinctId("a".to_owned()));
    no_key.key = None;
    let mut not_alone = of(Key::CustomerId("77".to_owned()));
    not_alone.this_id_only = true;
    for (request, field) in [
        (no_key, "key "),
        (of(Key::DistinctId(" ".to_owned())), "key.distinct_id "),
        (of(Key::PersonId("7".to_owned())), "key.person_id "),
        (not_alone, "this_id_only "),
    ] {
        let refused = refused(&server, request).await;
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(
            refused.message().starts_with(field),
            "{}",
            refused.message()
        );
    }
    let request = v1::ListSessionEventsRequest {
        parent: SHOP.to_owned(),
        ..Default::default()
    };
    let refused = server
        .trails()
        .list_session_events(request)
        .await
        .unwrap_err();
    assert!(
        refused.message().starts_with("session_id "),
        "{}",
        refused.message()
    );
}
