//! Changes of files are noticed however they are made, and nothing else is.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::path::Path;
use std::time::Duration;

use documents::{Loader, Watcher, watch};
use tokio::time::timeout;

/// Far above what a notification takes, below what looking without one takes.
const SOON: Duration = Duration::from_secs(4);
/// Long enough for a change to be told that should not be.
const WHILE: Duration = Duration::from_millis(700);

async fn is_told(watcher: &mut Watcher) -> bool {
    timeout(SOON, watcher.changed()).await.is_ok()
}

async fn is_silent(watcher: &mut Watcher) -> bool {
    timeout(WHILE, watcher.changed()).await.is_err()
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

#[tokio::test]
async fn a_file_written_in_place_or_replaced_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("connection.yaml");
    write(&file, "a");
    let mut watcher = watch(vec![file.clone()]);
    assert!(is_silent(&mut watcher).await);
    write(&file, "b");
    assert!(is_told(&mut watcher).await);
    let new = folder.path().join(".connection.yaml.swp");
    write(&new, "c");
    std::fs::rename(&new, &file).unwrap();
    assert!(is_told(&mut watcher).await);
    assert!(is_silent(&mut watcher).await);
}

#[tokio::test]
async fn a_file_touched_without_a_change_of_content_is_not_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("connection.yaml");
    write(&file, "a");
    let mut watcher = watch(vec![file.clone()]);
    write(&file, "a");
    write(&folder.path().join("other.yaml"), "b");
    assert!(is_silent(&mut watcher).await);
}

#[tokio::test]
async fn a_new_file_in_a_watched_folder_is_told() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("a.yaml"), "a");
    let mut watcher = watch(vec![folder.path().to_owned()]);
    write(&folder.path().join("b.yaml"), "b");
    assert!(is_told(&mut watcher).await);
}

#[cfg(unix)]
#[tokio::test]
async fn the_symlink_swap_of_a_mounted_config_map_is_told() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (version, text) in [("..1", "a"), ("..2", "b")] {
        std::fs::create_dir(at(version)).unwrap();
        write(&at(version).join("connection.yaml"), text);
    }
    symlink("..1", at("..data")).unwrap();
    symlink("..data/connection.yaml", at("connection.yaml")).unwrap();
    let mut watcher = watch(vec![at("connection.yaml")]);
    assert!(is_silent(&mut watcher).await);
    symlink("..2", at("..data_tmp")).unwrap();
    std::fs::rename(at("..data_tmp"), at("..data")).unwrap();
    assert!(is_told(&mut watcher).await);
}

#[tokio::test]
async fn what_changed_between_loading_and_watching_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("connection.yaml");
    write(&file, "kind: Pod");
    let mut loader = Loader::new(vec![file.clone()]);
    assert!(loader.load().is_err());
    write(&file, "kind: ConfigMap");
    assert!(is_told(&mut loader.watch()).await);
}
