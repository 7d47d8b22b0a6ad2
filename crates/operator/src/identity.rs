//! Who a connection is, and the finalizer that keeps it until it is disconnected.

use crd::PostHogConnection;
use domain::ConnectionName;
use jiff::Timestamp;
use kube::api::PatchParams;
use kube::core::{ObjectMeta, PartialObjectMeta};
use kube::{Api, ResourceExt};
use serde_json::json;
use uuid::Uuid;

use crate::annotations::FINALIZER;
use crate::context::Context;
use crate::error::Error;
use crate::instant::instant;
use crate::patch;

/// Who a connection is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Its namespace and name.
    pub(crate) name: ConnectionName,
    /// Its UID as Kubernetes writes it.
    pub(crate) uid: String,
    /// When it was created.
    pub(crate) created_at: Timestamp,
}

impl Identity {
    /// The identity of an object that an API server sent.
    pub(crate) fn of(meta: &ObjectMeta) -> Result<Self, Error> {
        let namespace = meta
            .namespace
            .clone()
            .ok_or(Error::Incomplete("namespace"))?;
        let name = meta.name.clone().ok_or(Error::Incomplete("name"))?;
        Ok(Self {
            name: ConnectionName::new(namespace, name),
            uid: meta.uid.clone().ok_or(Error::Incomplete("UID"))?,
            created_at: meta
                .creation_timestamp
                .as_ref()
                .map_or(Timestamp::UNIX_EPOCH, instant),
        })
    }

    /// The UID as a number, which decides where within its interval the connection's ticks lie.
    pub(crate) fn uuid(&self) -> Uuid {
        Uuid::parse_str(&self.uid)
            .unwrap_or_else(|_| Uuid::new_v5(&Uuid::NAMESPACE_OID, self.uid.as_bytes()))
    }
}

/// The connection with our finalizer.
pub(crate) async fn add_finalizer(
    ctx: &Context,
    mut connection: PostHogConnection,
) -> Result<PostHogConnection, Error> {
    if connection.finalizers().iter().any(|name| name == FINALIZER) {
        return Ok(connection);
    }
    let mut wanted = connection.finalizers().to_vec();
    wanted.push(FINALIZER.to_owned());
    let written = write_finalizers(&ctx.client, &connection.metadata, &wanted).await?;
    connection.metadata.finalizers = Some(wanted);
    connection.metadata.resource_version = written.metadata.resource_version;
    Ok(connection)
}

/// Takes our finalizer off the very version of the connection that `meta` is of; it may be gone already.
pub(crate) async fn remove_finalizer(
    client: &kube::Client,
    meta: &ObjectMeta,
) -> Result<(), Error> {
    let mut others = meta.finalizers.clone().unwrap_or_default();
    others.retain(|name| name != FINALIZER);
    match write_finalizers(client, meta, &others).await {
        Ok(_) => Ok(()),
        Err(Error::Kubernetes { source, .. }) if is_gone(&source) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The whole list is replaced: whoever else changes it at this moment is not overwritten, for the
/// object then has another version.
async fn write_finalizers(
    client: &kube::Client,
    meta: &ObjectMeta,
    wanted: &[String],
) -> Result<PartialObjectMeta<PostHogConnection>, Error> {
    let Identity { name, uid, .. } = Identity::of(meta)?;
    let api: Api<PostHogConnection> = Api::namespaced(client.clone(), &name.namespace);
    let operations = json!([
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": meta.resource_version},
        {"op": "add", "path": "/metadata/finalizers", "value": wanted},
    ]);
    api.patch_metadata(
        &name.name,
        &PatchParams::default(),
        &patch::json(operations)?,
    )
    .await
    .map_err(Error::api("write the connection's finalizers"))
}

fn is_gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_not_found())
}
