//! A home folder of a test's own: its files, its database, and the programs started in it.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::program::Program;

/// A folder that is gone after the test.
pub(crate) struct Home {
    folder: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        for name in ["home", "files", "output"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder }
    }

    /// What the program takes for the user's home folder.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Writes a file beside the home folder, at once: whoever watches it sees the old or the new text.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join("files").join(name);
        let unfinished = self.folder.path().join("output").join(name);
        std::fs::write(&unfinished, text).unwrap();
        std::fs::rename(&unfinished, &path).unwrap();
        path
    }

    /// Where the tests keep rows.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("files").join("store.db")
    }

    /// [`Home::database`] as `--database-url` takes it.
    pub(crate) fn database_url(&self) -> String {
        format!("sqlite://{}", self.database().display())
    }

    /// The binary with these arguments, not started yet.
    pub(crate) fn program(&self, arguments: &[&str]) -> Program {
        Program::new(&self.path(), &self.folder.path().join("output"), arguments)
    }

    /// `sync` of the connections in `document` into [`Home::database`].
    pub(crate) fn sync(&self, document: &Path, mode: &str) -> Program {
        self.program(&[
            "sync",
            "--mode",
            mode,
            "--database-url",
            &self.database_url(),
        ])
        .reaching_loopback()
        .documents(document)
    }

    /// `up` with the connections in `document` on [`Home::database`], and where it serves gRPC
    /// and the admin endpoints.
    pub(crate) fn up(&self, document: &Path) -> (Program, Listening) {
        let listening = Listening::free();
        let program = self
            .program(&["up", "--database-url", &self.database_url()])
            .reaching_loopback()
            .documents(document)
            .listening(listening);
        (program, listening)
    }

    /// `serve` on [`Home::database`], and where it listens.
    pub(crate) fn serve(&self) -> (Program, Listening) {
        self.serve_from(&self.database_url())
    }

    /// `serve` on this database, and where it listens.
    pub(crate) fn serve_from(&self, database_url: &str) -> (Program, Listening) {
        let listening = Listening::free();
        let program = self
            .program(&["serve"])
            .variable("ORDINARY_POSTHOG_DATABASE_URL", database_url)
            .listening(listening);
        (program, listening)
    }
}

/// Where a program listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listening {
    pub(crate) grpc: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Listening {
    /// Two loopback ports that nobody listened on a moment ago.
    pub(crate) fn free() -> Self {
        let both = [free_listener(), free_listener()];
        let [grpc, admin] = both.map(|listener| listener.local_addr().unwrap());
        Self { grpc, admin }
    }
}

/// A loopback address that nobody listened on a moment ago.
pub(crate) fn free_address() -> SocketAddr {
    free_listener().local_addr().unwrap()
}

fn free_listener() -> TcpListener {
    TcpListener::bind(("127.0.0.1", 0)).unwrap()
}
