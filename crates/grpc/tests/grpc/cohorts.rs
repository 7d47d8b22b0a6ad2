//! CohortService on the store that users have.

mod streams;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use domain::ConnectionId;
use domain::cohorts::{Cohort, CohortId, CohortKind, CohortMark};
use domain::erasure::erase;
use domain::identity::{IdProperty, IdPropertyKind, IdentityKey, MOST_IDS};
use domain::storage::{
    CohortPart, CohortRead, Lease, NewRun, Page, PersonMapping, ReadRange, SliceAdvance, Store,
};
use domain::sync::{RunTotals, Slice, SliceEvents, SyncMode, Window};
use grpc::proto::v1;
use grpc::proto::v1::cohort_change::Kind;
use grpc::proto::v1::cohort_service_client::CohortServiceClient;
use grpc::proto::v1::identity_key::Key;
use jiff::{SignedDuration, Timestamp};
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Code, Streaming};
use uuid::Uuid;

use crate::shop::{self, PATIENCE, SHOP, event, reason};
use crate::stored;

fn hours(count: i64) -> Timestamp {
    let start: Timestamp = "2026-03-02T00:00:00Z".parse().unwrap();
    start + SignedDuration::from_hours(count)
}

fn person(number: u32) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, &number.to_be_bytes())
}

fn cohort(id: i64, kind: CohortKind) -> Cohort {
    Cohort {
        id: CohortId(id),
        name: format!("Cohort {id}"),
        description: "as \"described\"".to_owned(),
        kind,
        definition: Some("{}".to_owned()),
        created_at: Some(hours(-9)),
        is_calculating: false,
        errors_calculating: 2,
        mark: CohortMark {
            count: Some(7),
            version: Some(1),
            last_calculated_at: Some(hours(-1)),
        },
    }
}

/// A shop whose cohorts are stored, and a client of its server.
struct Site {
    store: Arc<dyn Store>,
    id: ConnectionId,
    lease: Lease,
    client: CohortServiceClient<Channel>,
    _folder: tempfile::TempDir,
}

impl Site {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("shop.db").display());
        let store = store::open(&url, store::OpenOptions::default())
            .await
            .unwrap();
        let mut desired = shop::record(shop::name()).desired;
        desired.id_properties = vec![IdProperty {
            kind: IdPropertyKind::Customer,
            property: "customer_id".to_owned(),
        }];
        let record = store.put_connection(&desired, hours(0)).await.unwrap();
        let ttl = Duration::from_secs(60);
        let lease = store
            .acquire_lease(record.target, "test", ttl)
            .await
            .unwrap();
        let client = CohortServiceClient::new(stored::serve(Arc::clone(&store)).await);
        let listed = [
            cohort(12, CohortKind::Dynamic),
            cohort(13, CohortKind::Static),
            cohort(14, CohortKind::Dynamic),
        ];
        store.put_cohorts(&lease, &listed, hours(0)).await.unwrap();
        Self {
            store,
            id: record.target,
            lease,
            client,
            _folder: folder,
        }
    }

    async fn members(&self, cohort: i64, numbers: impl IntoIterator<Item = u32>, at: Timestamp) {
        let part = CohortPart {
            cohort: CohortId(cohort),
            buckets: None,
            members: numbers.into_iter().map(person).collect(),
        };
        self.store
            .put_members(&self.lease, &part, at)
            .await
            .unwrap();
    }

    /// Three persons: two are customer 77, one is nobody's; the third has two ids.
    async fn identities(&self) {
        let window = Window {
            from: hours(-24),
            to: hours(24),
        };
        let slice = Slice {
            from: window.from,
            to: window.to,
            arrived_since: None,
            events: SliceEvents::All,
            part: None,
            expected_rows: 2,
            export: None,
        };
        let run = NewRun {
            mode: SyncMode::Backfill,
            window,
            arrivals: None,
            started_at: window.to,
            way: None,
            slices: vec![slice],
        };
        let store = &self.store;
        store.remap(&self.lease, &shop::mapping()).await.unwrap();
        store.set_time_zone(&self.lease, "UTC").await.unwrap();
        let run = store.begin_run(&self.lease, &run).await.unwrap();
        let events = [(1, "laptop"), (2, "phone"), (3, "x@y.example")].map(|(number, id)| {
            let mut event = event(number, "seen", 0).event;
            event.distinct_id = id.to_owned();
            if number == 3 {
                event.id_properties.clear();
            }
            event
        });
        let page = Page {
            run,
            slice: 0,
            advance: SliceAdvance::Done,
            events: events.to_vec(),
            late_before: window.from,
            cost: RunTotals::default(),
        };
        store.apply_page(&self.lease, page).await.unwrap();
        let mappings = [
            ("laptop", 1),
            ("phone", 2),
            ("x@y.example", 3),
            ("other", 3),
        ];
        self.observe(mappings.map(|(id, number)| (id.to_owned(), number)))
            .await;
    }

    async fn observe(&self, ids: impl IntoIterator<Item = (String, u32)>) {
        let mappings = ids.into_iter().map(|(distinct_id, number)| PersonMapping {
            distinct_id,
            person_id: person(number),
        });
        let mappings: Vec<PersonMapping> = mappings.collect();
        self.store
            .observe_persons(&self.lease, &mappings, &ReadRange::Answered, hours(0))
            .await
            .unwrap();
    }

    async fn stream(
        &self,
        request: v1::StreamCohortChangesRequest,
    ) -> Result<Streaming<v1::StreamCohortChangesResponse>, tonic::Status> {
        let answer = self.client.clone().stream_cohort_changes(request).await?;
        Ok(answer.into_inner())
    }
}

fn name(cohort: i64) -> String {
    format!("{SHOP}/cohorts/{cohort}")
}

#[tokio::test]
async fn cohorts_are_listed_with_what_posthog_and_the_store_say_of_them() {
    let mut site = Site::open().await;
    site.members(12, 0..5, hours(1)).await;
    let mark = CohortMark::default();
    let read = CohortRead { at: hours(2), mark };
    let read = [(CohortId(12), read)];
    site.store.cohorts_read(&site.lease, &read).await.unwrap();
    let left = [
        cohort(12, CohortKind::Dynamic),
        cohort(13, CohortKind::Static),
    ];
    site.store
        .put_cohorts(&site.lease, &left, hours(3))
        .await
        .unwrap();
    let mut request = v1::ListCohortsRequest {
        parent: SHOP.to_owned(),
        page_size: 1,
        ..Default::default()
    };
    let first = site.client.list_cohorts(request.clone()).await.unwrap();
    let first = first.into_inner();
    let found = &first.cohorts[0];
    assert_eq!(found.name, name(12));
    assert_eq!(
        (found.display_name.as_str(), found.kind()),
        ("Cohort 12", v1::cohort::Kind::Dynamic)
    );
    assert_eq!((found.member_count, found.posthog_count), (5, Some(7)));
    assert_eq!(
        (found.calculation_errors, found.definition.as_str()),
        (2, "{}")
    );
    assert_eq!(
        found.sync_time.map(|at| at.seconds),
        Some(hours(2).as_second())
    );
    assert!(found.delete_time.is_none() && found.create_time.is_some());
    request.page_token = first.next_page_token;
    let second = site
        .client
        .list_cohorts(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(second.cohorts[0].name, name(13));
    assert_eq!(second.cohorts[0].kind(), v1::cohort::Kind::Static);
    assert!(second.cohorts[0].sync_time.is_none() && second.next_page_token.is_empty());
    let all = v1::ListCohortsRequest {
        parent: SHOP.to_owned(),
        show_deleted: true,
        ..Default::default()
    };
    let all = site.client.list_cohorts(all).await.unwrap().into_inner();
    let gone = &all.cohorts[2];
    assert_eq!(
        gone.delete_time.map(|at| at.seconds),
        Some(hours(3).as_second())
    );
}

#[tokio::test]
async fn members_are_paged_with_their_customers_and_ids() {
    let mut site = Site::open().await;
    site.identities().await;
    site.members(12, 1..40, hours(1)).await;
    let mut found = BTreeMap::new();
    let mut request = v1::ListCohortMembersRequest {
        parent: name(12),
        page_size: 7,
        ..Default::default()
    };
    let mut pages = 0;
    loop {
        let page = site.client.list_cohort_members(request.clone()).await;
        let page = page.unwrap().into_inner();
        pages += 1;
        for member in page.cohort_members {
            assert!(found.insert(member.person_id.clone(), member).is_none());
        }
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!((pages, found.len()), (6, 39));
    let customer = &found[&person(1).to_string()];
    assert_eq!(customer.primary_customer_id.as_deref(), Some("77"));
    assert_eq!(customer.customer_ids, ["77"]);
    assert_eq!(customer.distinct_ids, ["laptop", "phone"]);
    assert_eq!(
        customer.enter_time.map(|at| at.seconds),
        Some(hours(1).as_second())
    );
    let stranger = &found[&person(3).to_string()];
    assert_eq!(stranger.distinct_ids, ["other", "x@y.example"]);
    assert!(stranger.customer_ids.is_empty() && stranger.primary_customer_id.is_none());
    assert!(found[&person(9).to_string()].distinct_ids.is_empty());
}

#[tokio::test]
async fn membership_is_told_of_any_id_of_a_member() {
    let mut site = Site::open().await;
    site.identities().await;
    site.members(12, [2, 9], hours(1)).await;
    let keys = [
        Key::PersonId(person(2).to_string()),
        Key::PersonId(person(9).to_string()),
        Key::PersonId(person(8).to_string()),
        Key::DistinctId("laptop".to_owned()),
        Key::CustomerId("77".to_owned()),
        Key::Email("X@Y.example".to_owned()),
        Key::DistinctId("nobody".to_owned()),
    ];
    let request = v1::CheckCohortMembershipRequest {
        name: name(12),
        keys: keys
            .iter()
            .map(|key| v1::IdentityKey {
                key: Some(key.clone()),
            })
            .collect(),
    };
    let answer = site.client.check_cohort_membership(request).await;
    let found = answer.unwrap().into_inner().memberships;
    let asked: Vec<Key> = found
        .iter()
        .map(|it| it.key.clone().unwrap().key.unwrap())
        .collect();
    assert_eq!(asked, keys);
    let said: Vec<(bool, bool)> = found.iter().map(|it| (it.member, it.known)).collect();
    let expected = [
        (true, true),
        (true, true),
        (false, false),
        (true, true),
        (true, true),
        (false, true),
        (false, false),
    ];
    assert_eq!(said, expected);
    assert_eq!(found[3].person_ids, [person(2).to_string()]);
    assert_eq!(
        found[3].enter_time.map(|at| at.seconds),
        Some(hours(1).as_second())
    );
    assert!(found[5].person_ids.is_empty() && found[5].enter_time.is_none());
}

#[tokio::test]
async fn of_an_id_that_leads_to_too_much_it_is_said_that_there_may_be_more() {
    let mut site = Site::open().await;
    site.identities().await;
    let many = 0..=u32::try_from(MOST_IDS).unwrap();
    site.observe(many.map(|number| (format!("till-{number}"), 4)))
        .await;
    site.members(12, [3], hours(1)).await;
    let request = v1::CheckCohortMembershipRequest {
        name: name(12),
        keys: [4, 3]
            .map(|number| v1::IdentityKey {
                key: Some(Key::PersonId(person(number).to_string())),
            })
            .to_vec(),
    };
    let answer = site.client.check_cohort_membership(request).await;
    let found = answer.unwrap().into_inner().memberships;
    let said: Vec<(bool, bool)> = found.iter().map(|it| (it.member, it.truncated)).collect();
    assert_eq!(said, [(false, true), (true, false)]);
}

#[tokio::test]
async fn a_thousand_ids_are_checked_in_one_call() {
    let mut site = Site::open().await;
    site.members(12, (0..1_000).step_by(2), hours(1)).await;
    let keys = (0..1_000).map(|number| v1::IdentityKey {
        key: Some(Key::PersonId(person(number).to_string())),
    });
    let request = v1::CheckCohortMembershipRequest {
        name: name(12),
        keys: keys.collect(),
    };
    let answer = site.client.check_cohort_membership(request).await;
    let found = answer.unwrap().into_inner().memberships;
    let members = found.iter().map(|it| it.member);
    assert!(members.eq((0..1_000).map(|number| number % 2 == 0)));
}

#[tokio::test]
async fn a_cohort_that_is_not_there_is_not_found_by_its_name() {
    let mut site = Site::open().await;
    let request = v1::ListCohortMembersRequest {
        parent: name(99),
        ..Default::default()
    };
    let refused = site.client.list_cohort_members(request).await.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused)),
        (Code::NotFound, "COHORT_NOT_FOUND".to_owned())
    );
    let request = v1::CheckCohortMembershipRequest {
        name: SHOP.to_owned(),
        keys: Vec::new(),
    };
    let refused = site.client.check_cohort_membership(request).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().starts_with("name "), "{refused:?}");
}
