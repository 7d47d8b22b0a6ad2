//! Who a connection is, and the finalizer that keeps it until it is disconnected.

use crd::PostHogConnection;
use domain::ConnectionName;
use kube::api::PatchParams;
use kube::core::PartialObjectMeta;
use kube::{Api, ResourceExt};
use serde_json::json;
use uuid::Uuid;

use crate::annotations::FINALIZER;
use crate::context::Context;
use crate::error::Error;
use crate::patch;

/// Who a connection is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Its namespace and name.
    pub(crate) name: ConnectionName,
    /// Its UID as Kubernetes writes it.
    pub(crate) uid: String,
}

impl Identity {
    /// The identity of an object that an API server sent.
    pub(crate) fn of(connection: &PostHogConnection) -> Result<Self, Error> {
        let meta = &connection.metadata;
        let namespace = meta
            .namespace
            .clone()
            .ok_or(Error::Incomplete("namespace"))?;
        let name = meta.name.clone().ok_or(Error::Incomplete("name"))?;
        Ok(Self {
            name: ConnectionName::new(namespace, name),
            uid: meta.uid.clone().ok_or(Error::Incomplete("UID"))?,
        })
    }

    /// The UID as a number, which decides where within its interval the connection's ticks lie.
    pub(crate) fn uuid(&self) -> Uuid {
        Uuid::parse_str(&self.uid)
            .unwrap_or_else(|_| Uuid::new_v5(&Uuid::NAMESPACE_OID, self.uid.as_bytes()))
    }
}

/// Who the connection is; it has our finalizer afterwards.
pub(crate) async fn settle(
    ctx: &Context,
    connection: &PostHogConnection,
) -> Result<Identity, Error> {
    let identity = Identity::of(connection)?;
    let finalizers = connection.finalizers();
    if finalizers.iter().any(|name| name == FINALIZER) {
        return Ok(identity);
    }
    // The whole list is replaced: whoever else changes it at this moment is not overwritten, for
    // the object then has another version.
    let mut wanted = finalizers.to_vec();
    wanted.push(FINALIZER.to_owned());
    write_finalizers(ctx, connection, &wanted).await?;
    Ok(identity)
}

/// Takes our finalizer off; the connection may be gone already.
pub(crate) async fn remove_finalizer(
    ctx: &Context,
    connection: &PostHogConnection,
) -> Result<(), Error> {
    let (others, ours): (Vec<_>, Vec<_>) = connection
        .finalizers()
        .iter()
        .cloned()
        .partition(|name| name != FINALIZER);
    if ours.is_empty() {
        return Ok(());
    }
    match write_finalizers(ctx, connection, &others).await {
        Err(Error::Kubernetes { source, .. }) if is_gone(&source) => Ok(()),
        written => written,
    }
}

async fn write_finalizers(
    ctx: &Context,
    connection: &PostHogConnection,
    wanted: &[String],
) -> Result<(), Error> {
    let identity = Identity::of(connection)?;
    let api: Api<PostHogConnection> = Api::namespaced(ctx.client.clone(), &identity.name.namespace);
    let operations = json!([
        {"op": "test", "path": "/metadata/uid", "value": identity.uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": connection.resource_version()},
        {"op": "add", "path": "/metadata/finalizers", "value": wanted},
    ]);
    let _: PartialObjectMeta<PostHogConnection> = api
        .patch_metadata(
            &identity.name.name,
            &PatchParams::default(),
            &patch::json(operations)?,
        )
        .await
        .map_err(Error::api("write the connection's finalizers"))?;
    Ok(())
}

fn is_gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_not_found())
}
