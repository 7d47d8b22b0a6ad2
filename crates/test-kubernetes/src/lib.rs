//! A real Kubernetes for tests and benchmarks: etcd, kube-apiserver and kube-controller-manager,
//! one of each for a process, in a folder of their own. Schemas, CEL, RBAC, Jobs, garbage
//! collection, quotas and tokens are what they are in any cluster; pods are made but run nowhere,
//! for there is no node. All is gone with the process that started it, whether that ends, panics
//! or is killed.

mod access;
mod account;
mod audit;
mod binaries;
mod certificates;
mod kubelet;
mod lagging;
mod mortal;
mod objects;
mod port;
mod server;

pub use self::audit::{Answer, Object, User, Write};
pub use self::binaries::Binaries;
pub use self::kubelet::{Kubelet, Started};
pub use self::mortal::{Death, Dying, Mortal};
pub use self::server::Server;

/// Why there is no cluster, or a test cannot be let in.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The environment names a folder that is none of Kubernetes' programs.
    #[error(
        "KUBEBUILDER_ASSETS names {}, which lacks kube-apiserver or etcd: correct it, or unset it to have them built",
        folder.display()
    )]
    Assets {
        /// The folder.
        folder: std::path::PathBuf,
    },
    /// A program could not be run, or failed.
    #[error("{program} failed: {why}")]
    Failed {
        /// The program.
        program: String,
        /// What it said.
        why: String,
    },
    /// A file could not be written, or a port not be had.
    #[error("a folder for Kubernetes cannot be prepared: {0}")]
    Files(#[from] std::io::Error),
    /// No certificate could be made.
    #[error("no certificate for the API server can be made: {0}")]
    Certificates(#[from] rcgen::Error),
    /// The API server refused, or did not answer.
    #[error("the API server was asked in vain: {0}")]
    Refused(#[from] Box<kube::Error>),
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        Self::Refused(Box::new(error))
    }
}

/// A cluster, or why there is none.
pub type Result<T> = std::result::Result<T, Error>;
