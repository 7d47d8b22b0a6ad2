//! StreamIdentityChanges on the store that users have: whoever follows holds what is listed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::identity::{IdProperty, IdPropertyKind};
use domain::storage::{DesiredConnection, Lease, PersonMapping, ReadRange, Store};
use grpc::proto::v1;
use grpc::proto::v1::identity_link::Evidence;
use grpc::proto::v1::identity_link_change::Kind;
use grpc::proto::v1::identity_service_client::IdentityServiceClient;
use grpc::proto::v1::stream_identity_changes_request::Start;
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};
use uuid::Uuid;

use crate::shop::{self, PATIENCE, SHOP, event, reason};
use crate::stored::{serve, sync};

/// A shop in a file, its server and a client.
struct Site {
    _folder: TempDir,
    store: Arc<dyn Store>,
    desired: DesiredConnection,
    lease: Lease,
    client: IdentityServiceClient<Channel>,
}

/// Which link it is: distinct id, where it leads, why.
type Name = (String, String, i32, String);

fn name(link: &v1::IdentityLink) -> Name {
    let linked = format!("{:?}", link.linked);
    let (id, property) = (link.distinct_id.clone(), link.property.clone());
    (id, linked, link.evidence, property)
}

/// What a follower holds: it applies every change as the API's comments say.
#[derive(Default)]
struct Copy {
    links: BTreeMap<Name, v1::IdentityLink>,
    token: String,
}

impl Copy {
    fn apply(&mut self, message: v1::StreamIdentityChangesResponse) -> bool {
        for change in message.changes {
            let kind = change.kind();
            let link = change.identity_link.unwrap();
            match kind {
                Kind::Upsert => {
                    self.links.insert(name(&link), link);
                }
                Kind::Delete => {
                    self.links.remove(&name(&link));
                }
                Kind::Unspecified => panic!("never sent"),
            }
        }
        for link in self.links.values_mut() {
            if let (Evidence::PersonMapping, Some(read)) =
                (link.evidence(), message.mappings_read_time)
            {
                let seen = link.last_seen_time.unwrap();
                let later = (read.seconds, read.nanos) > (seen.seconds, seen.nanos);
                link.last_seen_time = Some(if later { read } else { seen });
            }
        }
        self.token = message.resume_token;
        message.caught_up
    }

    async fn catch_up(&mut self, stream: &mut Streaming<v1::StreamIdentityChangesResponse>) {
        while !self.apply(next(stream).await.unwrap()) {}
    }

    fn held(&self) -> Vec<v1::IdentityLink> {
        self.links.values().cloned().collect()
    }
}

async fn next(
    stream: &mut Streaming<v1::StreamIdentityChangesResponse>,
) -> Result<v1::StreamIdentityChangesResponse, Status> {
    let message = timeout(PATIENCE, stream.message()).await;
    Ok(message
        .expect("a message in time")?
        .expect("a stream that goes on"))
}

impl Site {
    async fn new() -> Self {
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
        let record = store
            .put_connection(&desired, Timestamp::UNIX_EPOCH)
            .await
            .unwrap();
        let lease = store
            .acquire_lease(record.target, "test", Duration::from_secs(60))
            .await
            .unwrap();
        let client = IdentityServiceClient::new(serve(Arc::clone(&store)).await);
        Self {
            _folder: folder,
            store,
            desired,
            lease,
            client,
        }
    }

    /// Stores events of that many visitors, each with customer 77, and maps each to a person.
    async fn fill(&self, visitors: u128) {
        let events = (0..visitors).map(|number| {
            let mut event = event(number, "seen", 1).event;
            event.distinct_id = format!("visitor-{number:06}");
            event
        });
        sync(&*self.store, &self.lease, events.collect()).await;
        let mappings = (0..visitors).map(|number| (number, number));
        self.map(&mappings.collect::<Vec<_>>()).await;
    }

    async fn map(&self, mappings: &[(u128, u128)]) {
        let mappings: Vec<PersonMapping> = mappings
            .iter()
            .map(|(visitor, person)| PersonMapping {
                distinct_id: format!("visitor-{visitor:06}"),
                person_id: Uuid::from_u128(*person),
            })
            .collect();
        let range = ReadRange::Answered;
        let at = Timestamp::UNIX_EPOCH;
        self.store
            .observe_persons(&self.lease, &mappings, &range, at)
            .await
            .unwrap();
    }

    async fn follow(
        &self,
        start: Start,
        token: &str,
    ) -> Result<Streaming<v1::StreamIdentityChangesResponse>, Status> {
        let request = v1::StreamIdentityChangesRequest {
            parent: SHOP.to_owned(),
            start: start.into(),
            resume_token: token.to_owned(),
        };
        let answer = self.client.clone().stream_identity_changes(request).await?;
        Ok(answer.into_inner())
    }

    async fn listed(&self) -> Vec<v1::IdentityLink> {
        let mut request = v1::ListIdentityLinksRequest {
            parent: SHOP.to_owned(),
            page_size: 1_000,
            ..Default::default()
        };
        let mut all = Vec::new();
        loop {
            let page = self
                .client
                .clone()
                .list_identity_links(request.clone())
                .await;
            let page = page.unwrap().into_inner();
            all.extend(page.identity_links);
            if page.next_page_token.is_empty() {
                all.sort_by_key(name);
                return all;
            }
            request.page_token = page.next_page_token;
        }
    }
}

#[tokio::test]
async fn a_follower_that_resumes_after_every_message_holds_what_is_listed() {
    let site = Site::new().await;
    site.fill(900).await;
    let mut copy = Copy::default();
    let mut messages = 0;
    loop {
        let mut stream = site.follow(Start::Beginning, &copy.token).await.unwrap();
        let caught_up = copy.apply(next(&mut stream).await.unwrap());
        messages += 1;
        if caught_up {
            break;
        }
        // Meanwhile persons merge and split, and an event goes with what it carried.
        site.map(&[(messages, 5_000), (880 - messages, messages % 2)])
            .await;
        let gone = [Uuid::from_u128(2 * messages)];
        site.store.remove_events(&site.lease, &gone).await.unwrap();
        let read_at = Timestamp::from_second(i64::try_from(messages).unwrap()).unwrap();
        site.store.persons_read(&site.lease, read_at).await.unwrap();
    }
    assert!(messages >= 4, "{messages}");
    assert_eq!(copy.held(), site.listed().await);
}

#[tokio::test]
async fn changes_of_every_kind_reach_an_open_stream() {
    let site = Site::new().await;
    site.fill(3).await;
    let mut stream = site.follow(Start::Unspecified, "").await.unwrap();
    let mut copy = Copy::default();
    copy.catch_up(&mut stream).await;
    assert_eq!(copy.links.len(), 6);
    site.map(&[(1, 7)]).await;
    let message = next(&mut stream).await.unwrap();
    let kinds: Vec<Kind> = message
        .changes
        .iter()
        .map(v1::IdentityLinkChange::kind)
        .collect();
    assert_eq!(kinds, [Kind::Delete, Kind::Upsert]);
    let ended = message.changes[0].identity_link.as_ref().unwrap();
    assert!(ended.valid_to_time.is_some());
    copy.apply(message);
    let mut identified = event(50, "$identify", 9).event;
    identified.distinct_id = "visitor-000001".to_owned();
    identified.anon_distinct_id = Some("visitor-000002".to_owned());
    sync(&*site.store, &site.lease, vec![identified]).await;
    copy.catch_up(&mut stream).await;
    let link = copy
        .links
        .values()
        .find(|it| it.evidence() == Evidence::Identify);
    let linked = link.unwrap().linked.clone().unwrap().key.unwrap();
    assert_eq!(
        linked,
        v1::identity_key::Key::DistinctId("visitor-000002".to_owned())
    );
    site.store
        .remove_events(&site.lease, &[Uuid::from_u128(0), Uuid::from_u128(50)])
        .await
        .unwrap();
    copy.catch_up(&mut stream).await;
    assert_eq!(copy.links.len(), 5);
    assert_eq!(copy.held(), site.listed().await);
}

#[tokio::test]
async fn a_stream_from_now_tells_nothing_of_before() {
    let site = Site::new().await;
    site.fill(3).await;
    let mut stream = site.follow(Start::Now, "").await.unwrap();
    let mut copy = Copy::default();
    copy.catch_up(&mut stream).await;
    assert!(copy.links.is_empty() && !copy.token.is_empty());
    site.map(&[(2, 9)]).await;
    let mut stream = site.follow(Start::Now, &copy.token).await.unwrap();
    copy.catch_up(&mut stream).await;
    assert_eq!(copy.links.len(), 1);
}

#[tokio::test]
async fn other_identity_properties_end_a_stream_and_its_tokens() {
    let site = Site::new().await;
    site.fill(3).await;
    let mut stream = site.follow(Start::Beginning, "").await.unwrap();
    let mut copy = Copy::default();
    copy.catch_up(&mut stream).await;
    let mut desired = site.desired.clone();
    desired.id_properties[0].kind = IdPropertyKind::Anonymous;
    site.store
        .put_connection(&desired, Timestamp::UNIX_EPOCH)
        .await
        .unwrap();
    let ended = next(&mut stream).await.unwrap_err();
    let refused = site
        .follow(Start::Beginning, &copy.token)
        .await
        .unwrap_err();
    for status in [ended, refused] {
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert_eq!(reason(&status), "TOKEN_STALE");
    }
    let mut anew = Copy::default();
    let mut stream = site.follow(Start::Beginning, "").await.unwrap();
    anew.catch_up(&mut stream).await;
    assert_eq!(anew.held(), site.listed().await);
}

#[tokio::test]
async fn a_token_from_before_what_is_forgotten_is_stale() {
    let site = Site::new().await;
    site.fill(3).await;
    let mut copy = Copy::default();
    copy.catch_up(&mut site.follow(Start::Beginning, "").await.unwrap())
        .await;
    let later = Timestamp::now() + jiff::SignedDuration::from_hours(1);
    site.store.expire_events(&site.lease, later).await.unwrap();
    let refused = site
        .follow(Start::Beginning, &copy.token)
        .await
        .unwrap_err();
    assert_eq!(reason(&refused), "TOKEN_STALE");
}

#[tokio::test]
async fn a_start_or_token_of_another_kind_is_refused_by_name() {
    let site = Site::new().await;
    let request = v1::StreamIdentityChangesRequest {
        parent: SHOP.to_owned(),
        start: 9,
        ..Default::default()
    };
    let mut client = site.client.clone();
    let refused = client.stream_identity_changes(request).await.unwrap_err();
    assert_eq!(reason(&refused), "INVALID_FIELD");
    assert!(refused.message().starts_with("start is 9"), "{refused}");
    let refused = site.follow(Start::Now, "not a token").await.unwrap_err();
    assert_eq!(reason(&refused), "TOKEN_INVALID");
}
