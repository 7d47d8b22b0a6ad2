//! Writes the status, when it differs from the one that is there, and tells what is new in it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crd::{PostHogConnection, PostHogConnectionStatus};
use jiff::{SignedDuration, Timestamp};
use kube::api::PatchParams;
use kube::core::ObjectMeta;
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::annotations::FIELD_MANAGER;
use crate::build;
use crate::context::Context;
use crate::error::Error;
use crate::identity::Identity;
use crate::patch;

/// What was written to statuses and when. Without it, a reconciliation that follows before the cache
/// has the new status would take the old one for it. Nothing is lost when it is.
#[derive(Default)]
pub(crate) struct StatusWrites(Mutex<HashMap<String, Written>>);

struct Written {
    /// Until the cache has it: what was written, and the version that the connection has since.
    pending: Option<(Box<PostHogConnectionStatus>, u64)>,
    at: Timestamp,
}

impl StatusWrites {
    /// The connection with the status that was last written to it, if the cache is behind.
    pub(crate) fn latest(&self, mut connection: PostHogConnection) -> PostHogConnection {
        let uid = connection.uid().unwrap_or_default();
        if let Some(written) = self.lock().get(&uid)
            && let Some((status, since)) = &written.pending
            && version(&connection.metadata) < Some(*since)
        {
            connection.status = Some((**status).clone());
        }
        connection
    }

    /// The cache has this version of the connection now.
    pub(crate) fn seen(&self, meta: &ObjectMeta) {
        let uid = meta.uid.as_deref().unwrap_or_default();
        if let Some(written) = self.lock().get_mut(uid) {
            written
                .pending
                .take_if(|(_, since)| version(meta) >= Some(*since));
        }
    }

    /// That connection is gone.
    pub(crate) fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn note(&self, uid: &str, pending: Option<(Box<PostHogConnectionStatus>, u64)>, at: Timestamp) {
        self.lock().insert(uid.to_owned(), Written { pending, at });
    }

    fn written_at(&self, uid: &str) -> Option<Timestamp> {
        self.lock().get(uid).map(|written| written.at)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Written>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Versions grow: Kubernetes promises it since 1.35, and has always kept it.
fn version(meta: &ObjectMeta) -> Option<u64> {
    meta.resource_version.as_ref()?.parse().ok()
}

/// Writes `status` over the one that `connection` has.
///
/// # Errors
/// When the API server does not take it; the next reconciliation comes to the same.
pub(crate) async fn update_status(
    ctx: &Context,
    identity: &Identity,
    connection: &PostHogConnection,
    status: &PostHogConnectionStatus,
) -> Result<(), Error> {
    let before = connection.status.as_ref();
    if before == Some(status) || is_only_progress(ctx, identity, before, status) {
        return Ok(());
    }
    let name = &identity.name;
    let api: Api<PostHogConnection> = Api::namespaced(ctx.client.clone(), &name.namespace);
    let operations = json!([
        {"op": "test", "path": "/metadata/uid", "value": identity.uid},
        {"op": "add", "path": "/status", "value": status},
    ]);
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let written = api
        .patch_status(&name.name, &params, &patch::json(operations)?)
        .await
        .map_err(Error::api("write the connection's status"))?;
    let pending = version(&written.metadata).map(|since| (Box::new(status.clone()), since));
    ctx.writes.note(&identity.uid, pending, ctx.clock.now());
    for event in build::events(before, status) {
        ctx.events.publish(connection, &event);
    }
    Ok(())
}

/// Whether nothing but the backfill's progress differs, and that was told less than a while ago.
fn is_only_progress(
    ctx: &Context,
    identity: &Identity,
    before: Option<&PostHogConnectionStatus>,
    status: &PostHogConnectionStatus,
) -> bool {
    let Some(before) = before else {
        return false;
    };
    let is_complete = |status: &PostHogConnectionStatus| {
        status
            .backfill
            .as_ref()
            .is_some_and(|backfill| backfill.completed_through.is_some())
    };
    let mut without = status.clone();
    without.backfill.clone_from(&before.backfill);
    if without != *before || is_complete(status) {
        return false;
    }
    let pause = SignedDuration::try_from(ctx.config.intervals.progress).unwrap_or_default();
    ctx.writes
        .written_at(&identity.uid)
        .is_some_and(|told| ctx.clock.now().duration_since(told) < pause)
}
