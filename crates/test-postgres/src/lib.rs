//! A real PostgreSQL server for tests and benchmarks, from the binaries of the system's packages:
//! one for a process, in a folder of its own, on a Unix socket, as a user that is not root. It is
//! gone with the process that started it, whether that ends, panics or is killed.

mod binaries;
mod lock;
mod pooler;
mod server;

pub use self::binaries::Binaries;
pub use self::lock::TableLock;
pub use self::pooler::Pooler;
pub use self::server::Server;

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No binaries were found.
    #[error(
        "there is no {program} on this machine, and these tests need a real one: apt-get install {package}"
    )]
    Missing {
        /// The program looked for.
        program: &'static str,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// A program could not be run, or failed.
    #[error("{program} failed: {why}")]
    Failed {
        /// The program.
        program: String,
        /// What it said.
        why: String,
    },
    /// A file could not be written.
    #[error("a folder for PostgreSQL cannot be prepared: {0}")]
    Files(#[from] std::io::Error),
}

/// A server, or why there is none.
pub type Result<T> = std::result::Result<T, Error>;
