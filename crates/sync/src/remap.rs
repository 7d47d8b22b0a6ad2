//! Assigns what is stored by another mapping, counts it by the days of another time zone or makes
//! clickmaps by other rules, without pulling events again: what a changed spec asks for between two
//! runs.

use jiff::Timestamp;
use serde::Serialize;
use tracing::Instrument;

use crate::clickmaps;
use crate::context::Context;
use crate::error::SyncError;
use crate::mapping;
use crate::project::project;
use crate::run::{find, record_failure, session, take};
use crate::session::Session;
use crate::settings::Settings;

/// What a re-map did. Serialises to one JSON object whose `mode` is `remap`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "mode", rename = "remap")]
pub struct RemapSummary {
    /// `namespace/name`.
    pub connection: String,
    /// Stored events that belong to another stage now, or to one or none for the first time.
    pub events_moved: u64,
    /// The zone (IANA) whose days are counted now.
    pub time_zone: String,
    /// The revision of the mapping that is in force now.
    pub mapping_revision: i64,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
}

/// Puts the connection's wanted mapping, time zone and clickmaps in force on its stored rows. PostHog
/// is asked only which events the project has, and only where the mapping in force does not say what
/// the spec says. Interrupted, it goes on at the next call, or at the next run.
///
/// A failure is recorded with the connection, as [`crate::run`] does it.
///
/// # Errors
/// [`SyncError`]; reads go on with the mapping and zone from before.
pub async fn remap(ctx: &Context, settings: &Settings) -> Result<RemapSummary, SyncError> {
    let name = &settings.desired.name;
    let span = tracing::info_span!(parent: None, "remap", connection = %name);
    let outcome = Box::pin(leased(ctx, settings).instrument(span)).await;
    if let Err(error) = &outcome {
        record_failure(ctx, settings, error).await;
    }
    // The process may end now, and with it whoever would give back the places of dropped requests.
    ctx.client.settled().await;
    outcome
}

async fn leased(ctx: &Context, settings: &Settings) -> Result<RemapSummary, SyncError> {
    let held = take(ctx, settings).await?;
    let outcome = settle(&session(ctx, settings, &held)).await;
    held.release().await;
    outcome
}

async fn settle(session: &Session<'_>) -> Result<RemapSummary, SyncError> {
    let started_at = session.ctx.clock.now();
    let found = find(session).await?;
    let project = project(session, &found.record).await?;
    let events_moved = mapping::settle(session, &found.epoch, &project).await?;
    clickmaps::make(session).await?;
    let epoch = find(session).await?.epoch;
    Ok(RemapSummary {
        connection: session.settings.desired.name.to_string(),
        events_moved,
        time_zone: epoch.time_zone.unwrap_or_default(),
        mapping_revision: epoch.mapping_revision,
        started_at,
        ended_at: session.ctx.clock.now(),
    })
}
