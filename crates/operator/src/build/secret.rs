//! The Secret that a Job owns and its pod mounts: gone with the Job.

use std::collections::BTreeMap;

use domain::ApiKey;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use secrecy::ExposeSecret;

use super::document::{DOCUMENT_FILE, KEY_FILE};

/// The Secret of the Job `name`, which has the UID `uid`.
pub(crate) fn secret(
    namespace: &str,
    name: &str,
    uid: &str,
    labels: &BTreeMap<String, String>,
    document: &str,
    key: &ApiKey,
) -> Secret {
    let data = [
        (DOCUMENT_FILE.to_owned(), document.as_bytes().to_vec()),
        (
            KEY_FILE.to_owned(),
            key.secret().expose_secret().as_bytes().to_vec(),
        ),
    ];
    Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(namespace.to_owned()),
            labels: Some(labels.clone()),
            owner_references: Some(vec![OwnerReference {
                api_version: "batch/v1".to_owned(),
                kind: "Job".to_owned(),
                name: name.to_owned(),
                uid: uid.to_owned(),
                controller: Some(true),
                block_owner_deletion: Some(false),
            }]),
            ..ObjectMeta::default()
        },
        data: Some(
            data.into_iter()
                .map(|(name, value)| (name, ByteString(value)))
                .collect(),
        ),
        immutable: Some(true),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    }
}
