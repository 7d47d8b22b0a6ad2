//! The API key in a tenant's Secret: read by name when it is needed, never watched.

use crd::{ApiKeySecretRef, quoted, reasons};
use domain::{ApiKey, ApiKeyError};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use secrecy::SecretString;

use crate::context::Context;
use crate::error::Error;

/// A key as it was read.
#[derive(Debug, Clone)]
pub(crate) struct ReadKey {
    /// The key.
    pub(crate) key: ApiKey,
    /// The version of the Secret that it was read from.
    pub(crate) version: String,
    /// Whether there was white space around it.
    pub(crate) was_trimmed: bool,
}

/// Why there is no key. Each message is one sentence with the fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyProblem {
    /// There is no such Secret.
    #[error(
        "The Secret {name} is not in the namespace {namespace}: create it there with the API key under {key}"
    )]
    SecretNotFound {
        /// Where it was looked for.
        namespace: String,
        /// Its name.
        name: String,
        /// The entry that it should have.
        key: String,
    },
    /// The operator may not read it.
    #[error(
        "The operator may not read the Secret {name} in the namespace {namespace}: give its ServiceAccount the verb get on secrets there ({said})"
    )]
    SecretForbidden {
        /// Where it is.
        namespace: String,
        /// Its name.
        name: String,
        /// What the API server said.
        said: String,
    },
    /// The Secret has no such entry.
    #[error("The Secret {name} has no key {key}{}: add it, or name another in spec.apiKeySecretRef.key", has(.present))]
    SecretKeyNotFound {
        /// Its name.
        name: String,
        /// The entry that was looked for.
        key: String,
        /// The entries that it has.
        present: Vec<String>,
    },
    /// What stands there is not a personal API key.
    #[error("The Secret {name}, key {key}: {problem}")]
    WrongKindOfKey {
        /// The Secret's name.
        name: String,
        /// The entry.
        key: String,
        /// What it is instead.
        problem: ApiKeyError,
    },
}

impl KeyProblem {
    /// The condition's reason.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::SecretNotFound { .. } => reasons::SECRET_NOT_FOUND,
            Self::SecretForbidden { .. } => reasons::SECRET_FORBIDDEN,
            Self::SecretKeyNotFound { .. } => reasons::SECRET_KEY_NOT_FOUND,
            Self::WrongKindOfKey { .. } => reasons::WRONG_KIND_OF_KEY,
        }
    }
}

/// Reads the key that `reference` names in `namespace`.
///
/// # Errors
/// When the API server does not answer; that there is no key is an answer.
pub(crate) async fn read(
    ctx: &Context,
    namespace: &str,
    reference: &ApiKeySecretRef,
) -> Result<Result<ReadKey, KeyProblem>, Error> {
    let api: Api<Secret> = Api::namespaced(ctx.client.clone(), namespace);
    match api.get_opt(&reference.name).await {
        Ok(Some(secret)) => Ok(take(&secret, reference)),
        Ok(None) => Ok(Err(KeyProblem::SecretNotFound {
            namespace: namespace.to_owned(),
            name: reference.name.clone(),
            key: reference.key.clone(),
        })),
        Err(kube::Error::Api(status)) if status.is_forbidden() => {
            Ok(Err(KeyProblem::SecretForbidden {
                namespace: namespace.to_owned(),
                name: reference.name.clone(),
                said: status.message.clone(),
            }))
        }
        Err(error) => Err(Error::api("read the Secret")(error)),
    }
}

fn take(secret: &Secret, reference: &ApiKeySecretRef) -> Result<ReadKey, KeyProblem> {
    let data = secret.data.as_ref();
    let Some(value) = data.and_then(|data| data.get(&reference.key)) else {
        return Err(KeyProblem::SecretKeyNotFound {
            name: reference.name.clone(),
            key: reference.key.clone(),
            present: data
                .into_iter()
                .flatten()
                .map(|(key, _)| key.clone())
                .collect(),
        });
    };
    let wrong = |problem| KeyProblem::WrongKindOfKey {
        name: reference.name.clone(),
        key: reference.key.clone(),
        problem,
    };
    let text = String::from_utf8(value.0.clone()).map_err(|_| wrong(ApiKeyError::Unknown))?;
    let (key, was_trimmed) = ApiKey::parse(&SecretString::from(text)).map_err(wrong)?;
    Ok(ReadKey {
        key,
        version: secret.metadata.resource_version.clone().unwrap_or_default(),
        was_trimmed,
    })
}

fn has(present: &[String]) -> String {
    if present.is_empty() {
        return ", it is empty".to_owned();
    }
    let shown: Vec<String> = present.iter().map(|key| quoted(key)).collect();
    format!(", only {}", shown.join(", "))
}
