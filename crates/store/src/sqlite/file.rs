//! The file before SQLite sees it: made where it is missing, refused where it cannot be used.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::Path;

use domain::storage::{Result, StoreError};

use super::errors::unusable;

/// What every SQLite file begins with (<https://sqlite.org/fileformat2.html>).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Makes sure that there is a file at `path` which may be a SQLite database. `on_network` says what the
/// network file system is called that a folder lies on, if it lies on one.
pub(super) fn prepare(
    path: &Path,
    on_network: impl FnOnce(&Path) -> Option<&'static str>,
) -> Result<()> {
    let shown = path.display();
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder).map_err(|error| {
        unusable(format!(
            "the folder {} for the SQLite file cannot be made ({error}): name a file in a folder that you may write to",
            folder.display()
        ))
    })?;
    if let Some(network) = on_network(folder) {
        return Err(unusable(format!(
            "{shown} lies on a network file system ({network}), where SQLite files get damaged: name a file on a local disk"
        )));
    }
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => create(path),
        Err(error) => Err(cannot_open(path, &error)),
        Ok(found) if !found.is_file() => Err(unusable(format!(
            "{shown} is not a file: name a SQLite file, which may be a new one"
        ))),
        Ok(found) if found.permissions().readonly() => Err(read_only(path)),
        Ok(_) => check_header(path),
    }
}

fn create(path: &Path) -> Result<()> {
    let mut create = fs::OpenOptions::new();
    create.write(true).create_new(true);
    // Events are personal data: nobody else on the machine reads them. SQLite gives its log
    // and shared memory the same mode.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut create, 0o600);
    match create.open(path) {
        Ok(_) => Ok(()),
        // Another process made it in this very moment.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(cannot_open(path, &error)),
    }
}

fn check_header(path: &Path) -> Result<()> {
    let mut header = Vec::with_capacity(MAGIC.len());
    fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut header))
        .map_err(|error| cannot_open(path, &error))?;
    // An empty file is a new database.
    if header.is_empty() || header == MAGIC {
        return Ok(());
    }
    Err(not_a_database(path))
}

fn cannot_open(path: &Path, error: &std::io::Error) -> StoreError {
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => read_only(path),
        _ => unusable(format!(
            "{} cannot be opened ({error}): name another file",
            path.display()
        )),
    }
}

fn read_only(path: &Path) -> StoreError {
    unusable(format!(
        "{} cannot be written: give the program's user the right to write it and its folder, or name another file",
        path.display()
    ))
}

/// What is said of a file that is none of SQLite's.
pub(super) fn not_a_database(path: &Path) -> StoreError {
    unusable(format!(
        "{} is not a SQLite database: name another file, which may be a new one",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_on_a_network_file_system_is_refused_and_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("share/store.db");
        let on_nfs = |asked: &Path| (asked == folder.path().join("share")).then_some("NFS");
        for made_before in [false, true] {
            let Err(StoreError::Unusable { detail }) = prepare(&path, on_nfs) else {
                panic!("a file on a network must be refused");
            };
            let said = format!(
                "{} lies on a network file system (NFS), where SQLite files get damaged: name a file on a local disk",
                path.display()
            );
            assert_eq!(detail, said);
            assert_eq!(path.exists(), made_before);
            // One that is already there is refused as well.
            fs::write(&path, MAGIC).unwrap();
        }
        prepare(&path, |_| None).unwrap();
    }
}
