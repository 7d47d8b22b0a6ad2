//! IdentityService: links in pages, and what they add up to.

use domain::identity::{Evidence, IdentityKey, IdentityLink};
use domain::storage::LinkKey;
use grpc::proto::v1;
use grpc::proto::v1::identity_key::Key;
use jiff::Timestamp;
use tonic::Code;
use uuid::Uuid;

use crate::memory::Memory;
use crate::shop::{self, SHOP, Server, reason};

fn link(store: &Memory, distinct_id: &str, to: IdentityKey, ended: bool) {
    let evidence = match &to {
        IdentityKey::Person(_) => Evidence::PersonMapping,
        IdentityKey::Email(_) => Evidence::DistinctIdForm,
        _ => Evidence::EventProperty("customer_id".to_owned()),
    };
    let mut state = store.state();
    let key = LinkKey(format!("{distinct_id}/{:04}", state.links.len()));
    state.links.push((
        key,
        IdentityLink {
            distinct_id: distinct_id.to_owned(),
            to,
            evidence,
            valid_from: Timestamp::UNIX_EPOCH,
            valid_to: ended.then_some(Timestamp::UNIX_EPOCH),
            last_seen: Timestamp::UNIX_EPOCH,
        },
    ));
}

async fn list(server: &Server, include_ended: bool) -> Vec<v1::IdentityLink> {
    let mut request = v1::ListIdentityLinksRequest {
        parent: SHOP.to_owned(),
        include_ended,
        page_size: 3,
        ..Default::default()
    };
    let mut all = Vec::new();
    loop {
        let page = server
            .identities()
            .list_identity_links(request.clone())
            .await;
        let page = page.unwrap().into_inner();
        all.extend(page.identity_links);
        if page.next_page_token.is_empty() {
            return all;
        }
        request.page_token = page.next_page_token;
    }
}

#[tokio::test]
async fn links_come_in_pages_with_their_evidence_and_ended_ones_on_demand() {
    let store = shop::store();
    for number in 0..10_u128 {
        let person = IdentityKey::Person(Uuid::from_u128(number));
        link(
            &store,
            &format!("visitor-{number}"),
            person,
            number % 5 == 0,
        );
    }
    link(&store, "x", IdentityKey::CustomerId("77".to_owned()), false);
    let server = Server::start(store).await;
    assert_eq!(list(&server, true).await.len(), 11);
    let current = list(&server, false).await;
    assert_eq!(current.len(), 9);
    assert!(current.iter().all(|link| link.valid_to_time.is_none()));
    let last = current.last().unwrap();
    assert_eq!(last.evidence(), v1::identity_link::Evidence::EventProperty);
    assert_eq!(last.property, "customer_id");
    let key = last.linked.clone().unwrap().key;
    assert_eq!(key, Some(Key::CustomerId("77".to_owned())));
}

fn key(key: Key) -> v1::IdentityKey {
    v1::IdentityKey { key: Some(key) }
}

async fn resolve(server: &Server, keys: Vec<v1::IdentityKey>) -> Vec<v1::ResolvedIdentity> {
    let request = v1::ResolveIdentitiesRequest {
        parent: SHOP.to_owned(),
        keys,
    };
    let answer = server.identities().resolve_identities(request).await;
    v1::ResolvedIdentity::unpack(answer.unwrap().into_inner().identities).unwrap()
}

#[tokio::test]
async fn a_customer_is_the_persons_that_share_one_customer_id() {
    let store = shop::store();
    let (first, second) = (Uuid::from_u128(1), Uuid::from_u128(2));
    link(&store, "phone", IdentityKey::Person(first), false);
    link(&store, "laptop", IdentityKey::Person(second), false);
    link(
        &store,
        "phone",
        IdentityKey::CustomerId("77".to_owned()),
        false,
    );
    link(
        &store,
        "laptop",
        IdentityKey::CustomerId("77".to_owned()),
        false,
    );
    let server = Server::start(store).await;
    let asked = vec![
        key(Key::DistinctId("phone".to_owned())),
        key(Key::CustomerId("77".to_owned())),
        key(Key::DistinctId("nobody".to_owned())),
    ];
    let found = resolve(&server, asked.clone()).await;
    let answered: Vec<_> = found.iter().map(|it| it.key.clone().unwrap()).collect();
    assert_eq!(answered, asked);
    for identity in &found[..2] {
        assert_eq!(identity.status(), v1::resolved_identity::Status::Resolved);
        assert_eq!(identity.primary_customer_id(), "77");
        assert_eq!(identity.person_ids, [first.to_string(), second.to_string()]);
        assert_eq!(identity.distinct_ids, ["laptop", "phone"]);
        assert!(!identity.evidence.is_empty() && !identity.truncated);
    }
    assert_eq!(found[2].status(), v1::resolved_identity::Status::Unknown);
    assert_eq!(found[2].primary_customer_id, None);
}

#[tokio::test]
async fn a_person_with_two_customer_ids_is_a_conflict_without_a_primary() {
    let store = shop::store();
    link(
        &store,
        "phone",
        IdentityKey::Person(Uuid::from_u128(1)),
        false,
    );
    for customer in ["77", "78"] {
        link(
            &store,
            "phone",
            IdentityKey::CustomerId(customer.to_owned()),
            false,
        );
    }
    let server = Server::start(store).await;
    let found = resolve(&server, vec![key(Key::DistinctId("phone".to_owned()))]).await;
    assert_eq!(found[0].status(), v1::resolved_identity::Status::Conflict);
    assert_eq!(found[0].customer_ids, ["77", "78"]);
    assert_eq!(found[0].primary_customer_id, None);
}

#[tokio::test]
async fn a_thousand_keys_may_be_asked_for_and_no_more() {
    let server = Server::start(shop::store()).await;
    let keys = |count: usize| vec![key(Key::CustomerId("77".to_owned())); count];
    assert_eq!(resolve(&server, keys(1_000)).await.len(), 1_000);
    let request = v1::ResolveIdentitiesRequest {
        parent: SHOP.to_owned(),
        keys: keys(1_001),
    };
    let refused = server
        .identities()
        .resolve_identities(request)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(reason(&refused), "INVALID_FIELD");
}

#[tokio::test]
async fn conflicts_are_listed_page_by_page_and_a_till_is_none() {
    let store = shop::store();
    for number in 0..7_u128 {
        let own = format!("visitor-{number}");
        link(
            &store,
            &own,
            IdentityKey::Person(Uuid::from_u128(number)),
            false,
        );
        // The last person's id is a till's; the first three have one customer each.
        let customers = match number {
            6 => 0..6,
            0..3 => 0..1,
            _ => 0..2,
        };
        for customer in customers {
            let customer = IdentityKey::CustomerId(format!("{number}-{customer}"));
            link(&store, &own, customer, false);
        }
    }
    let server = Server::start(store).await;
    let mut request = v1::ListIdentityConflictsRequest {
        parent: SHOP.to_owned(),
        page_size: 2,
        ..Default::default()
    };
    let mut persons = Vec::new();
    let mut pages = 0;
    loop {
        let page = server
            .identities()
            .list_identity_conflicts(request.clone())
            .await;
        let page = page.unwrap().into_inner();
        pages += 1;
        for identity in v1::ResolvedIdentity::unpack(page.identities).unwrap() {
            assert_eq!(identity.status(), v1::resolved_identity::Status::Conflict);
            assert_eq!(identity.customer_ids.len(), 2);
            persons.extend(identity.person_ids);
        }
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    let expected: Vec<String> = (3..6)
        .map(|number| Uuid::from_u128(number).to_string())
        .collect();
    assert_eq!((persons, pages), (expected, 2));
}
