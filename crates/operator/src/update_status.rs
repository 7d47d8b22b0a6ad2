//! Writes the status, when it differs from the one that is there.

use crd::PostHogConnection;
use kube::Api;
use kube::api::PatchParams;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::Action;
use serde_json::json;

use crate::apply::Applied;
use crate::context::Context;
use crate::error::Error;
use crate::patch;

/// Writes it, and says when the connection is to be looked at again.
pub(crate) async fn update_status(
    ctx: &Context,
    connection: &PostHogConnection,
    applied: Applied,
) -> Result<Action, Error> {
    if connection.status.as_ref() != Some(&applied.status) {
        let name = &applied.identity.name;
        let api: Api<PartialObjectMeta<PostHogConnection>> =
            Api::namespaced(ctx.client.clone(), &name.namespace);
        let operations = json!([
            {"op": "test", "path": "/metadata/uid", "value": applied.identity.uid},
            {"op": "add", "path": "/status", "value": applied.status},
        ]);
        api.patch_status(
            &name.name,
            &PatchParams::default(),
            &patch::json(operations)?,
        )
        .await
        .map_err(Error::api("write the connection's status"))?;
    }
    Ok(Action::requeue(ctx.config.intervals.check))
}
