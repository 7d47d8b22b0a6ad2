//! Who wrote what, from the API server's own audit log: what a client says of itself proves less.

use std::io;
use std::path::Path;

use serde::Deserialize;

use crate::{Result, Server};

/// The file in the server's folder.
const LOG: &str = "audit.log";
/// The file that says what is logged: every answered write but those of the admin, of Kubernetes' own
/// controllers, and of the API server to itself.
const POLICY: &str = "audit-policy.yaml";
const POLICY_TEXT: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  userGroups: [\"system:masters\", \"system:serviceaccounts:kube-system\"]
- level: Metadata
  verbs: [create, update, patch, delete, deletecollection]
- level: None
";

/// An answered request that changes something, or tried to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Write {
    /// When it was answered, in RFC 3339 with microseconds.
    #[serde(rename = "stageTimestamp")]
    pub at: String,
    /// `create`, `update`, `patch`, `delete` or `deletecollection`.
    pub verb: String,
    /// Who.
    pub user: User,
    /// What.
    pub object_ref: Object,
    /// The answer.
    pub response_status: Answer,
}

/// Who wrote.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct User {
    /// Such as `system:serviceaccount:NAMESPACE:NAME`.
    pub username: String,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Object {
    /// In the plural, such as `jobs`.
    pub resource: String,
    /// Its namespace; empty where it has none.
    #[serde(default)]
    pub namespace: String,
    /// Its name; empty where the API server was to choose one, or many were meant.
    #[serde(default)]
    pub name: String,
    /// Such as `status`; empty for the object itself.
    #[serde(default)]
    pub subresource: String,
}

/// How it was answered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Answer {
    /// HTTP's status.
    #[serde(default)]
    pub code: u16,
}

/// The arguments by which the API server logs writes.
pub(crate) fn arguments(folder: &Path) -> io::Result<[String; 2]> {
    std::fs::write(folder.join(POLICY), POLICY_TEXT)?;
    Ok([
        format!("--audit-policy-file={POLICY}"),
        format!("--audit-log-path={LOG}"),
    ])
}

impl Server {
    /// Every write so far of whoever is neither the admin nor a controller of Kubernetes itself, oldest
    /// first. Of a server from [`Server::start_audited`]; of others none is known.
    ///
    /// # Errors
    /// [`crate::Error::Files`] when the log holds what is no such line.
    pub fn writes(&self) -> Result<Vec<Write>> {
        let log = self.folder.log(LOG);
        let whole = log.lines().filter(|line| line.ends_with('}'));
        let read = |line| serde_json::from_str(line).map_err(|error| io::Error::from(error).into());
        whole.map(read).collect()
    }
}
