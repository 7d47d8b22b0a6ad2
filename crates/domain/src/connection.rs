//! What a connection is called and which rows are its own.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::host::ApiHost;

/// `namespace/name` of a `PostHogConnection`, as Kubernetes writes them (DNS labels).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConnectionName {
    /// The Kubernetes namespace: the workspace that owns the connection.
    pub namespace: String,
    /// The object's name within it.
    pub name: String,
}

impl ConnectionName {
    /// Both parts as they stand; Kubernetes or the file reader has checked their form.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// The resource name of the gRPC API: `namespaces/{namespace}/connections/{name}`.
    pub fn resource_name(&self) -> String {
        format!("namespaces/{}/connections/{}", self.namespace, self.name)
    }
}

impl std::fmt::Display for ConnectionName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A PostHog project's number, 1 or more. Unique only within one PostHog deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct ProjectId(i64);

/// A project id that PostHog cannot have issued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "projectId must be a whole number of 1 or more, not {0}: copy it from PostHog's project settings"
)]
pub struct InvalidProjectId(pub i64);

impl ProjectId {
    /// The number itself.
    pub fn get(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for ProjectId {
    type Error = InvalidProjectId;

    fn try_from(value: i64) -> Result<Self, Self::Error> {
        if value >= 1 {
            Ok(Self(value))
        } else {
            Err(InvalidProjectId(value))
        }
    }
}

impl From<ProjectId> for i64 {
    fn from(value: ProjectId) -> Self {
        value.0
    }
}

impl std::fmt::Display for ProjectId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// One body of data in PostHog: an API host and a project on it. A new key never starts
/// another epoch; another host or project always does.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Epoch {
    /// The host after mapping ingestion hosts to API hosts.
    pub host: ApiHost,
    /// The project on that host.
    pub project_id: ProjectId,
}

/// Whose rows these are: UUIDv5 of the connection's name and its epoch, so that a restored
/// or recreated connection finds its rows again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConnectionId(pub Uuid);

/// The UUIDv5 namespace of every [`ConnectionId`]; changing it orphans all stored rows.
const CONNECTION_IDS: Uuid = Uuid::from_u128(0x6f72_6469_6e61_7279_2d70_6f73_7468_6f67);

impl ConnectionId {
    /// The id of `name`'s rows in `epoch`: the same today and after a restore.
    pub fn of(name: &ConnectionName, epoch: &Epoch) -> Self {
        let text = format!("{name}\n{}\n{}", epoch.host, epoch.project_id);
        Self(Uuid::new_v5(&CONNECTION_IDS, text.as_bytes()))
    }
}

impl std::fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests;
