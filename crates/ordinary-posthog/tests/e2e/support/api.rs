//! A client of the gRPC API, as another Ordinary service would be.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use grpc::proto::v1;
use grpc::proto::v1::connection_service_client::ConnectionServiceClient;
use grpc::proto::v1::event_service_client::EventServiceClient;
use grpc::proto::v1::identity_service_client::IdentityServiceClient;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt;

use super::documents::CONNECTION;
use super::program::Running;

/// Every service of one server.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) connections: ConnectionServiceClient<Channel>,
    pub(crate) events: EventServiceClient<Channel>,
    pub(crate) identities: IdentityServiceClient<Channel>,
    pub(crate) health: HealthClient<Channel>,
}

impl Api {
    /// Waits until `running` listens there.
    pub(crate) async fn of(running: &mut Running, address: SocketAddr) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let channel = running
            .until("gRPC listens", async || endpoint.connect().await.ok())
            .await;
        Self::over(channel)
    }

    pub(crate) fn over(channel: Channel) -> Self {
        Self {
            connections: ConnectionServiceClient::new(channel.clone()),
            events: EventServiceClient::new(channel.clone()),
            identities: IdentityServiceClient::new(channel.clone()),
            health: HealthClient::new(channel),
        }
    }

    /// The connection, once there is one.
    pub(crate) async fn connection(&mut self) -> Result<v1::Connection, Status> {
        let name = CONNECTION.to_owned();
        let answer = self
            .connections
            .get_connection(v1::GetConnectionRequest { name })
            .await?;
        Ok(answer.into_inner().connection.unwrap())
    }

    /// The connection as soon as `wanted` holds of it.
    pub(crate) async fn connection_where(
        &mut self,
        running: &mut Running,
        what: &str,
        wanted: impl Fn(&v1::Connection) -> bool,
    ) -> v1::Connection {
        running
            .until(what, async || match self.connection().await {
                Ok(connection) => wanted(&connection).then_some(connection),
                Err(status) if status.code() == Code::NotFound => None,
                Err(status) => panic!("{status}"),
            })
            .await
    }

    /// The connection once a run of it has ended well.
    pub(crate) async fn synced(&mut self, running: &mut Running) -> v1::Connection {
        self.connection_where(running, "the backfill is complete", is_synced)
            .await
    }

    /// The last days of the funnel.
    pub(crate) async fn funnel(&mut self) -> Result<v1::GetFunnelResponse, Status> {
        let (start_date, end_date) = last_days();
        let parent = CONNECTION.to_owned();
        let request = v1::GetFunnelRequest {
            parent,
            start_date,
            end_date,
        };
        Ok(self.events.get_funnel(request).await?.into_inner())
    }

    /// Events of each stage over the last days: product viewed, added to cart, checkout started,
    /// order completed. A stage that has no number on any day has none here.
    pub(crate) async fn stage_totals(&mut self) -> [Option<u64>; 4] {
        let funnel = self.funnel().await.unwrap();
        let mut totals = [None; 4];
        for day in &funnel.days {
            for (at, stage) in day.stages.iter().enumerate() {
                if let Some(count) = stage.event_count {
                    totals[at] = Some(totals[at].unwrap_or(0) + count);
                }
            }
        }
        totals
    }

    /// Every mapped event, page by page.
    pub(crate) async fn mapped_events(&mut self, page_size: i32) -> Vec<v1::Event> {
        let mut request = v1::ListMappedEventsRequest {
            parent: CONNECTION.to_owned(),
            page_size,
            ..Default::default()
        };
        let mut events = Vec::new();
        loop {
            let page = self
                .events
                .list_mapped_events(request.clone())
                .await
                .unwrap()
                .into_inner();
            assert!(page.events.len() <= usize::try_from(page_size).unwrap());
            events.extend(v1::Event::unpack(page.events).unwrap());
            if page.next_page_token.is_empty() {
                return events;
            }
            request.page_token = page.next_page_token;
        }
    }

    /// What belongs to one id.
    pub(crate) async fn resolve(&mut self, key: v1::identity_key::Key) -> v1::ResolvedIdentity {
        let request = v1::ResolveIdentitiesRequest {
            parent: CONNECTION.to_owned(),
            keys: vec![v1::IdentityKey { key: Some(key) }],
        };
        let answer = self
            .identities
            .resolve_identities(request)
            .await
            .unwrap()
            .into_inner();
        let identities = v1::ResolvedIdentity::unpack(answer.identities).unwrap();
        let [identity] = <[_; 1]>::try_from(identities).unwrap();
        identity
    }
}

/// Whether the connection's backfill is complete and its last run ended well.
pub(crate) fn is_synced(connection: &v1::Connection) -> bool {
    let complete = connection
        .backfill
        .as_ref()
        .is_some_and(|backfill| backfill.complete_time.is_some());
    let last = connection.last_run.as_ref();
    complete && last.is_some_and(|run| run.failure.is_none())
}

/// From 40 days ago to tomorrow.
fn last_days() -> (Option<v1::Date>, Option<v1::Date>) {
    let today = TimeZone::UTC.to_datetime(Timestamp::now()).date();
    let date = |day: jiff::civil::Date| v1::Date {
        year: day.year().into(),
        month: day.month().into(),
        day: day.day().into(),
    };
    (Some(date(today - 40.days())), Some(date(today + 2.days())))
}

/// The machine-readable reason of a refusal.
pub(crate) fn reason(status: &Status) -> String {
    status
        .get_details_error_info()
        .map(|info| info.reason)
        .unwrap_or_default()
}

/// Status and body of a plain HTTP GET.
pub(crate) fn http_get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let patience = Duration::from_secs(60);
    let mut stream = TcpStream::connect_timeout(&address, patience).ok()?;
    stream.set_read_timeout(Some(patience)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}
