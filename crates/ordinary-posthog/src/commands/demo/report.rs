//! What `demo` prints once the shop is synced, read over gRPC as any other service would.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use domain::ConnectionName;
use grpc::proto::v1::cohort_service_client::CohortServiceClient;
use grpc::proto::v1::connection_service_client::ConnectionServiceClient;
use grpc::proto::v1::event_service_client::EventServiceClient;
use grpc::proto::v1::identity_key::Key;
use grpc::proto::v1::identity_link::Evidence;
use grpc::proto::v1::identity_service_client::IdentityServiceClient;
use grpc::proto::v1::{
    Connection, Date, FunnelCount, GetConnectionRequest, GetFunnelRequest, GetFunnelResponse,
    IdentityKey, IdentityLink, ListCohortMembersRequest, ListCohortsRequest,
    ListDailyEventCountsRequest, ListIdentityLinksRequest, ResolveIdentitiesRequest,
    ResolvedIdentity, cohort,
};
use indicatif::HumanCount;
use jiff::civil;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use tonic::transport::Channel;

use crate::exit::{Exit, Failure};

/// How many names are shown.
const TOP: usize = 12;
/// How many customers are shown.
const CUSTOMERS: usize = 4;
/// How many members of each cohort are looked at.
const MEMBERS: i32 = 100;

/// Asks the server at `address` about the demo's connection.
///
/// # Errors
/// When the server does not answer.
pub(super) async fn report(
    address: SocketAddr,
    name: &ConnectionName,
    took: Duration,
) -> Result<String, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(
            Exit::Store,
            format!("The demo's server does not answer: {error}."),
        )
    };
    let channel = Channel::from_shared(format!("http://{address}"))
        .map_err(|error| failed(&error))?
        .connect()
        .await
        .map_err(|error| failed(&error))?;
    Asked {
        channel,
        parent: name.resource_name(),
    }
    .text(address, took)
    .await
    .map_err(|status| failed(&status.message()))
}

pub(super) struct Asked {
    pub(super) channel: Channel,
    pub(super) parent: String,
}

pub(super) type Answer<T> = Result<T, tonic::Status>;

impl Asked {
    async fn text(self, address: SocketAddr, took: Duration) -> Answer<String> {
        let connection = self.connection().await?;
        let zone = TimeZone::get(&connection.time_zone).unwrap_or(TimeZone::UTC);
        let end = zone.to_datetime(Timestamp::now()).date() + 1.day();
        let start = end - 30.days();
        let mut text = format!("\n{} synced in {:.1} s.\n", self.parent, took.as_secs_f64());
        write_funnel(&mut text, &self.funnel(start, end).await?);
        write_top(&mut text, &self.counts(start, end).await?);
        let customers = self.customers().await?;
        self.write_customers(&mut text, customers.clone()).await?;
        self.write_cohorts(&mut text).await?;
        self.write_clickmap(&mut text, start, end).await?;
        if let Some(customer) = customers.into_iter().next() {
            self.write_trail(&mut text, customer).await?;
        }
        write_calls(&mut text, address, &self.parent, (start, end));
        Ok(text)
    }

    async fn connection(&self) -> Answer<Connection> {
        let request = GetConnectionRequest {
            name: self.parent.clone(),
        };
        let answer = ConnectionServiceClient::new(self.channel.clone())
            .get_connection(request)
            .await?;
        answer
            .into_inner()
            .connection
            .ok_or_else(|| tonic::Status::internal("the answer has no connection"))
    }

    async fn funnel(&self, start: civil::Date, end: civil::Date) -> Answer<GetFunnelResponse> {
        let request = GetFunnelRequest {
            parent: self.parent.clone(),
            start_date: Some(date(start)),
            end_date: Some(date(end)),
        };
        Ok(EventServiceClient::new(self.channel.clone())
            .get_funnel(request)
            .await?
            .into_inner())
    }

    /// Events by name over the days, PostHog's own names apart.
    async fn counts(
        &self,
        start: civil::Date,
        end: civil::Date,
    ) -> Answer<BTreeMap<String, (u64, bool)>> {
        let mut client = EventServiceClient::new(self.channel.clone());
        let mut sums: BTreeMap<String, (u64, bool)> = BTreeMap::new();
        let mut page_token = String::new();
        loop {
            let request = ListDailyEventCountsRequest {
                parent: self.parent.clone(),
                start_date: Some(date(start)),
                end_date: Some(date(end)),
                page_size: 1000,
                page_token,
                ..Default::default()
            };
            let page = client.list_daily_event_counts(request).await?.into_inner();
            for count in page.daily_event_counts {
                let sum = sums.entry(count.event).or_insert((0, count.order_like));
                sum.0 += count.event_count;
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                sums.retain(|name, _| !name.starts_with('$'));
                return Ok(sums);
            }
        }
    }

    async fn write_customers(&self, text: &mut String, customers: Vec<IdentityKey>) -> Answer<()> {
        let request = ResolveIdentitiesRequest {
            parent: self.parent.clone(),
            keys: customers,
        };
        let mut client = IdentityServiceClient::new(self.channel.clone());
        let answer = client.resolve_identities(request).await?.into_inner();
        put(text, "\nCustomers, by the ids that PostHog saw\n");
        let identities = ResolvedIdentity::unpack(answer.identities)
            .map_err(|error| tonic::Status::internal(error.to_string()))?;
        for identity in identities {
            let Some(Key::CustomerId(customer)) = identity.key.and_then(|key| key.key) else {
                continue;
            };
            let (persons, ids) = (identity.person_ids.len(), identity.distinct_ids.len());
            put(
                text,
                &format!(
                    "  {customer:<16} {persons} person(s), {ids} distinct id(s): {}\n",
                    shorten(&identity.distinct_ids)
                ),
            );
        }
        Ok(())
    }

    /// The cohorts, and how many of the first members of each are customers.
    async fn write_cohorts(&self, text: &mut String) -> Answer<()> {
        let mut client = CohortServiceClient::new(self.channel.clone());
        let request = ListCohortsRequest {
            parent: self.parent.clone(),
            ..Default::default()
        };
        let cohorts = client.list_cohorts(request).await?.into_inner().cohorts;
        put(text, "\nCohorts\n");
        for cohort in cohorts {
            let request = ListCohortMembersRequest {
                parent: cohort.name.clone(),
                page_size: MEMBERS,
                ..Default::default()
            };
            let members = client.list_cohort_members(request).await?.into_inner();
            let members = members.cohort_members;
            let customers = members.iter().filter(|it| !it.customer_ids.is_empty());
            let kind = match cohort.kind() {
                cohort::Kind::Static => "static",
                _ => "dynamic",
            };
            put(
                text,
                &format!(
                    "  {:<28}{:>9} member(s), {kind}; {} of the first {} are known customers\n",
                    cohort.display_name,
                    HumanCount(u64::try_from(cohort.member_count).unwrap_or_default()).to_string(),
                    customers.count(),
                    members.len(),
                ),
            );
        }
        Ok(())
    }

    /// Some customer ids that events carried.
    async fn customers(&self) -> Answer<Vec<IdentityKey>> {
        let mut client = IdentityServiceClient::new(self.channel.clone());
        let mut found: Vec<String> = Vec::new();
        let mut page_token = String::new();
        while found.len() < CUSTOMERS {
            let request = ListIdentityLinksRequest {
                parent: self.parent.clone(),
                page_size: 1000,
                page_token,
                ..Default::default()
            };
            let page = client.list_identity_links(request).await?.into_inner();
            found.extend(page.identity_links.into_iter().filter_map(customer_of));
            found.sort();
            found.dedup();
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        found.truncate(CUSTOMERS);
        Ok(found
            .into_iter()
            .map(|id| IdentityKey {
                key: Some(Key::CustomerId(id)),
            })
            .collect())
    }
}

fn customer_of(link: IdentityLink) -> Option<String> {
    if link.evidence != Evidence::EventProperty as i32 {
        return None;
    }
    match link.linked?.key? {
        Key::CustomerId(id) => Some(id),
        _ => None,
    }
}

pub(super) fn date(day: civil::Date) -> Date {
    Date {
        year: day.year().into(),
        month: day.month().into(),
        day: day.day().into(),
    }
}

/// Writing to a String cannot fail.
pub(super) fn put(text: &mut String, more: &str) {
    let _ = text.write_str(more);
}

fn write_funnel(text: &mut String, funnel: &GetFunnelResponse) {
    put(text, &format!("\nFunnel by day ({})\n", funnel.time_zone));
    put(
        text,
        &format!(
            "  {:<12}{:>15}{:>15}{:>18}{:>17}\n",
            "day", "product viewed", "added to cart", "checkout started", "order completed"
        ),
    );
    for day in &funnel.days {
        let Some(date) = &day.day else { continue };
        let cell = |index: usize| day.stages.get(index).map_or_else(|| "-".to_owned(), number);
        put(
            text,
            &format!(
                "  {:<12}{:>15}{:>15}{:>18}{:>17}\n",
                format!("{:04}-{:02}-{:02}", date.year, date.month, date.day),
                cell(0),
                cell(1),
                cell(2),
                cell(3)
            ),
        );
    }
}

/// The count, or who has it.
fn number(count: &FunnelCount) -> String {
    count.event_count.map_or_else(
        || "Shopify".to_owned(),
        |events| HumanCount(events).to_string(),
    )
}

fn write_top(text: &mut String, counts: &BTreeMap<String, (u64, bool)>) {
    let mut top: Vec<_> = counts.iter().collect();
    top.sort_by_key(|(name, (events, _))| (std::cmp::Reverse(*events), (*name).clone()));
    put(text, "\nTop custom events\n");
    for (name, (events, order_like)) in top.into_iter().take(TOP) {
        let note = if *order_like {
            "  (means an order: never summed with Shopify's)"
        } else {
            ""
        };
        put(
            text,
            &format!("  {name:<28}{:>9}{note}\n", HumanCount(*events).to_string()),
        );
    }
}

fn write_calls(
    text: &mut String,
    address: SocketAddr,
    parent: &str,
    (start, end): (civil::Date, civil::Date),
) {
    let day = |day: civil::Date| {
        format!(
            r#"{{"year": {}, "month": {}, "day": {}}}"#,
            day.year(),
            day.month(),
            day.day()
        )
    };
    let days = format!(r#""start_date": {}, "end_date": {}"#, day(start), day(end));
    put(text, "\nAsk it yourself\n");
    for (method, more) in [
        ("ConnectionService/ListConnections", None),
        ("EventService/GetFunnel", Some(days)),
        (
            "EventService/ListMappedEvents",
            Some(r#""stages": ["FUNNEL_STAGE_CHECKOUT_STARTED"], "page_size": 5"#.to_owned()),
        ),
        (
            "IdentityService/ListIdentityLinks",
            Some(r#""page_size": 5"#.to_owned()),
        ),
        (
            "CohortService/ListCohorts",
            Some(r#""page_size": 5"#.to_owned()),
        ),
        (
            "ClickmapService/ListClickmapElements",
            Some(r#""page": "/products/*", "page_size": 5"#.to_owned()),
        ),
    ] {
        let body = more.map_or_else(
            || r#"{"parent": "namespaces/-"}"#.to_owned(),
            |more| format!(r#"{{"parent": "{parent}", {more}}}"#),
        );
        put(
            text,
            &format!("  grpcurl -plaintext -d '{body}' {address} ordinary.posthog.v1.{method}\n"),
        );
    }
}

fn shorten(ids: &[String]) -> String {
    let shown: Vec<&str> = ids.iter().take(3).map(String::as_str).collect();
    let more = ids.len().saturating_sub(shown.len());
    let rest = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("{}{rest}", shown.join(", "))
}
