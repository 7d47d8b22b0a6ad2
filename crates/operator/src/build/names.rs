//! Names and labels of Jobs, which fit the 63 bytes of a label.

use std::collections::BTreeMap;

use domain::ConnectionName;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::annotations::{FIELD_MANAGER, labels};
use crate::identity::Identity;
use crate::jobs::{RunJob, RunKind};
use crate::schedule::Tick;

/// The most bytes of a label's value, and of a Job's name that its pods carry as a label.
const LONGEST: usize = 63;
/// So much of the UID keeps the names of two connections apart that were called the same.
const OF_UID: usize = 8;

/// The Job's name: the same for the same connection, kind and tick.
pub(crate) fn job_name(identity: &Identity, kind: RunKind, tick: &Tick) -> String {
    let uid: String = identity.uid.chars().take(OF_UID).collect();
    fitted(&identity.name, &format!("-{uid}-{kind}-{tick}"))
}

/// The name of the Job that purges: one connection has one.
pub(crate) fn purge_job_name(connection: &ConnectionName) -> String {
    let uid = stand_in_uid(connection);
    fitted(
        connection,
        &format!("-{}-{}", &uid[..OF_UID], RunKind::Purge),
    )
}

/// The connection's name, cut so that it fits before `end`.
fn fitted(connection: &ConnectionName, end: &str) -> String {
    // A dot is allowed in the connection's name, but not in a pod's host name.
    let name = connection.name.replace('.', "-");
    let room = LONGEST.saturating_sub(end.len());
    let start: String = name.chars().take(room).collect();
    format!("{}{end}", start.trim_end_matches('-'))
}

/// A purged connection's UID went with it; this one stands for the name.
fn stand_in_uid(connection: &ConnectionName) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, connection.to_string().as_bytes()).to_string()
}

/// The labels of a Job, its pods and its Secret.
pub(crate) fn labels(
    identity: &Identity,
    kind: RunKind,
    tick: &Tick,
    fingerprint: &str,
) -> BTreeMap<String, String> {
    written(identity, kind, tick.to_string(), fingerprint)
}

/// The labels that a Job of this connection has.
pub(crate) fn labels_of(identity: &Identity, job: &RunJob) -> BTreeMap<String, String> {
    written(identity, job.kind, job.tick.clone(), &job.fingerprint)
}

/// The labels of the Job that purges, and of its pods.
pub(crate) fn purge_labels(connection: &ConnectionName) -> BTreeMap<String, String> {
    let uid = stand_in_uid(connection);
    of_connection(connection, uid, RunKind::Purge, "0".to_owned()).into()
}

fn written(
    identity: &Identity,
    kind: RunKind,
    tick: String,
    fingerprint: &str,
) -> BTreeMap<String, String> {
    let mut labels: BTreeMap<_, _> =
        of_connection(&identity.name, identity.uid.clone(), kind, tick).into();
    labels.insert(labels::FINGERPRINT.to_owned(), fingerprint.to_owned());
    labels
}

fn of_connection(
    connection: &ConnectionName,
    uid: String,
    kind: RunKind,
    tick: String,
) -> [(String, String); 8] {
    [
        (labels::NAME, FIELD_MANAGER.to_owned()),
        (labels::COMPONENT, "sync".to_owned()),
        (labels::MANAGED_BY, FIELD_MANAGER.to_owned()),
        (labels::CONNECTION_NAMESPACE, connection.namespace.clone()),
        (labels::CONNECTION_NAME, label_value(connection)),
        (labels::CONNECTION_UID, uid),
        (labels::KIND, kind.to_string()),
        (labels::TICK, tick),
    ]
    .map(|(name, value)| (name.to_owned(), value))
}

/// The connection's name; one longer than a label may be is cut, with a hash of the whole.
fn label_value(connection: &ConnectionName) -> String {
    let name = &connection.name;
    if name.len() <= LONGEST {
        return name.clone();
    }
    let hash = Sha256::digest(name.as_bytes());
    let hash: String = hash
        .iter()
        .take(5)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let start: String = name.chars().take(LONGEST - 1 - hash.len()).collect();
    format!("{start}-{hash}")
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn identity(name: &str) -> Identity {
        Identity {
            name: ConnectionName::new("acme", name),
            uid: "0d9f3c1e-1111-4222-8333-444455556666".to_owned(),
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_name_tells_the_connection_the_kind_and_the_tick() {
        let name = job_name(
            &identity("storefront"),
            RunKind::Backfill,
            &Tick::Generation(1),
        );
        assert_eq!(name, "storefront-0d9f3c1e-backfill-g1");
    }

    proptest! {
        #[test]
        fn every_name_and_label_is_one_that_kubernetes_takes(
            name in "[a-z0-9]([-a-z0-9.]{0,250}[a-z0-9])?",
            second in 0_i64..100_000_000_000,
            request in ".{0,50}",
        ) {
            for tick in [
                Tick::At(Timestamp::from_second(second).unwrap()),
                Tick::Generation(second),
                Tick::Request(request),
            ] {
                let identity = identity(&name);
                let job = job_name(&identity, RunKind::Backfill, &tick);
                prop_assert!(crd::is_dns_label(&job), "{}", job);
                for (key, value) in labels(&identity, RunKind::Refresh, &tick, "0011223344556677") {
                    prop_assert!(value.len() <= LONGEST, "{} {}", key, value);
                    prop_assert!(value.ends_with(|c: char| c.is_ascii_alphanumeric()), "{}", value);
                }
            }
        }
    }
}
