//! The operator as a process, and what it uses.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::Child;

use super::cluster::{Cluster, OPERATOR, OWN};
use crate::Outcome;
use crate::program::{Program, free_address};
use crate::worked::worked;

/// How long it may take to be ready.
const PATIENCE: Duration = Duration::from_secs(120);
/// From one look to the next.
const EVERY: Duration = Duration::from_millis(20);

/// What an operator is started with.
pub(super) struct Installed<'a> {
    pub(super) program: &'a Program,
    pub(super) cluster: &'a Cluster,
    pub(super) database: &'a str,
    pub(super) folder: &'a Path,
    pub(super) max_concurrent_syncs: usize,
}

/// A running operator; killed when dropped.
pub(super) struct Operator {
    child: Child,
    begun: Instant,
    address: String,
    log: PathBuf,
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    /// Of one core.
    pub(super) time: Duration,
    /// In bytes, now.
    pub(super) memory: u64,
    /// In bytes, at most.
    pub(super) peak: u64,
}

impl Operator {
    /// Starts it. A killed one's successor leads at once, for it has the same name, as a container that
    /// starts again in its pod has.
    pub(super) async fn start(installed: &Installed<'_>) -> Outcome<Self> {
        let folder = installed.folder;
        let config = folder.join("operator.yaml");
        let places = installed.max_concurrent_syncs;
        std::fs::write(
            &config,
            format!(
                "namespace: {OWN}
maxConcurrentSyncs: {places}
allowInsecureHosts: [127.0.0.1]
job:
  image: registry.invalid/ordinary-posthog:bench
  database: {{name: database, key: url}}
  resources: {{requests: {{cpu: 100m, memory: 64Mi}}, limits: {{memory: 256Mi}}}}
"
            ),
        )?;
        let kubeconfig = installed.cluster.kubeconfig(OPERATOR, folder).await?;
        let address = free_address()?;
        let log = folder.join("operator.log");
        let output = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&log)?;
        let begun = Instant::now();
        let child = installed
            .program
            .command(folder)
            .args(["operator", "--admin-addr", &address, "--config"])
            .arg(&config)
            .args(["--database-url", installed.database])
            .env("KUBECONFIG", kubeconfig)
            .env("POD_NAME", "operator-0")
            .stderr(Stdio::from(output))
            .spawn()?;
        Ok(Self {
            child,
            begun,
            address,
            log,
        })
    }

    /// Waits until it is ready: how long that took since its start.
    pub(super) async fn ready(&self) -> Outcome<Duration> {
        loop {
            let answer = reqwest::get(format!("http://{}/readyz", self.address)).await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(self.begun.elapsed());
            }
            if self.begun.elapsed() > PATIENCE {
                return Err(format!("the operator does not get ready:\n{}", self.said()).into());
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Waits until it has reconciled so often since its start: how long that took.
    pub(super) async fn reconciled(&self, times: u64) -> Outcome<Duration> {
        loop {
            if self.reconciliations().await? >= times {
                return Ok(self.begun.elapsed());
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// How often it has reconciled since its start.
    pub(super) async fn reconciliations(&self) -> Outcome<u64> {
        let url = format!("http://{}/metrics", self.address);
        let text = reqwest::get(url).await?.error_for_status()?.text().await?;
        let counts = text
            .lines()
            .filter(|line| line.starts_with("controller_runtime_reconcile_total{"))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        Ok(counts.sum())
    }

    /// What it has used so far.
    pub(super) fn usage(&self) -> Outcome<Usage> {
        let process = self.child.id().unwrap_or_default();
        let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kilobytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
            Some(kilobytes * 1024)
        };
        Ok(Usage {
            time: worked(process)?,
            memory: bytes("VmRSS:").ok_or("there is no VmRSS")?,
            peak: bytes("VmHWM:").ok_or("there is no VmHWM")?,
        })
    }

    /// Kills it and waits until it is gone.
    pub(super) async fn kill(mut self) -> Outcome<()> {
        Ok(self.child.kill().await?)
    }

    /// The end of its log.
    pub(super) fn said(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}
