//! `POST /api/projects/:id/query/`: body, limits, cache, evaluation and the answer's shape (POSTHOG.md 5).

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use axum::http::Method;
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::answer::Answer;
use super::fault::Fault;
use super::request::Request;
use super::{Server, auth};
use crate::hogql::{self, Ask, QueryError, ResultSet};

/// Modes that answer 202 at once and compute in the background.
const BACKGROUND: [&str; 4] = [
    "async",
    "lazy_async",
    "force_async",
    "async_except_on_cache_miss",
];
const MODES: [&str; 8] = [
    "blocking",
    "async",
    "lazy_async",
    "force_blocking",
    "force_async",
    "force_cache",
    "async_except_on_cache_miss",
    "lazy_blocking",
];

/// What a query needs after its key and project were found good.
struct Job {
    project: u64,
    key: String,
    zone: String,
    now: Timestamp,
    text: String,
    values: Json,
    in_project_zone: bool,
    refresh: String,
}

pub(crate) async fn answer(
    server: &Arc<Server>,
    request: &Request,
    project: &str,
    kind: Option<&str>,
    fault: Option<&Fault>,
) -> Answer {
    match run(server, request, project, kind, fault).await {
        Ok(answer) | Err(answer) => answer,
    }
}

async fn run(
    server: &Arc<Server>,
    request: &Request,
    project: &str,
    kind: Option<&str>,
    fault: Option<&Fault>,
) -> Result<Answer, Answer> {
    let job = admit(server, request, project, kind)?;
    server.meter.rate(&job.key)?;
    let cache_key = format!(
        "{} {} {} {} {}",
        job.project, job.zone, job.in_project_zone, job.values, job.text
    );
    if !job.refresh.starts_with("force_blocking")
        && let Some((at, set)) = server.cache.get(&cache_key, job.now)
    {
        return Ok(success(server, &job, &set, at, true, 0, fault));
    }
    server.meter.may_read(job.project)?;
    let turn = server.meter.turn(job.project).await?;
    let running = Running::begin(server);
    let result = evaluate(server, &job).await;
    drop(running);
    drop(turn);
    let set = Arc::new(result?);
    server.cache.put(cache_key, job.now, set.clone());
    if BACKGROUND.contains(&job.refresh.as_str()) {
        return Ok(accepted(&job));
    }
    Ok(success(
        server,
        &job,
        &set,
        job.now,
        false,
        set.bytes_read,
        fault,
    ))
}

/// A query that runs, counted until this is dropped: also when whoever asked has hung up.
struct Running<'a>(&'a Server);

impl<'a> Running<'a> {
    fn begin(server: &'a Server) -> Self {
        let running = server.running.fetch_add(1, Ordering::Relaxed) + 1;
        server.peak.fetch_max(running, Ordering::Relaxed);
        Self(server)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Authentication, the project, and the body, in PostHog's order.
fn admit(
    server: &Server,
    request: &Request,
    project: &str,
    kind: Option<&str>,
) -> Result<Job, Answer> {
    let world = server.world.read().unwrap_or_else(PoisonError::into_inner);
    let key = auth::authenticate(&world, request, &server.site)?;
    let project = auth::open_project(&world, key, project, "query:read")?;
    if request.method != Method::POST {
        return Err(Answer::method_not_allowed(request.method.as_str()));
    }
    let body = request
        .body
        .as_ref()
        .map_err(|error| Answer::parse_error(&format!("JSON parse error - {error}")))?;
    let malformed = |place: &str, what: &str| {
        Answer::parse_error(&format!(
            "1 validation error for QueryRequest\n{place}\n  {what}"
        ))
    };
    let query = body
        .get("query")
        .ok_or_else(|| malformed("query", "Field required"))?;
    let wanted = query.get("kind").and_then(Json::as_str);
    if wanted != Some("HogQLQuery") {
        return Err(malformed(
            "query",
            "Input tag does not match any of the expected tags",
        ));
    }
    if kind.is_some_and(|kind| Some(kind) != wanted) {
        let detail = "Query kind mismatch: the kind in the path must equal the kind in the body.";
        return Err(Answer::error(
            400,
            "validation_error",
            "invalid_input",
            detail,
        ));
    }
    if body
        .get("limit_context")
        .is_some_and(|context| context != "posthog_ai" && !context.is_null())
    {
        return Err(malformed("limit_context", "Input should be 'posthog_ai'"));
    }
    let text = query
        .get("query")
        .and_then(Json::as_str)
        .ok_or_else(|| malformed("query.HogQLQuery.query", "Field required"))?;
    let refresh = match body.get("refresh") {
        None | Some(Json::Null) => "blocking",
        Some(Json::Bool(true)) => "force_blocking",
        Some(Json::Bool(false)) => "force_cache",
        Some(mode) => mode
            .as_str()
            .filter(|mode| MODES.contains(mode))
            .ok_or_else(|| malformed("refresh", "Input should be a known refresh type"))?,
    };
    let convert = query
        .pointer("/modifiers/convertToProjectTimezone")
        .and_then(Json::as_bool);
    Ok(Job {
        project: project.id,
        key: key.value.clone(),
        zone: project.timezone_name().to_owned(),
        now: world.clock.now(),
        text: text.to_owned(),
        values: query.get("values").cloned().unwrap_or(Json::Null),
        in_project_zone: convert.unwrap_or(true),
        refresh: refresh.to_owned(),
    })
}

/// Runs the query on a blocking thread, so that a slow one holds up nobody else.
async fn evaluate(server: &Arc<Server>, job: &Job) -> Result<ResultSet, Answer> {
    let limits = server.meter.limits();
    if !limits.latency.is_zero() {
        tokio::time::sleep(limits.latency).await;
    }
    let owner = server.clone();
    let (project, text, values) = (job.project, job.text.clone(), job.values.clone());
    let (in_project_zone, now) = (job.in_project_zone, job.now);
    let task = tokio::task::spawn_blocking(move || {
        let world = owner.world.read().unwrap_or_else(PoisonError::into_inner);
        let project = world
            .project(project)
            .ok_or_else(|| Answer::not_found("Project not found."))?;
        let ask = Ask {
            text: &text,
            values: &values,
            in_project_zone,
            now,
            too_much: limits.too_much,
        };
        hogql::run(project, &ask).map_err(refusal)
    });
    match task.await {
        Ok(result) => result,
        Err(_) => Err(Answer::error(
            500,
            "server_error",
            "error",
            "A server error occurred.",
        )),
    }
}

fn refusal(error: QueryError) -> Answer {
    match error {
        QueryError::Invalid { code, detail } => Answer::json(
            400,
            &json!({"type": "validation_error", "code": code, "detail": detail, "attr": null,
                "extra": {"hogql_metadata": {"isValid": false, "errors": [{"message": detail}]}}}),
        ),
        QueryError::TooMuch { status } => Answer::too_much(status),
    }
}

fn success(
    server: &Server,
    job: &Job,
    set: &ResultSet,
    at: Timestamp,
    cached: bool,
    bytes: u64,
    fault: Option<&Fault>,
) -> Answer {
    let left = server.meter.spend(job.project, bytes);
    let columns: Vec<String> = match fault {
        Some(Fault::WrongColumns) => (0..set.columns.len())
            .map(|at| format!("column_{at}"))
            .collect(),
        _ => set.columns.clone(),
    };
    let types: Vec<[&String; 2]> = columns.iter().zip(&set.types).map(Into::into).collect();
    // PostHog's models write their fields in the order of their names (posthog/schema.py,
    // CachedHogQLQueryResponse), which puts columns and error before the results.
    let before = json!({
        "cache_key": format!("cache_{}", job.project),
        "cache_target_age": null,
        "calculation_trigger": null,
        "clickhouse": null,
        "columns": columns,
        "error": null,
        "explain": null,
        "hasMore": set.has_more,
        "hogql": job.text,
        "is_cached": cached,
        "last_refresh": at.to_string(),
        "limit": set.limit,
        "metadata": null,
        "modifiers": {"convertToProjectTimezone": job.in_project_zone},
        "next_allowed_client_refresh": at.to_string(),
        "offset": set.limit.map(|_| 0),
        "query": job.text,
        "query_metadata": {"events": []},
        "query_status": null,
    });
    let after = json!({"timezone": job.zone, "timings": null, "types": types, "warnings": []});
    let (before, after) = (before.to_string(), after.to_string());
    let mut out = Vec::with_capacity(1024 + set.rows.len() * set.columns.len() * 12);
    out.extend_from_slice(before.strip_suffix('}').unwrap_or(&before).as_bytes());
    out.extend_from_slice(b",\"results\":");
    hogql::write_rows(&mut out, set, fault);
    out.push(b',');
    out.extend_from_slice(after.strip_prefix('{').unwrap_or(&after).as_bytes());
    let mut answer = Answer::raw(200, "application/json", out)
        .header("x-posthog-query-bytes-read", bytes.to_string())
        .header("x-posthog-query-budget-remaining-bytes", left.to_string());
    answer.rows = set.rows.len();
    answer.bytes_read = bytes;
    answer
}

fn accepted(job: &Job) -> Answer {
    let id = uuid::Uuid::now_v7().to_string();
    Answer::json(
        202,
        &json!({"query_status": {"id": id, "team_id": job.project, "complete": false, "error": false,
            "error_message": null, "query_async": true, "results": null, "start_time": job.now.to_string()}}),
    )
}
