//! `/api/projects/:id/file_download_batch_exports/`: exports of what a project received, as PostHog/posthog
//! has them in `products/batch_exports/backend/presentation/views/file_download.py` (11be08b42744).

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::answer::Answer;
use super::export_rows;
use super::request::Request;
use super::{Server, auth};
use crate::world::World;
use crate::world::key::Key;

const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 7);

/// How an export ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportOutcome {
    /// Its files can be fetched.
    Completed,
    /// Another of PostHog's final states: `Failed`, `FailedRetryable`, `FailedBilling`, `Terminated`,
    /// `TimedOut`, `Cancelled`.
    Ended {
        /// The state.
        status: &'static str,
        /// What PostHog says of it, if anything.
        error: Option<&'static str>,
    },
    /// It never ends.
    Never,
}

/// How exports go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportPolicy {
    /// Exports of one project at once; more are refused with 429.
    pub at_once: Option<usize>,
    /// How often an export that is looked at is still on its way.
    pub looks: usize,
    /// Rows in a file.
    pub rows_a_file: usize,
    /// How it ends.
    pub outcome: ExportOutcome,
}

impl Default for ExportPolicy {
    /// Any number at once, each ready at the second look, in files of a thousand rows.
    fn default() -> Self {
        Self {
            at_once: None,
            looks: 1,
            rows_a_file: 1000,
            outcome: ExportOutcome::Completed,
        }
    }
}

/// An export, with its files as they were when it was started.
#[derive(Debug)]
struct Export {
    id: Uuid,
    project: u64,
    looks_left: usize,
    outcome: ExportOutcome,
    rows: usize,
    files: Vec<(Uuid, Vec<u8>)>,
}

impl Export {
    fn status(&self) -> &'static str {
        match &self.outcome {
            _ if self.looks_left > 0 => "Running",
            ExportOutcome::Never => "Running",
            ExportOutcome::Completed => "Completed",
            ExportOutcome::Ended { status, .. } => status,
        }
    }
}

/// All exports of a server.
#[derive(Debug, Default)]
pub(crate) struct Exports(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    policy: ExportPolicy,
    all: Vec<Export>,
}

impl Exports {
    pub(crate) fn set(&self, policy: ExportPolicy) {
        self.state().policy = policy;
    }

    pub(crate) fn started(&self) -> usize {
        self.state().all.len()
    }

    /// The bytes of a file, whoever asks.
    pub(crate) fn bytes(&self, export: Uuid, file: Uuid) -> Option<Vec<u8>> {
        let state = self.state();
        let export = state.all.iter().find(|known| known.id == export)?;
        let (_, bytes) = export.files.iter().find(|(id, _)| *id == file)?;
        Some(bytes.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts an export.
pub(crate) fn start(
    server: &Server,
    world: &World,
    key: &Key,
    project: &str,
    request: &Request,
) -> Result<Answer, Answer> {
    let project = auth::open_project(world, key, project, "batch_export:write")?;
    let body = request
        .body
        .as_ref()
        .map_err(|error| Answer::parse_error(&format!("JSON parse error - {error}")))?;
    let now = world.clock.now();
    let (from, to) = interval(body, now)?;
    let mut state = server.exports.state();
    let running = state
        .all
        .iter()
        .filter(|export| export.project == project.id && export.status() == "Running");
    if state
        .policy
        .at_once
        .is_some_and(|most| running.count() >= most)
    {
        return Err(Answer::error(
            429,
            "throttled_error",
            "too_many_concurrent_file_downloads",
            "Too many concurrent file download batch exports for this team.",
        ));
    }
    let rows = export_rows::exported(project, from, to, now);
    let files = rows
        .chunks(state.policy.rows_a_file.max(1))
        .map(|rows| (Uuid::now_v7(), export_rows::pack(rows)))
        .collect();
    let export = Export {
        id: Uuid::now_v7(),
        project: project.id,
        looks_left: state.policy.looks,
        outcome: state.policy.outcome.clone(),
        rows: rows.len(),
        files,
    };
    let answer = Answer::json(202, &json!({"id": export.id}));
    state.all.push(export);
    Ok(answer)
}

/// The interval of the body, once all of it is as PostHog takes it.
fn interval(body: &Json, now: Timestamp) -> Result<(Timestamp, Timestamp), Answer> {
    let invalid = |detail: &str| Answer::error(400, "validation_error", "invalid_input", detail);
    if body.get("model").and_then(Json::as_str) != Some("events") {
        return Err(invalid("This stand-in exports the model events alone."));
    }
    let file = body
        .get("file")
        .ok_or_else(|| invalid("This field is required."))?;
    let text = |name: &str| file.get(name).and_then(Json::as_str);
    if (text("format"), text("compression")) != (Some("JSONLines"), Some("gzip")) {
        return Err(invalid("This stand-in writes JSONLines with gzip alone."));
    }
    let instant = |name: &str| -> Result<Timestamp, Answer> {
        body.get(name)
            .and_then(Json::as_str)
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| {
                invalid("'data_interval_start' and 'data_interval_end' are required. Provide both bounds.")
            })
    };
    let (from, to) = (
        instant("data_interval_start")?,
        instant("data_interval_end")?,
    );
    if from > to {
        return Err(invalid(
            "'data_interval_end' must occur after 'data_interval_start'",
        ));
    }
    if to.duration_since(from) > LONGEST {
        return Err(invalid(
            "data interval range too big. Choose an interval of at most seven days.",
        ));
    }
    if to > now {
        return Err(invalid(&format!(
            "The provided 'data_interval_end' ({to}) is in the future"
        )));
    }
    Ok((from, to))
}

/// The exports of a project.
pub(crate) fn list(
    server: &Server,
    world: &World,
    key: &Key,
    project: &str,
) -> Result<Answer, Answer> {
    let project = auth::open_project(world, key, project, "batch_export:read")?;
    let state = server.exports.state();
    let of_project = state
        .all
        .iter()
        .filter(|export| export.project == project.id);
    let results: Vec<Json> = of_project
        .rev()
        .map(|export| json!({"id": export.id, "status": export.status()}))
        .collect();
    let count = results.len();
    Ok(Answer::json(
        200,
        &json!({"count": count, "next": null, "previous": null, "results": results}),
    ))
}

/// How far an export is.
pub(crate) fn state(
    server: &Server,
    world: &World,
    key: &Key,
    project: &str,
    id: &str,
) -> Result<Answer, Answer> {
    let project = auth::open_project(world, key, project, "batch_export:read")?;
    let mut state = server.exports.state();
    let export = find(&mut state, project.id, id)?;
    let status = export.status();
    export.looks_left = export.looks_left.saturating_sub(1);
    let mut answer = json!({"status": status});
    match &export.outcome {
        ExportOutcome::Completed if status == "Completed" => {
            let ids: Vec<Uuid> = export.files.iter().map(|(id, _)| *id).collect();
            answer["files"] = json!(ids);
            answer["records_completed"] = json!(export.rows);
        }
        ExportOutcome::Ended {
            error: Some(error), ..
        } if status != "Running" => answer["error"] = json!(error),
        _ => {}
    }
    Ok(Answer::json(200, &answer))
}

/// Where a file is.
pub(crate) fn file(
    server: &Server,
    world: &World,
    key: &Key,
    project: &str,
    id: &str,
    part: Option<&str>,
) -> Result<Answer, Answer> {
    let project = auth::open_project(world, key, project, "batch_export:read")?;
    let mut state = server.exports.state();
    let export = find(&mut state, project.id, id)?;
    match export.status() {
        "Completed" => {}
        "Running" => {
            let detail = "Batch export run is still in progress";
            return Err(Answer::error(
                400,
                "validation_error",
                "invalid_input",
                detail,
            ));
        }
        _ => {
            let detail = "Batch export run has failed";
            return Err(Answer::error(
                400,
                "validation_error",
                "invalid_input",
                detail,
            ));
        }
    }
    let part = part.unwrap_or("0");
    let found = match part.parse::<Uuid>() {
        Ok(id) => export.files.iter().find(|(known, _)| *known == id),
        Err(_) => part.parse().ok().and_then(|at: usize| export.files.get(at)),
    };
    let (file, _) = found.ok_or_else(|| Answer::not_found("Not found."))?;
    let address = format!(
        "{}/batch-exports/{}/{file}.jsonl.gz?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature={}",
        server.bucket,
        export.id,
        Uuid::now_v7().simple(),
    );
    Ok(Answer::raw(302, "text/html; charset=utf-8", Vec::new())
        .header("location", address)
        .header("cache-control", "no-store"))
}

fn find<'s>(state: &'s mut State, project: u64, id: &str) -> Result<&'s mut Export, Answer> {
    let id: Option<Uuid> = id.parse().ok();
    state
        .all
        .iter_mut()
        .find(|export| export.project == project && Some(export.id) == id)
        .ok_or_else(|| Answer::not_found("Not found."))
}
