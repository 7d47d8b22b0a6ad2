//! A shop that is synced, a server that answers for it, and clients that ask.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use domain::clickmap::{ClickmapPolicy, ClickmapRules};
use domain::mapping::{CheckoutSource, StageMapping, StageRule, StageSource};
use domain::plan::PlanStanding;
use domain::storage::{ConnectionRecord, Deletion, DesiredConnection, EpochRecord, EventRow};
use domain::{
    ApiHost, ConnectionId, ConnectionName, Epoch, Event, EventName, Mapping, Plan, PostHogStage,
    ProjectId,
};
use grpc::proto::v1;
use grpc::proto::v1::clickmap_service_client::ClickmapServiceClient;
use grpc::proto::v1::cohort_service_client::CohortServiceClient;
use grpc::proto::v1::connection_service_client::ConnectionServiceClient;
use grpc::proto::v1::erasure_service_client::ErasureServiceClient;
use grpc::proto::v1::event_service_client::EventServiceClient;
use grpc::proto::v1::identity_service_client::IdentityServiceClient;
use grpc::proto::v1::trail_service_client::TrailServiceClient;
use grpc::{GrpcMetrics, MutualTls, ServeConfig, ServeError, Settings};
use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::transport::Channel;
use tonic_types::StatusExt;
use uuid::Uuid;

use crate::memory::Memory;

/// The resource name of the shop's connection.
pub(crate) const SHOP: &str = "namespaces/acme/connections/storefront";

/// The connection's rows in the shop's project.
pub(crate) fn rows() -> ConnectionId {
    ConnectionId::of(&name(), &epoch(4242))
}

pub(crate) fn name() -> ConnectionName {
    ConnectionName::new("acme", "storefront")
}

pub(crate) fn epoch(project: i64) -> Epoch {
    Epoch {
        host: ApiHost::parse("https://eu.posthog.com").unwrap(),
        project_id: ProjectId::try_from(project).unwrap(),
    }
}

/// A store that holds the shop's connection, synced, with a mapping and no events.
pub(crate) fn store() -> Arc<Memory> {
    let memory = Memory::default();
    let mut state = memory.state();
    state.connections.insert(name(), record(name()));
    state.epochs.insert(rows(), epoch_record());
    state.keys = vec![vec![7; 32]];
    drop(state);
    Arc::new(memory)
}

pub(crate) fn record(name: ConnectionName) -> ConnectionRecord {
    ConnectionRecord {
        desired: DesiredConnection {
            name,
            epoch: epoch(4242),
            plan: PlanStanding::Eligible {
                plan: Plan::Starter,
            },
            suspended: false,
            backfill_days: 30,
            retention_days: 400,
            id_properties: Vec::new(),
            deletion: Deletion::Retain,
            clickmaps: ClickmapPolicy::default(),
        },
        target: rows(),
        serving: rows(),
        check: None,
        failure: None,
        deleted_at: None,
    }
}

/// A stage for `seen`, one for `added` and one for `checkout`.
pub(crate) fn mapping() -> Mapping {
    let mapped = |stage, source, name: &str| StageMapping {
        stage,
        source,
        rules: vec![StageRule {
            name: EventName::from(name),
            url_path: None,
        }],
    };
    Mapping {
        stages: vec![
            mapped(PostHogStage::ProductViewed, StageSource::Default, "seen"),
            mapped(PostHogStage::AddedToCart, StageSource::Override, "added"),
            mapped(
                PostHogStage::CheckoutStarted,
                StageSource::Default,
                "checkout",
            ),
        ],
        checkout_source: CheckoutSource::Auto,
    }
}

fn epoch_record() -> EpochRecord {
    EpochRecord {
        id: rows(),
        life: 1,
        epoch: epoch(4242),
        time_zone: Some("UTC".to_owned()),
        mapping: Some(mapping()),
        mapping_revision: 1,
        change_seq: 0,
        link_seq: 0,
        facts_known_from: 0,
        id_properties: Vec::new(),
        backfilled_at: None,
        persons_read_at: None,
        clickmap_rules: Some(ClickmapRules::default()),
    }
}

/// A visit to this page, now.
pub(crate) fn pageview(number: u128, path: &str) -> EventRow {
    let mut row = event(number, "$pageview", 0);
    row.event.timestamp = Timestamp::now();
    row.event.path = Some(path.to_owned());
    row
}

/// An event of a name at a second of 2026-03-01; it belongs to the stage that the mapping gives.
pub(crate) fn event(number: u128, name: &str, second: i64) -> EventRow {
    let start: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    let timestamp = Timestamp::from_second(start.as_second() + second).unwrap();
    EventRow {
        stage: mapping().stage_of(name, None),
        event: Event {
            uuid: Uuid::from_u128(number),
            event: EventName::from(name),
            distinct_id: format!("visitor-{}", number % 3),
            person_id: None,
            timestamp,
            created_at: timestamp,
            session_id: None,
            window_id: None,
            host: None,
            path: None,
            referrer: None,
            utm_source: None,
            utm_medium: None,
            utm_campaign: None,
            utm_content: None,
            utm_term: None,
            device_type: None,
            elements_chain: None,
            event_type: None,
            anon_distinct_id: None,
            alias: None,
            product_id: None,
            sku: None,
            price: None,
            currency: None,
            quantity: None,
            cart_id: None,
            id_properties: [("customer_id".to_owned(), "77".to_owned())].into(),
        },
    }
}

/// A server under test.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    pub(crate) serving: JoinHandle<Result<(), ServeError>>,
    pub(crate) channel: Channel,
}

/// Nothing here takes longer unless it is broken, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Pauses short enough for tests, and a drain so long that who has waited for its end waits in vain.
pub(crate) fn settings() -> Settings {
    Settings {
        health_interval: Duration::from_millis(10),
        poll_interval: Duration::from_millis(10),
        drain: PATIENCE * 2,
        ..Settings::default()
    }
}

impl Server {
    pub(crate) async fn start(store: Arc<Memory>) -> Self {
        Self::with(store, settings(), None).await
    }

    pub(crate) async fn with(
        store: Arc<Memory>,
        settings: Settings,
        metrics: Option<GrpcMetrics>,
    ) -> Self {
        let (address, shutdown, serving) = listen(store, settings, metrics, None).await;
        let channel = Channel::from_shared(format!("http://{address}"))
            .unwrap()
            .connect()
            .await
            .unwrap();
        Self {
            address,
            shutdown,
            serving,
            channel,
        }
    }

    pub(crate) fn connections(&self) -> ConnectionServiceClient<Channel> {
        ConnectionServiceClient::new(self.channel.clone())
    }

    pub(crate) fn erasures(&self) -> ErasureServiceClient<Channel> {
        ErasureServiceClient::new(self.channel.clone())
    }

    pub(crate) fn events(&self) -> EventServiceClient<Channel> {
        EventServiceClient::new(self.channel.clone())
    }

    pub(crate) fn clickmaps(&self) -> ClickmapServiceClient<Channel> {
        ClickmapServiceClient::new(self.channel.clone())
    }

    pub(crate) fn identities(&self) -> IdentityServiceClient<Channel> {
        IdentityServiceClient::new(self.channel.clone())
    }

    pub(crate) fn trails(&self) -> TrailServiceClient<Channel> {
        TrailServiceClient::new(self.channel.clone())
    }

    pub(crate) fn cohorts(&self) -> CohortServiceClient<Channel> {
        CohortServiceClient::new(self.channel.clone())
    }

    /// One page of ListEvents.
    pub(crate) async fn list(&self, request: v1::ListEventsRequest) -> Result<Listed, Status> {
        let answer = self.events().list_events(request).await?.into_inner();
        Ok(Listed {
            events: v1::Event::unpack(answer.events).unwrap(),
            next_page_token: answer.next_page_token,
        })
    }
}

/// A page of ListEvents.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) events: Vec<v1::Event>,
    pub(crate) next_page_token: String,
}

/// Starts a server on a free port.
pub(crate) async fn listen(
    store: Arc<Memory>,
    settings: Settings,
    metrics: Option<GrpcMetrics>,
    tls: Option<MutualTls>,
) -> (
    SocketAddr,
    CancellationToken,
    JoinHandle<Result<(), ServeError>>,
) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(grpc::serve(ServeConfig {
        listener,
        tls,
        shutdown: shutdown.clone(),
        store,
        metrics,
        settings,
    }));
    (address, shutdown, serving)
}

/// A request for events of the shop.
pub(crate) fn shop_events() -> v1::ListEventsRequest {
    v1::ListEventsRequest {
        parent: SHOP.to_owned(),
        ..Default::default()
    }
}

/// The reason of an error, after checking that it has one `ErrorInfo` of our domain.
pub(crate) fn reason(status: &Status) -> String {
    let info = status
        .get_details_error_info()
        .unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    assert_eq!(info.domain, grpc::ERROR_DOMAIN);
    info.reason
}
