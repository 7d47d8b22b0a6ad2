//! What a ServiceAccount wrote, from the API server's audit log.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use test_kubernetes::Write;

use super::cluster::Cluster;
use crate::Outcome;
use crate::figures::line;

/// For so long nothing is written before it counts as over.
const QUIET: Duration = Duration::from_secs(2);

/// The writes of one account, without those by which it leads: they come with time, not with connections.
pub(super) struct Tally(Vec<Write>);

impl Tally {
    /// Its writes so far.
    pub(super) fn of(cluster: &Cluster, account: &str) -> Outcome<Self> {
        let username = Cluster::username(account);
        let mut writes = cluster.server.writes()?;
        writes.retain(|write| {
            write.user.username == username && write.object_ref.resource != "leases"
        });
        Ok(Self(writes))
    }

    /// Waits until the account writes no more; then its writes.
    pub(super) async fn settled(cluster: &Cluster, account: &str) -> Outcome<Self> {
        let mut before = Self::of(cluster, account)?;
        loop {
            tokio::time::sleep(QUIET).await;
            let now = Self::of(cluster, account)?;
            if now.0.len() == before.0.len() {
                return Ok(now);
            }
            before = now;
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// When the last was answered.
    pub(super) fn ended_at(&self) -> Outcome<Timestamp> {
        let last = self.0.last().ok_or("nothing was written")?;
        Ok(last.at.parse()?)
    }

    /// The most status writes that one connection got.
    pub(super) fn most_status_writes(&self) -> usize {
        let mut by_connection: BTreeMap<&str, usize> = BTreeMap::new();
        let statuses = self.0.iter().filter(|write| {
            let object = &write.object_ref;
            object.resource == "posthogconnections" && object.subresource == "status"
        });
        for write in statuses {
            *by_connection
                .entry(&write.object_ref.namespace)
                .or_default() += 1;
        }
        by_connection.into_values().max().unwrap_or_default()
    }

    /// Prints how many of each kind there are.
    pub(super) fn print(&self) {
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        for write in &self.0 {
            let object = &write.object_ref;
            let slash = if object.subresource.is_empty() {
                ""
            } else {
                "/"
            };
            let (resource, part) = (&object.resource, &object.subresource);
            let refused = if write.response_status.code >= 400 {
                format!(" ({})", write.response_status.code)
            } else {
                String::new()
            };
            let kind = format!("  {} {resource}{slash}{part}{refused}", write.verb);
            *kinds.entry(kind).or_default() += 1;
        }
        for (kind, count) in kinds {
            line(&kind, &count.to_string());
        }
    }
}
