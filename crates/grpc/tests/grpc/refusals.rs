//! Who is not answered, and with which words.

use domain::Plan;
use domain::plan::PlanStanding;
use domain::storage::StoreError;
use grpc::proto::v1;
use grpc::{ServeConfig, ServeError};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::shop::{self, SHOP, Server, reason, shop_events};

/// What each method that reads events or identities answers about the shop.
async fn every_read(server: &Server) -> Vec<Status> {
    let parent = SHOP.to_owned();
    let day = |day| {
        Some(v1::Date {
            year: 2026,
            month: 3,
            day,
        })
    };
    let (mut events, mut identities) = (server.events(), server.identities());
    let keys = vec![v1::IdentityKey {
        key: Some(v1::identity_key::Key::DistinctId("a".to_owned())),
    }];
    let mapped = v1::ListMappedEventsRequest {
        parent: parent.clone(),
        ..Default::default()
    };
    let stream = v1::StreamEventsRequest {
        parent: parent.clone(),
        ..Default::default()
    };
    let counts = v1::ListDailyEventCountsRequest {
        parent: parent.clone(),
        start_date: day(1),
        end_date: day(2),
        ..Default::default()
    };
    let funnel = v1::GetFunnelRequest {
        parent: parent.clone(),
        start_date: day(1),
        end_date: day(2),
    };
    let definitions = v1::ListEventDefinitionsRequest {
        parent: parent.clone(),
        ..Default::default()
    };
    let resolve = v1::ResolveIdentitiesRequest {
        parent: parent.clone(),
        keys: keys.clone(),
    };
    let links = v1::ListIdentityLinksRequest {
        parent: parent.clone(),
        ..Default::default()
    };
    let conflicts = v1::ListIdentityConflictsRequest {
        parent: parent.clone(),
        ..Default::default()
    };
    let changes = v1::StreamIdentityChangesRequest {
        parent: parent.clone(),
        ..Default::default()
    };
    let mut cohorts = server.cohorts();
    let listed = v1::ListCohortsRequest {
        parent: parent.clone(),
        ..Default::default()
    };
    let members = v1::ListCohortMembersRequest {
        parent: format!("{parent}/cohorts/1"),
        ..Default::default()
    };
    let membership = v1::CheckCohortMembershipRequest {
        name: format!("{parent}/cohorts/1"),
        keys,
    };
    let moves = v1::StreamCohortChangesRequest {
        parent: parent.clone(),
        ..Default::default()
    };
    let mut clickmaps = server.clickmaps();
    let clicked_pages = v1::ListClickmapPagesRequest {
        parent: parent.clone(),
        ..Default::default()
    };
    let clicked_elements = v1::ListClickmapElementsRequest {
        parent: parent.clone(),
        page: "/".to_owned(),
        ..Default::default()
    };
    let mut trails = server.trails();
    let session = v1::ListSessionEventsRequest {
        parent: parent.clone(),
        session_id: "s".to_owned(),
        ..Default::default()
    };
    let trail = v1::ListCustomerTrailRequest {
        parent,
        key: Some(v1::IdentityKey {
            key: Some(v1::identity_key::Key::DistinctId("a".to_owned())),
        }),
        ..Default::default()
    };
    vec![
        cohorts.list_cohorts(listed).await.unwrap_err(),
        cohorts.list_cohort_members(members).await.unwrap_err(),
        cohorts
            .check_cohort_membership(membership)
            .await
            .unwrap_err(),
        cohorts.stream_cohort_changes(moves).await.unwrap_err(),
        server.list(shop_events()).await.unwrap_err(),
        events.list_mapped_events(mapped).await.unwrap_err(),
        events.stream_events(stream).await.unwrap_err(),
        events.list_daily_event_counts(counts).await.unwrap_err(),
        events.get_funnel(funnel).await.unwrap_err(),
        events
            .list_event_definitions(definitions)
            .await
            .unwrap_err(),
        identities.resolve_identities(resolve).await.unwrap_err(),
        identities.list_identity_links(links).await.unwrap_err(),
        identities
            .list_identity_conflicts(conflicts)
            .await
            .unwrap_err(),
        identities
            .stream_identity_changes(changes)
            .await
            .unwrap_err(),
        clickmaps
            .list_clickmap_pages(clicked_pages)
            .await
            .unwrap_err(),
        clickmaps
            .list_clickmap_elements(clicked_elements)
            .await
            .unwrap_err(),
        trails.list_session_events(session).await.unwrap_err(),
        trails.list_customer_trail(trail).await.unwrap_err(),
    ]
}

#[tokio::test]
async fn a_plan_too_low_is_answered_on_every_read() {
    let store = shop::store();
    store
        .state()
        .connections
        .get_mut(&shop::name())
        .unwrap()
        .desired
        .plan = PlanStanding::TooLow { plan: Plan::Free };
    let server = Server::start(store).await;
    for refused in every_read(&server).await {
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert_eq!(reason(&refused), "PLAN_TOO_LOW");
        assert_eq!(
            refused.get_details_error_info().unwrap().metadata["plan"],
            "free"
        );
    }
}

#[tokio::test]
async fn a_plan_that_is_not_known_is_answered_on_every_read() {
    let store = shop::store();
    store
        .state()
        .connections
        .get_mut(&shop::name())
        .unwrap()
        .desired
        .plan = PlanStanding::Unknown { label: None };
    let server = Server::start(store).await;
    for refused in every_read(&server).await {
        assert_eq!(reason(&refused), "PLAN_UNKNOWN");
    }
}

#[tokio::test]
async fn a_disconnected_connection_is_not_found_on_every_read() {
    let store = shop::store();
    store
        .state()
        .connections
        .get_mut(&shop::name())
        .unwrap()
        .deleted_at = Some(Timestamp::UNIX_EPOCH);
    let server = Server::start(store).await;
    let mut refusals = every_read(&server).await;
    refusals.push(
        server
            .connections()
            .get_connection(v1::GetConnectionRequest {
                name: SHOP.to_owned(),
            })
            .await
            .unwrap_err(),
    );
    for refused in refusals {
        assert_eq!(refused.code(), Code::NotFound);
        assert_eq!(reason(&refused), "CONNECTION_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_connection_that_never_was_is_not_found_as_a_deleted_one_is() {
    let server = Server::start(shop::store()).await;
    let refused = server
        .list(v1::ListEventsRequest {
            parent: "namespaces/acme/connections/other".to_owned(),
            ..Default::default()
        })
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    assert_eq!(reason(&refused), "CONNECTION_NOT_FOUND");
}

#[tokio::test]
async fn a_field_that_cannot_be_used_is_named_with_the_fix() {
    let server = Server::start(shop::store()).await;
    let refused = server
        .list(v1::ListEventsRequest {
            parent: "acme/storefront".to_owned(),
            ..Default::default()
        })
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(reason(&refused), "INVALID_FIELD");
    let violations = refused.get_details_bad_request().unwrap().field_violations;
    assert_eq!(violations.len(), 1);
    assert_eq!(violations[0].field, "parent");
    assert!(
        violations[0]
            .description
            .contains("namespaces/{namespace}/connections/{connection}")
    );
}

#[tokio::test]
async fn orders_are_not_to_be_had_here() {
    let server = Server::start(shop::store()).await;
    let refused = server
        .events()
        .list_mapped_events(v1::ListMappedEventsRequest {
            parent: SHOP.to_owned(),
            stages: vec![v1::FunnelStage::OrderCompleted.into()],
            ..Default::default()
        })
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(reason(&refused), "ORDER_NOT_FROM_POSTHOG");
    assert!(refused.message().contains("orders/create"));
}

#[tokio::test]
async fn counts_wait_for_the_first_run() {
    let store = shop::store();
    store
        .state()
        .epochs
        .get_mut(&shop::rows())
        .unwrap()
        .time_zone = None;
    let server = Server::start(store).await;
    for refused in [
        server
            .events()
            .list_daily_event_counts(v1::ListDailyEventCountsRequest {
                parent: SHOP.to_owned(),
                start_date: Some(v1::Date {
                    year: 2026,
                    month: 3,
                    day: 1,
                }),
                end_date: Some(v1::Date {
                    year: 2026,
                    month: 3,
                    day: 2,
                }),
                ..Default::default()
            })
            .await
            .unwrap_err(),
        server
            .events()
            .get_funnel(v1::GetFunnelRequest {
                parent: SHOP.to_owned(),
                start_date: Some(v1::Date {
                    year: 2026,
                    month: 3,
                    day: 1,
                }),
                end_date: Some(v1::Date {
                    year: 2026,
                    month: 3,
                    day: 2,
                }),
            })
            .await
            .unwrap_err(),
    ] {
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert_eq!(reason(&refused), "NOT_SYNCED");
    }
}

#[tokio::test]
async fn a_silent_store_is_unavailable_and_its_words_stay_here() {
    let store = shop::store();
    let server = Server::start(store.clone()).await;
    store.state().failure = Some(StoreError::Unavailable {
        detail: "postgres at db.internal refused".to_owned(),
    });
    let refused = server.list(shop_events()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert_eq!(reason(&refused), "STORE_UNAVAILABLE");
    assert!(!format!("{refused:?}").contains("db.internal"));
    assert!(refused.get_details_retry_info().is_some());
}

#[tokio::test]
async fn a_corrupt_store_is_internal_and_its_words_stay_here() {
    let store = shop::store();
    let server = Server::start(store.clone()).await;
    store.state().failure = Some(StoreError::Corrupt {
        detail: "row 7 of ada@example.com".to_owned(),
    });
    let refused = server.list(shop_events()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Internal);
    assert_eq!(reason(&refused), "INTERNAL");
    assert!(!format!("{refused:?}").contains("example.com"));
}

#[tokio::test]
async fn a_server_that_others_could_reach_without_certificates_does_not_start() {
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let refused = grpc::serve(ServeConfig {
        listener,
        tls: None,
        shutdown: CancellationToken::new(),
        store: shop::store(),
        metrics: None,
        settings: shop::settings(),
    })
    .await
    .unwrap_err();
    assert!(matches!(refused, ServeError::Exposed { .. }));
    assert!(
        refused.to_string().contains("listen on loopback"),
        "{refused}"
    );
}
