//! What a Job of the operator runs: `sync --registered` on a mounted Secret.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use documents::Loader;
use domain::ConnectionName;
use domain::plan::PlanStanding;
use domain::storage::{DesiredConnection, Store};
use jiff::Timestamp;
use serde_json::Value;
use store::OpenOptions;

use crate::support::documents::{Document, KEY};
use crate::support::home::Home;
use crate::support::program::Program;
use crate::support::shop::{self, ADDED_TO_CART, SIGN_UPS};

/// The files of a Secret as the kubelet mounts them: links into a folder that is swapped as a whole.
fn mount(home: &Home, files: &[(&str, &str)]) -> PathBuf {
    let folder = home.path().join("mounted");
    let version = folder.join("..2026_11_25");
    std::fs::create_dir_all(&version).unwrap();
    symlink("..2026_11_25", folder.join("..data")).unwrap();
    for (name, text) in files {
        std::fs::write(version.join(name), text).unwrap();
        symlink(format!("..data/{name}"), folder.join(name)).unwrap();
    }
    folder.join("connection.yaml")
}

/// A document whose key is in the file beside it, and the key file as `kubectl create secret` makes it of a
/// text with a line break.
fn mounted(home: &Home, document: &Document) -> PathBuf {
    let document = document
        .clone()
        .without_secret()
        .annotations("{posthog.ordinary.dev/api-key-file: api-key}");
    let key = format!("{KEY}\n");
    mount(
        home,
        &[("connection.yaml", &document.yaml()), ("api-key", &key)],
    )
}

fn job(home: &Home, document: &Path, mode: &str) -> Program {
    home.sync(document, mode).arguments(&["--registered"])
}

async fn open(home: &Home) -> Arc<dyn Store> {
    store::open(&home.database_url(), OpenOptions::default())
        .await
        .unwrap()
}

/// What the operator would write into the store for the document, on a plan.
fn desired(document: &Path, plan: &str) -> DesiredConnection {
    let documents = Loader::new(vec![document.to_owned()]).load().unwrap();
    let valid = documents.connections[0].valid.clone();
    valid.into_desired(PlanStanding::of_label(Some(plan)))
}

fn name() -> ConnectionName {
    ConnectionName::new("default", "storefront")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_pulls_a_registered_connection_with_the_key_beside_its_document() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let document = mounted(&home, &Document::of(&stub));
    let wanted = desired(&document, "starter");
    let store = open(&home).await;
    store
        .put_connection(&wanted, Timestamp::now())
        .await
        .unwrap();

    let ended = job(&home, &document, "backfill").run().await;
    ended.with_code(0).does_not_say(&["line break"]);
    let record = store.connection(&name()).await.unwrap().unwrap();
    assert_eq!(record.desired, wanted);
    assert!(
        store
            .epoch(record.target)
            .await
            .unwrap()
            .unwrap()
            .backfilled_at
            .is_some()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_leaves_alone_what_the_operator_did_not_register() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let document = mounted(&home, &Document::of(&stub));
    let store = open(&home).await;
    for mode in ["backfill", "refresh", "remap"] {
        job(&home, &document, mode)
            .run()
            .await
            .with_code(10)
            .says(&["not in the store"]);
    }
    assert_eq!(store.connection(&name()).await.unwrap(), None);

    let wanted = desired(&document, "starter");
    let deleted_at = Timestamp::UNIX_EPOCH;
    store.put_connection(&wanted, deleted_at).await.unwrap();
    store.mark_deleted(&name(), deleted_at).await.unwrap();
    job(&home, &document, "refresh")
        .run()
        .await
        .with_code(10)
        .says(&["was deleted"]);
    let record = store.connection(&name()).await.unwrap().unwrap();
    assert_eq!(record.deleted_at, Some(deleted_at));
    assert!(stub.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_heeds_the_plan_and_suspension_of_the_store_and_not_of_its_document() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    // The document is on a plan too low, and suspended: a Job never looks at that.
    let document = Document::of(&stub).plan("free").spec("suspend: true");
    let document = mounted(&home, &document);
    let store = open(&home).await;
    for (plan, suspended, code, said) in [
        ("free", false, 21, "plan"),
        ("growth", true, 10, "suspended"),
        ("growth", false, 0, "eventsRead"),
    ] {
        let wanted = DesiredConnection {
            suspended,
            ..desired(&document, plan)
        };
        store
            .put_connection(&wanted, Timestamp::now())
            .await
            .unwrap();
        let ended = job(&home, &document, "refresh").run().await;
        ended.with_code(code).says(&[said]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_remap_counts_what_is_stored_by_the_documents_mapping() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    home.sync(&file, "backfill").run().await.with_code(0);
    let spec = "mapping: {addedToCart: {events: [{name: newsletter signup}]}}";
    let changed = Document::of(&stub).spec(spec);
    let document = mounted(&home, &changed);
    let ended = job(&home, &document, "remap").run().await;
    let line = ended.with_code(0).stdout.lines().last().unwrap_or_default();
    let summary: Value = serde_json::from_str(line).unwrap();
    assert_eq!(summary["mode"], "remap");
    assert_eq!(summary["connection"], "default/storefront");
    assert_eq!(summary["timeZone"], "Europe/Berlin");
    assert_eq!(summary["eventsMoved"], ADDED_TO_CART + SIGN_UPS);
}
