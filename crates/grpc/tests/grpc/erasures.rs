//! ErasePerson: what it answers, and whom it refuses.

use domain::plan::PlanStanding;
use grpc::proto::v1;
use grpc::proto::v1::identity_key::Key;
use jiff::Timestamp;
use tonic::{Code, Status};

use crate::shop::{self, SHOP, Server, event, reason, shop_events};

async fn erase(
    server: &Server,
    key: Option<Key>,
    dry_run: bool,
) -> Result<v1::ErasePersonResponse, Status> {
    let request = v1::ErasePersonRequest {
        parent: SHOP.to_owned(),
        key: key.map(|key| v1::IdentityKey { key: Some(key) }),
        dry_run,
    };
    let answer = server.erasures().erase_person(request).await?;
    Ok(answer.into_inner())
}

fn visitor() -> Option<Key> {
    Some(Key::DistinctId("visitor-1".to_owned()))
}

#[tokio::test]
async fn a_dry_run_counts_and_erases_nothing_and_the_erasure_does() {
    let store = shop::store();
    for number in 0..6 {
        store.state().put(shop::rows(), event(number, "seen", 0));
    }
    let server = Server::start(store).await;
    let would = erase(&server, visitor(), true).await.unwrap();
    assert_eq!((would.event_count, would.distinct_id_count), (2, 1));
    assert_eq!(server.list(shop_events()).await.unwrap().events.len(), 6);
    assert_eq!(erase(&server, visitor(), false).await.unwrap(), would);
    assert_eq!(server.list(shop_events()).await.unwrap().events.len(), 4);
}

#[tokio::test]
async fn erasing_works_on_any_plan_and_while_rows_of_a_disconnected_one_stay() {
    let store = shop::store();
    store.state().put(shop::rows(), event(1, "seen", 0));
    if let Some(record) = store.state().connections.get_mut(&shop::name()) {
        record.desired.plan = PlanStanding::Unknown { label: None };
        record.deleted_at = Some(Timestamp::UNIX_EPOCH);
    }
    let server = Server::start(store).await;
    let erased = erase(&server, visitor(), false).await.unwrap();
    assert_eq!(erased.event_count, 1);
}

#[tokio::test]
async fn what_names_nobody_in_particular_is_refused() {
    let server = Server::start(shop::store()).await;
    for (key, field) in [
        (None, "key "),
        (Some(Key::DistinctId(" ".to_owned())), "key.distinct_id"),
        (Some(Key::PersonId("7".to_owned())), "key.person_id"),
        (Some(Key::AnonymousId("x".to_owned())), "key.anonymous_id"),
    ] {
        let refused = erase(&server, key, false).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(
            refused.message().starts_with(field),
            "{}",
            refused.message()
        );
    }
    let request = v1::ErasePersonRequest {
        parent: "namespaces/acme/connections/none".to_owned(),
        key: visitor().map(|key| v1::IdentityKey { key: Some(key) }),
        dry_run: false,
    };
    let refused = server.erasures().erase_person(request).await.unwrap_err();
    assert_eq!(reason(&refused), "CONNECTION_NOT_FOUND");
}
