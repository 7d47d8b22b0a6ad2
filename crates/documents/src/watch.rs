//! Says when files changed: in content, not in time stamps, and once for a burst of changes.
//! Folders are watched rather than files, so that editors that replace a file and the symlink
//! swap of a mounted ConfigMap or Secret are seen.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use sha2::{Digest, Sha256};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::input::files_of;

/// How long nothing must happen before files are looked at: an editor's save takes several steps.
const QUIET: Duration = Duration::from_millis(150);
/// The longest that a burst of changes is waited out.
const BURST: Duration = Duration::from_secs(2);
/// How often files are looked at without being told: network file systems tell nothing, nor does
/// a symlink whose target changes in another folder.
const LOOK: Duration = Duration::from_secs(5);

/// Waits for changes. Dropping it ends the watch.
pub struct Watcher {
    changes: mpsc::Receiver<()>,
    task: JoinHandle<()>,
    // Kept alive for its notifications; absent where the system gives none.
    _notifications: Option<RecommendedWatcher>,
}

/// Watches files and folders for what differs from their content now. Must be called within a
/// tokio runtime.
pub fn watch(paths: Vec<PathBuf>) -> Watcher {
    let now = Fingerprint::of(&paths);
    Watcher::start(paths, now)
}

impl Watcher {
    /// Waits until content has changed. Changes that come before the next call are one change.
    pub async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            // The task ends only with this watcher or with the runtime.
            std::future::pending::<()>().await;
        }
    }

    pub(crate) fn start(paths: Vec<PathBuf>, baseline: Fingerprint) -> Self {
        let wake = Arc::new(Notify::new());
        let notifications = notifications(&paths, &wake)
            .inspect_err(|error| {
                tracing::warn!(%error, "The system does not tell of changed files; they are looked at every few seconds.");
            })
            .ok();
        let (changed, changes) = mpsc::channel(1);
        let task = tokio::spawn(look(paths, baseline, wake, changed));
        Self {
            changes,
            task,
            _notifications: notifications,
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn notifications(paths: &[PathBuf], wake: &Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    let wake = Arc::clone(wake);
    let mut watcher = notify::recommended_watcher(move |_| wake.notify_one())?;
    for folder in folders(paths) {
        watcher.watch(&folder, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}

/// The folders in which a change can matter: each file's own, and the one its symlink leads to.
fn folders(paths: &[PathBuf]) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::new();
    for path in paths {
        if path.is_dir() {
            folders.insert(path.clone());
        }
        for file in [Some(path.clone()), path.canonicalize().ok()]
            .into_iter()
            .flatten()
        {
            let parent = match file.parent() {
                Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
                Some(parent) => parent,
                None => continue,
            };
            if parent.is_dir() {
                folders.insert(parent.to_owned());
            }
        }
    }
    folders
}

async fn look(
    paths: Vec<PathBuf>,
    mut known: Fingerprint,
    wake: Arc<Notify>,
    changed: mpsc::Sender<()>,
) {
    // What changed before the watch began is told at once.
    let mut next = Duration::ZERO;
    loop {
        tokio::select! {
            () = wake.notified() => quiet(&wake).await,
            () = sleep(next) => {}
        }
        next = LOOK;
        let looked_at = paths.clone();
        let Ok(now) = tokio::task::spawn_blocking(move || Fingerprint::of(&looked_at)).await else {
            return;
        };
        if now != known {
            known = now;
            if let Err(mpsc::error::TrySendError::Closed(())) = changed.try_send(()) {
                return;
            }
        }
    }
}

async fn quiet(wake: &Notify) {
    let end = Instant::now() + BURST;
    while Instant::now() < end && timeout(QUIET, wake.notified()).await.is_ok() {}
}

/// The content of files, so that a touched but unchanged file is no change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fingerprint(BTreeMap<PathBuf, Option<[u8; 32]>>);

impl Fingerprint {
    pub(crate) fn of(paths: &[PathBuf]) -> Self {
        let mut all = Self::default();
        all.add(paths);
        all
    }

    /// Takes in more files, where they are not known yet.
    pub(crate) fn add(&mut self, paths: &[PathBuf]) {
        for path in paths {
            for file in files_of(path).unwrap_or_default() {
                self.0.entry(file).or_insert_with_key(|file| content(file));
            }
        }
    }
}

/// A file that cannot be read, or that is a pipe and would be used up by reading, has no content.
fn content(file: &Path) -> Option<[u8; 32]> {
    if !file.is_file() {
        return None;
    }
    let bytes = std::fs::read(file).ok()?;
    Some(Sha256::digest(bytes).into())
}
