//! The real program, as a Job runs it: a process of its own, whose time and peak memory are taken
//! from outside.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::process::{Child, Command};

use crate::Outcome;
use crate::stand_in::StandIn;

/// How often a running process is asked for its peak memory; the last moments may be missed.
const EVERY: Duration = Duration::from_millis(20);
/// How long a server may take to begin.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program, built.
pub(crate) struct Program(PathBuf);

/// What one run of `sync` was seen to do.
pub(crate) struct Synced {
    /// From its start to its end as a process.
    pub(crate) time: Duration,
    /// The most memory that it held at once, in bytes.
    pub(crate) peak: u64,
    /// What it said of itself.
    pub(crate) summary: Summary,
}

/// What one run of `sync` was seen to do, and what it said of itself.
pub(crate) struct Ran {
    /// From its start to its end as a process.
    pub(crate) time: Duration,
    /// The most memory that it held at once, in bytes.
    pub(crate) peak: u64,
    /// Its summary, as JSON.
    pub(crate) said: String,
}

/// The parts of its summary that are looked at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    pub(crate) events_stored: u64,
    pub(crate) requests: u64,
    pub(crate) bytes_received: u64,
    pub(crate) completeness: Completeness,
}

/// What its recount found.
#[derive(Debug, Deserialize)]
pub(crate) struct Completeness {
    pub(crate) pending: usize,
    pub(crate) mismatch: usize,
}

impl Program {
    /// Builds it, next to this program.
    pub(crate) fn build() -> Outcome<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = std::process::Command::new(cargo)
            .args(["build", "--release", "--package", "ordinary-posthog"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()?;
        if !built.success() {
            return Err("the program could not be built".into());
        }
        let path = std::env::current_exe()?.with_file_name("ordinary-posthog");
        if !path.exists() {
            let path = path.display();
            return Err(format!(
                "there is no {path}: run this with `cargo run --release -p bench`"
            )
            .into());
        }
        Ok(Self(path))
    }

    /// A whole backfill of a stand-in's shop into a database.
    pub(crate) async fn sync(
        &self,
        stand_in: &StandIn,
        database: &str,
        folder: &Path,
    ) -> Outcome<Synced> {
        let Ran { time, peak, said } = self
            .run(&stand_in.url(), database, folder, "backfill")
            .await?;
        let summary: Summary = serde_json::from_str(&said)
            .map_err(|error| format!("`sync` said {said:?}: {error}"))?;
        let (stored, expected) = (summary.events_stored, stand_in.shop().events() as u64);
        let Completeness { pending, mismatch } = summary.completeness;
        if (stored, pending, mismatch) != (expected, 0, 0) {
            return Err(format!(
                "{stored} events were stored of {expected}; days that differ: {}",
                pending + mismatch
            )
            .into());
        }
        Ok(Synced {
            time,
            peak,
            summary,
        })
    }

    /// One run of `sync` of the connection to what listens at this URL.
    pub(crate) async fn run(
        &self,
        url: &str,
        database: &str,
        folder: &Path,
        mode: &str,
    ) -> Outcome<Ran> {
        let documents = folder.join("connection.yaml");
        std::fs::write(&documents, connection(url))?;
        let begun = Instant::now();
        let mut child = self
            .command(folder)
            .args(["sync", "--mode", mode, "--allow-insecure-host", "127.0.0.1"])
            .args(["--database-url", database, "--file"])
            .arg(&documents)
            .stdout(Stdio::piped())
            .spawn()?;
        let status = format!("/proc/{}/status", child.id().unwrap_or(0));
        let mut peak = 0;
        while child.try_wait()?.is_none() {
            peak = peak.max(peak_of(&status));
            tokio::time::sleep(EVERY).await;
        }
        let time = begun.elapsed();
        let ended = child.wait_with_output().await?;
        let said = String::from_utf8(ended.stdout)?;
        if !ended.status.success() {
            return Err(format!("`sync` ended with {} and said {said:?}", ended.status).into());
        }
        Ok(Ran { time, peak, said })
    }

    /// A gRPC server on a database, and its URL; it ends when dropped.
    pub(crate) async fn serve(&self, database: &str, folder: &Path) -> Outcome<(Child, String)> {
        let address = free_address()?;
        let child = self
            .command(folder)
            .args(["serve", "--database-url", database])
            .args(["--grpc-addr", &address, "--admin-addr", &free_address()?])
            .spawn()?;
        let deadline = Instant::now() + PATIENCE;
        while tokio::net::TcpStream::connect(&address).await.is_err() {
            if Instant::now() > deadline {
                return Err("`serve` did not begin to listen".into());
            }
            tokio::time::sleep(EVERY).await;
        }
        Ok((child, format!("http://{address}")))
    }

    /// The program in an empty environment, to be given arguments; it is killed when dropped.
    pub(crate) fn command(&self, home: &Path) -> Command {
        let mut command = Command::new(&self.0);
        command
            .env_clear()
            .env("HOME", home)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        command
    }
}

/// Nobody else asks for a port of the system's choice between now and its use.
pub(crate) fn free_address() -> Outcome<String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    Ok(listener.local_addr()?.to_string())
}

/// `VmHWM` of a process; 0 when it has just ended.
fn peak_of(status: &str) -> u64 {
    let status = std::fs::read_to_string(status).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
    kilobytes.unwrap_or(0) * 1024
}

fn connection(url: &str) -> String {
    format!(
        "apiVersion: v1
kind: Secret
metadata: {{name: posthog, namespace: bench}}
stringData: {{apiKey: phx_bench}}
---
apiVersion: integrations.ordinary.dev/v1alpha1
kind: PostHogConnection
metadata: {{name: shop, namespace: bench}}
spec:
  host: {url}
  projectId: 1
  apiKeySecretRef: {{name: posthog, key: apiKey}}
"
    )
}
