//! A PostHog with one large cohort, whose answers are made of a table in memory: as fast as rows can
//! be written.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use domain::cohorts::{CohortBucket, CohortDigest, digests_of};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Outcome;
use crate::answers::{Question, answer, answered};
use crate::shop::{Shop, hash};

struct Table {
    shop: Shop,
    /// Nobody before the first computation.
    cohort: Mutex<Cohort>,
}

struct Cohort {
    members: usize,
    /// The number of the first member; those after it follow.
    first: usize,
    version: u64,
    buckets: BTreeMap<CohortBucket, Vec<Uuid>>,
}

/// A stand-in that serves until this process ends.
pub(super) struct PostHog {
    address: SocketAddr,
    table: Arc<Table>,
}

/// A person's id, as random as PostHog's.
fn person(number: usize) -> Uuid {
    let (high, low) = (hash(2 * number as u64), hash(2 * number as u64 + 1));
    uuid::Builder::from_random_bytes((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
        .into_uuid()
}

impl PostHog {
    /// Serves a shop with few events and a cohort that is to have so many members.
    pub(super) async fn serve(members: usize) -> Outcome<Self> {
        let table = Arc::new(Table {
            shop: Shop::new(1_000),
            cohort: Mutex::new(Cohort {
                members,
                first: 0,
                version: 0,
                buckets: BTreeMap::new(),
            }),
        });
        let project = r#"{"id":1,"name":"Bench","timezone":"UTC","event_retention_months":null}"#;
        let definitions = r#"{"count":0,"next":null,"previous":null,"results":[]}"#;
        let json = |text: &'static str| get(move || async move { reply(text) });
        let routes = Router::new()
            .route("/api/projects/1/", json(project))
            .route("/api/projects/1/event_definitions/", json(definitions))
            .route("/api/projects/1/cohorts/", get(list))
            .route("/api/projects/1/query/", post(query))
            .with_state(Arc::clone(&table));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok(Self { address, table })
    }

    /// Where it listens.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Computes the cohort anew: so many members leave, and as many come.
    pub(super) fn compute(&self, changed: usize) {
        let mut cohort = self.table.lock();
        cohort.version += 1;
        cohort.first += changed;
        let numbers = cohort.first..cohort.first + cohort.members;
        cohort.buckets.clear();
        for person in numbers.map(person) {
            let bucket = cohort.buckets.entry(CohortBucket::of(person)).or_default();
            bucket.push(person);
        }
        for bucket in cohort.buckets.values_mut() {
            bucket.sort_unstable();
        }
    }
}

impl Table {
    fn lock(&self) -> std::sync::MutexGuard<'_, Cohort> {
        self.cohort.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn list(State(table): State<Arc<Table>>) -> Response {
    let cohort = table.lock();
    let computed = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(cohort.version.cast_signed());
    let item = json!({
        "id": 1, "name": "Everybody", "is_static": false, "deleted": false,
        "count": cohort.members, "version": cohort.version,
        "last_calculation": computed.to_string(),
    });
    let items: Vec<Value> = (cohort.version > 0).then_some(item).into_iter().collect();
    let body = json!({"count": items.len(), "next": null, "previous": null, "results": items});
    reply(body.to_string())
}

async fn query(State(table): State<Arc<Table>>, request: Bytes) -> Response {
    let work = tokio::task::spawn_blocking(move || {
        let question = Question::read(&request).map_err(|error| error.to_string())?;
        table.answer(&question).map_err(|error| error.to_string())
    });
    match work.await {
        Ok(Ok(answer)) => reply(answer),
        Ok(Err(error)) => (StatusCode::BAD_REQUEST, error).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

impl Table {
    fn answer(&self, question: &Question) -> Outcome<Bytes> {
        let cohort = self.lock();
        let digests = || {
            let buckets = cohort.buckets.values();
            digests_of(buckets.flatten())
        };
        match question.name.as_str() {
            "cohort_digests" => {
                let whole: CohortDigest = digests().into_values().sum();
                let rows = [json!([1, whole.members, whole.hash])];
                answered(&["cohort_id", "members", "digest"], &rows)
            }
            "bucket_digests" => {
                let row = |(bucket, digest): (CohortBucket, CohortDigest)| {
                    json!([bucket.digits(), digest.members, digest.hash])
                };
                let rows: Vec<Value> = digests().into_iter().map(row).collect();
                answered(&["bucket", "members", "digest"], &rows)
            }
            "bucket_members" => {
                if question.values.contains_key("after") {
                    return Err("the groups of buckets fit into one answer".into());
                }
                let buckets = question.values.get("buckets").and_then(Value::as_array);
                let mut persons: Vec<Uuid> = Vec::new();
                for digits in buckets.into_iter().flatten().filter_map(Value::as_str) {
                    let bucket: CohortBucket = digits.parse()?;
                    persons.extend(cohort.buckets.get(&bucket).into_iter().flatten());
                }
                persons.sort_unstable();
                let rows: Vec<[Uuid; 1]> = persons.into_iter().map(|person| [person]).collect();
                answered(&["person_id"], &rows)
            }
            "persons_of" => answered(&["distinct_id", "person_id"], &[] as &[Value]),
            _ => answer(&self.shop, question),
        }
    }
}

fn reply(body: impl IntoResponse) -> Response {
    ([("content-type", "application/json")], body).into_response()
}
