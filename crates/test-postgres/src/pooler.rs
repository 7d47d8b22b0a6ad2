//! PgBouncer before a server, pooling by transaction: each transaction may run in another session.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use test_process::{Ending, Folder, Supervised};

use crate::binaries::on_path;
use crate::{Error, Result, Server};

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(30);

const PORT: u16 = 6432;

const LOG: &str = "log";

/// A running PgBouncer.
#[derive(Debug)]
pub struct Pooler {
    folder: Folder,
    _cleaner: Supervised,
    _running: Supervised,
}

impl Pooler {
    /// Starts one before `server`. Sessions are given out in turn, so that what a transaction
    /// leaves in one is missed by the next or met by another's.
    ///
    /// # Errors
    /// [`Error::Missing`] when PgBouncer is not installed, and whatever keeps it from starting.
    pub fn start(server: &Server) -> Result<Self> {
        let program = program().ok_or(Error::Missing {
            program: "PgBouncer",
            package: "pgbouncer",
        })?;
        let folder = Folder::new_of_common_user("test-pg-")?;
        let settings = format!(
            "[databases]\n\
             * = host={} port=5432\n\
             [pgbouncer]\n\
             pool_mode = transaction\n\
             server_round_robin = 1\n\
             default_pool_size = 6\n\
             max_client_conn = 400\n\
             auth_type = trust\n\
             auth_file = users\n\
             listen_port = {PORT}\n\
             unix_socket_dir = {}\n",
            server.socket().display(),
            folder.path().display()
        );
        std::fs::write(folder.path().join("settings"), settings)?;
        std::fs::write(folder.path().join("users"), "\"postgres\" \"\"\n")?;
        let running = folder.start(&program, &["settings".to_owned()], LOG, Ending::Orderly)?;
        let pooler = Self {
            _cleaner: folder.remove_after(&[&running])?,
            folder,
            _running: running,
        };
        pooler.wait()?;
        Ok(pooler)
    }

    /// The URL of a database for the superuser.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres:///{database}?host={}&port={PORT}&user=postgres",
            self.folder.path().display()
        )
    }

    fn wait(&self) -> Result<()> {
        let socket = self.folder.path().join(format!(".s.PGSQL.{PORT}"));
        let deadline = Instant::now() + PATIENCE;
        // The file is there a moment before anybody listens.
        while UnixStream::connect(&socket).is_err() {
            if Instant::now() > deadline {
                return Err(Error::Failed {
                    program: "pgbouncer".to_owned(),
                    why: self.folder.log(LOG),
                });
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

fn program() -> Option<PathBuf> {
    let folder = on_path("pgbouncer").or_else(|| {
        // Where Debian has it, which is not on everybody's PATH.
        let folder = PathBuf::from("/usr/sbin");
        folder.join("pgbouncer").exists().then_some(folder)
    })?;
    Some(folder.join("pgbouncer"))
}
