//! TrailService: what somebody did, step by step.

use domain::clickmap::ClickmapRules;
use domain::identity::IdentityKey;
use domain::storage::{EventFilter, EventKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tonic::{Request, Response, Status};

use crate::access::Readable;
use crate::answer::{TrailEvents, resolved_status};
use crate::check::{check_connection, check_instants, check_order, check_trail_key};
use crate::errors::ApiError;
use crate::paging::{Page, check_page_size, fill};
use crate::proto::v1;
use crate::proto::v1::resolved_identity::Status as IdentityStatus;
use crate::proto::v1::trail_service_server::TrailService;
use crate::reads::{ReadStore, Reads};
use crate::token::{Scope, first_bits};

/// The most distinct ids whose events make one trail: each is a place of its own in an index.
const MOST_IDS: usize = 100;

/// Answers TrailService from a store.
pub(crate) struct TrailServer<S: ?Sized> {
    reads: Reads<S>,
}

/// Whose events make a trail.
#[derive(Debug, Default)]
struct Owner {
    distinct_ids: Vec<String>,
    customer_ids: Vec<String>,
    truncated: bool,
    status: IdentityStatus,
    primary_customer_id: Option<String>,
    person_ids: Vec<String>,
}

/// A place in a trail, and of whose events it is: another set of ids is another trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct TrailCursor {
    place: EventKey,
    owner: u64,
}

impl<S: ReadStore + ?Sized + 'static> TrailServer<S> {
    /// A service on `reads`.
    pub(crate) fn new(reads: Reads<S>) -> Self {
        Self { reads }
    }

    async fn session(
        &self,
        mut request: v1::ListSessionEventsRequest,
    ) -> Result<v1::ListSessionEventsResponse, ApiError> {
        let name = check_connection("parent", &request.parent)?;
        if request.session_id.is_empty() {
            return Err(ApiError::field(
                "session_id",
                "is empty: write a PostHog $session_id, as events carry it",
            ));
        }
        let filter = EventFilter {
            session_id: Some(request.session_id.clone()),
            newest_first: check_order(request.order)?,
            ..EventFilter::default()
        };
        let size = check_page_size(request.page_size)?;
        let token = std::mem::take(&mut request.page_token);
        request.page_size = 0;

        let readable = self.reads.open(&name).await?;
        let scope = Scope::page("ListSessionEvents", &request, Some(&readable.epoch));
        let after: Option<EventKey> = self.reads.cursor(&scope, &token).await?;
        let page = self.page(&readable, &filter, after, size).await?;
        Ok(v1::ListSessionEventsResponse {
            next_page_token: self.reads.next_token(&scope, page.last.as_ref()).await?,
            trail_events: page.rows,
        })
    }

    async fn customer(
        &self,
        mut request: v1::ListCustomerTrailRequest,
    ) -> Result<v1::ListCustomerTrailResponse, ApiError> {
        let name = check_connection("parent", &request.parent)?;
        let key = check_trail_key(request.key.as_ref(), request.this_id_only)?;
        let (from, to) = check_instants(request.start_time, request.end_time)?;
        let newest_first = check_order(request.order)?;
        let size = check_page_size(request.page_size)?;
        let token = std::mem::take(&mut request.page_token);
        request.page_size = 0;

        let readable = self.reads.open(&name).await?;
        let scope = Scope::page("ListCustomerTrail", &request, Some(&readable.epoch));
        let after: Option<TrailCursor> = self.reads.cursor(&scope, &token).await?;
        let owner = self.owner(&readable, key, request.this_id_only).await?;
        let digest = digest(&owner.distinct_ids);
        if after.as_ref().is_some_and(|after| after.owner != digest) {
            return Err(scope.stale());
        }
        let page = if owner.distinct_ids.is_empty() {
            fill(std::iter::empty::<(EventKey, v1::TrailEvent)>(), size)
        } else {
            let filter = EventFilter {
                from,
                to,
                distinct_ids: owner.distinct_ids.clone(),
                newest_first,
                ..EventFilter::default()
            };
            let after = after.map(|after| after.place);
            self.page(&readable, &filter, after, size).await?
        };
        let last = page.last.map(|place| TrailCursor {
            place,
            owner: digest,
        });
        Ok(v1::ListCustomerTrailResponse {
            next_page_token: self.reads.next_token(&scope, last.as_ref()).await?,
            trail_events: page.rows,
            distinct_ids: owner.distinct_ids,
            customer_ids: owner.customer_ids,
            truncated: owner.truncated,
            status: owner.status.into(),
            primary_customer_id: owner.primary_customer_id,
            person_ids: owner.person_ids,
        })
    }

    /// The distinct ids that belong together with a key, as far as they are followed.
    async fn owner(
        &self,
        readable: &Readable,
        key: IdentityKey,
        this_id_only: bool,
    ) -> Result<Owner, ApiError> {
        let asked = match &key {
            IdentityKey::DistinctId(id) => Some(id.clone()),
            _ => None,
        };
        if this_id_only {
            return Ok(Owner {
                distinct_ids: asked.into_iter().collect(),
                ..Owner::default()
            });
        }
        let answers = self.reads.resolve(&readable.epoch, &[key]).await?;
        let Some(answer) = answers.into_iter().next() else {
            return Ok(Owner::default());
        };
        let mut distinct_ids = answer.distinct_ids;
        // Nothing may be known of an id but its events; and it must not be one of those cut off.
        if let Some(asked) = asked {
            distinct_ids.retain(|id| *id != asked);
            distinct_ids.insert(0, asked);
        }
        let truncated = answer.truncated || distinct_ids.len() > MOST_IDS;
        distinct_ids.truncate(MOST_IDS);
        distinct_ids.sort_unstable();
        Ok(Owner {
            distinct_ids,
            customer_ids: answer.customer_ids,
            truncated,
            status: resolved_status(answer.status),
            primary_customer_id: answer.primary_customer_id,
            person_ids: answer.persons.iter().map(ToString::to_string).collect(),
        })
    }

    async fn page(
        &self,
        readable: &Readable,
        filter: &EventFilter,
        after: Option<EventKey>,
        size: usize,
    ) -> Result<Page<v1::TrailEvent, EventKey>, ApiError> {
        let usual = ClickmapRules::default();
        let rules = readable.epoch.clickmap_rules.as_ref().unwrap_or(&usual);
        let mut steps = TrailEvents::by(rules);
        let epoch = readable.epoch.id;
        self.reads
            .event_page(epoch, filter, after, size, |row| steps.message(row))
            .await
    }
}

/// A number for the ids of a trail.
fn digest(ids: &[String]) -> u64 {
    let mut hash = Sha256::new();
    for id in ids {
        hash.update((id.len() as u64).to_be_bytes());
        hash.update(id);
    }
    first_bits(&hash.finalize())
}

#[tonic::async_trait]
impl<S: ReadStore + ?Sized + 'static> TrailService for TrailServer<S> {
    async fn list_session_events(
        &self,
        request: Request<v1::ListSessionEventsRequest>,
    ) -> Result<Response<v1::ListSessionEventsResponse>, Status> {
        Ok(Response::new(self.session(request.into_inner()).await?))
    }

    async fn list_customer_trail(
        &self,
        request: Request<v1::ListCustomerTrailRequest>,
    ) -> Result<Response<v1::ListCustomerTrailResponse>, Status> {
        Ok(Response::new(self.customer(request.into_inner()).await?))
    }
}
