//! `check`, "Save and test": every bad input gets one clear sentence with the field and the fix,
//! and an exit code of its own; nothing is stored and no key is shown.

mod answer;
mod document;
mod host;
mod key;
mod plan;
mod project;
mod report;

use crate::support::documents::Document;
use crate::support::home::Home;
use crate::support::program::Ended;

/// Runs `check` on a document.
async fn check(document: &Document) -> Ended {
    check_yaml(&document.yaml()).await
}

/// Runs `check` on the text of a file.
async fn check_yaml(yaml: &str) -> Ended {
    let home = Home::new();
    let file = home.write("connection.yaml", yaml);
    let ended = home
        .program(&["check"])
        .reaching_loopback()
        .documents(&file)
        .run()
        .await;
    stored_nothing(&home);
    ended
}

/// The home folder, where the default database would be, is as empty as before.
#[track_caller]
fn stored_nothing(home: &Home) {
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}
