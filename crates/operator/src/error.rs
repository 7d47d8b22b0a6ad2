//! Why a reconciliation did not end: one enum from error to event reason to metric label.

use domain::storage::StoreError;

/// Why a reconciliation did not end. It is tried again with growing pauses.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
pub enum Error {
    /// The API server refuses or does not answer.
    #[error("the API server did not {what}: {}", describe(source))]
    Kubernetes {
        /// What was asked of it, as an infinitive: "create the Job".
        what: &'static str,
        /// What it said.
        source: Box<kube::Error>,
    },
    /// Neither `KUBECONFIG` nor a pod's ServiceAccount says where the cluster is.
    #[error(
        "there is no cluster to work in: set KUBECONFIG, or run in a pod with a ServiceAccount token ({0})"
    )]
    NoCluster(String),
    /// Another replica leads, or may lead by now: whoever goes on would work beside it.
    #[error("leadership is lost: another replica goes on")]
    LeadershipLost,
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An object without a name or namespace, which an API server never sends.
    #[error("an object has no {0}")]
    Incomplete(&'static str),
    /// Something of ours cannot be written as YAML or JSON.
    #[error("the {what} cannot be written: {reason}")]
    Unwritable {
        /// What.
        what: &'static str,
        /// Why.
        reason: String,
    },
}

impl Error {
    /// The variant's name: event reason and metric label.
    pub fn reason(&self) -> &'static str {
        self.into()
    }

    /// For `map_err`: the API server did not do `what`.
    pub(crate) fn api(what: &'static str) -> impl FnOnce(kube::Error) -> Self {
        move |source| Self::Kubernetes {
            what,
            source: Box::new(source),
        }
    }
}

/// The API server's own words, without the debug text that kube adds.
pub(crate) fn describe(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        other => other.to_string(),
    }
}
