//! Who holds leases. A killed process leaves leases and places in budgets behind for a minute; where rows
//! are kept in a file, the next one need not wait: a lock that dies with its owner says that it is dead.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::storage::Store;
use store::DatabaseUrl;
use uuid::Uuid;

use crate::exit::Failure;

/// The name by which this process holds leases: no other has it, before or after.
#[derive(Debug)]
pub(crate) struct Holder {
    name: Arc<str>,
    /// Locked for as long as this process lives, if no other has locked it.
    _lock: Option<File>,
}

impl Holder {
    /// A holder of leases in `store`, which `url` names; gives back what the last one left behind, if
    /// that is certainly dead.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn new(url: &str, store: &dyn Store) -> Result<Self, Failure> {
        let name = Uuid::now_v7().to_string();
        let lock = match url.parse() {
            // Without the lock nothing is wrong: a dead process's leases then end by themselves.
            Ok(DatabaseUrl::Sqlite(path)) => lock(&beside(&path)).ok(),
            _ => None,
        };
        if let Some(mut file) = lock.as_ref() {
            let mut last = String::new();
            let is_named = file.read_to_string(&mut last).is_ok() && !last.is_empty();
            if is_named && store.release_all_of(&last).await? > 0 {
                tracing::info!(
                    "The last process on this database was killed; going on in its place."
                );
            }
            if let Err(error) = write_name(file, &name) {
                tracing::debug!(%error, "should this process be killed, the next one waits for its leases to end");
            }
        }
        Ok(Self {
            name: name.into(),
            _lock: lock,
        })
    }

    /// The name.
    pub(crate) fn name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }
}

fn beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-holder");
    name.into()
}

fn lock(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let file = options.open(path)?;
    file.try_lock()?;
    Ok(file)
}

fn write_name(mut file: &File, name: &str) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(name.as_bytes())
}
