//! One PostgreSQL server.

use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use test_process::{Ending, Folder, Supervised};

use crate::binaries::{Binaries, output};
use crate::lock::TableLock;
use crate::{Error, Result};

/// How long a server may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who may come in: the superuser without a word, everybody else by password; over TCP, if a test
/// has the server listen there, only with TLS.
const ACCESS: &str = "local all postgres trust\nlocal all all scram-sha-256\n\
    hostssl all postgres 127.0.0.1/32 trust\n";

/// The port where no setting names another.
const PORT: &str = "5432";

/// The file that the server writes to.
const LOG: &str = "log";

/// A running server whose superuser is `postgres`. Nothing it holds outlives a crash of the
/// machine: it does not wait for the disk.
#[derive(Debug)]
pub struct Server {
    binaries: Binaries,
    folder: Folder,
    settings: Vec<String>,
    running: Mutex<Option<Supervised>>,
    /// Removes the folder at last.
    _cleaner: Supervised,
}

impl Server {
    /// The server of this process, started at the first call.
    ///
    /// # Errors
    /// As [`Server::start`]; the same sentence for every caller.
    pub fn shared() -> std::result::Result<&'static Self, String> {
        static SERVER: OnceLock<std::result::Result<Server, String>> = OnceLock::new();
        SERVER
            .get_or_init(|| Self::start(&[]).map_err(|error| error.to_string()))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// Starts another server with these settings (`name=value`) beside the usual ones.
    ///
    /// # Errors
    /// [`Error::Missing`] when PostgreSQL is not installed, and whatever keeps it from starting.
    pub fn start(settings: &[&str]) -> Result<Self> {
        let binaries = Binaries::find()?;
        let folder = Folder::new_of_common_user("test-pg-")?;
        let mut init = folder.command(binaries.program("initdb"));
        init.args(["--pgdata=data", "--username=postgres", "--auth=trust"])
            .args(["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]);
        // An order of texts that is not that of their bytes, as most databases have.
        if binaries.major()? >= 15 {
            init.args(["--locale-provider=icu", "--icu-locale=en-US"]);
        }
        output(&mut init)?;
        std::fs::write(folder.path().join("data/pg_hba.conf"), ACCESS)?;
        let mut all: Vec<String> = [
            "fsync=off",
            "full_page_writes=off",
            "synchronous_commit=off",
            "listen_addresses=",
            "max_connections=300",
        ]
        .map(str::to_owned)
        .to_vec();
        all.push(format!(
            "unix_socket_directories={}",
            folder.path().display()
        ));
        all.extend(settings.iter().map(|setting| (*setting).to_owned()));
        let arguments = arguments(&all);
        let running = folder.start(
            &binaries.program("postgres"),
            &arguments,
            LOG,
            Ending::Orderly,
        )?;
        let server = Self {
            _cleaner: folder.remove_after(&[&running])?,
            binaries,
            folder,
            settings: all,
            running: Mutex::new(Some(running)),
        };
        server.wait()?;
        Ok(server)
    }

    /// The URL of a database for the superuser.
    pub fn url(&self, database: &str) -> String {
        self.url_of("postgres", "", database)
    }

    /// The URL of a database for another user.
    pub fn url_of(&self, user: &str, password: &str, database: &str) -> String {
        format!(
            "postgres:///{database}?host={}&port={}&user={user}&password={password}",
            self.folder.path().display(),
            self.port()
        )
    }

    /// The folder of the server's socket; its data lies in `data`.
    pub fn socket(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.folder.log(LOG)
    }

    /// Where the server's programs are.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// Runs SQL as the superuser and returns what it answers, a line a row.
    ///
    /// # Errors
    /// [`Error::Failed`] with what the server said.
    pub fn run(&self, database: &str, sql: &str) -> Result<String> {
        output(self.psql(database).arg(format!("--command={sql}")))
    }

    /// Locks tables of a database as the superuser, so that nobody else can even read them.
    ///
    /// # Errors
    /// [`Error::Failed`] when one is not there.
    pub fn lock_tables(&self, database: &str, tables: &[&str]) -> Result<TableLock> {
        TableLock::take(&mut self.psql(database), tables)
    }

    /// Makes a database, a copy of `template`, which nobody may be connected to.
    ///
    /// # Errors
    /// [`Error::Failed`] with what the server said.
    pub fn create_database(&self, name: &str, template: &str) -> Result<()> {
        self.run(
            "postgres",
            &format!("CREATE DATABASE \"{name}\" TEMPLATE \"{template}\""),
        )?;
        Ok(())
    }

    /// Removes a database and whoever is connected to it.
    ///
    /// # Errors
    /// [`Error::Failed`] with what the server said.
    pub fn drop_database(&self, name: &str) -> Result<()> {
        self.run(
            "postgres",
            &format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)"),
        )?;
        Ok(())
    }

    /// Stops the server until it is [resumed](Self::resume).
    pub fn stop(&self) {
        if let Some(mut running) = self.lock().take() {
            running.stop();
        }
    }

    /// Starts a stopped server again, with the same data.
    ///
    /// # Errors
    /// Whatever keeps it from starting.
    pub fn resume(&self) -> Result<()> {
        let arguments = arguments(&self.settings);
        let program = self.binaries.program("postgres");
        *self.lock() = Some(
            self.folder
                .start(&program, &arguments, LOG, Ending::Orderly)?,
        );
        self.wait()
    }

    /// A session of the superuser that ends at its first error.
    fn psql(&self, database: &str) -> Command {
        let mut psql = self.folder.command(self.binaries.program("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--username=postgres", "--set=ON_ERROR_STOP=1"])
            .arg(format!("--host={}", self.folder.path().display()))
            .arg(format!("--port={}", self.port()))
            .arg(format!("--dbname={database}"));
        psql
    }

    fn port(&self) -> &str {
        let mut named = self.settings.iter();
        named
            .find_map(|setting| setting.strip_prefix("port="))
            .unwrap_or(PORT)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Supervised>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.run("postgres", "SELECT 1") {
                Ok(_) => return Ok(()),
                Err(_) if Instant::now() < deadline => sleep(Duration::from_millis(20)),
                Err(error) => {
                    return Err(Error::Failed {
                        program: "postgres".to_owned(),
                        why: format!("{error}\n{}", self.folder.log(LOG)),
                    });
                }
            }
        }
    }
}

fn arguments(settings: &[String]) -> Vec<String> {
    let mut arguments = vec!["-D".to_owned(), "data".to_owned()];
    for setting in settings {
        arguments.push("-c".to_owned());
        arguments.push(setting.clone());
    }
    arguments
}
