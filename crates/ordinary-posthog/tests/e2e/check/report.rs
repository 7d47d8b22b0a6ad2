//! What `check` prints when all is well.

use jiff::{SignedDuration, Timestamp};
use posthog_stub::{Key, Project, Stub, World};

use super::{check, check_yaml};
use crate::support::documents::{Document, KEY};
use crate::support::home::Home;
use crate::support::host::dated;
use crate::support::shop::{self, PROJECT};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_working_connection_is_reported_fact_by_fact() {
    let stub = shop::small_shop().await;
    check(&Document::of(&stub))
        .await
        .with_code(0)
        .says(&["default/storefront: works", stub.url()])
        .says(&["4242", "Linden & Loom", "Europe/Berlin"])
        .says(&["phx_...77c2", "Ordinary", "query:read", "cohort:read"])
        .says(&["latest event"])
        .does_not_say(&["failed", "too broad"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_without_events_is_a_warning_and_no_failure() {
    let stub = shop::posthog(Project::new(PROJECT, "Empty")).await;
    check(&Document::of(&stub))
        .await
        .with_code(0)
        .says(&["none yet", "snippet"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_differs_from_posthogs_is_a_warning() {
    let stub = shop::small_shop().await;
    let now = Timestamp::now();
    for (theirs, ours) in [
        (now + SignedDuration::from_mins(10), "behind PostHog's"),
        (now - SignedDuration::from_mins(10), "ahead of PostHog's"),
    ] {
        let front = dated(theirs, stub.address()).await;
        let ended = check(&Document::at(&format!("http://{front}"))).await;
        ended
            .with_code(0)
            .says(&["This machine's clock is ", ours, "NTP"]);
    }
    let ended = check(&Document::of(&stub)).await;
    ended.with_code(0).does_not_say(&["clock"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_optional_scope_is_named_with_its_loss() {
    let key = Key::new(KEY).scopes(["query:read", "project:read"]);
    let world = World::new()
        .with_project(shop::small_project())
        .with_key(key);
    let stub = Stub::start(world).await.unwrap();
    check(&Document::of(&stub))
        .await
        .with_code(0)
        .says(&["event_definition:read: without it, "])
        .says(&["cohort:read: without it, cohorts are not shown"])
        .says(&["batch_export:write: without it, "])
        .does_not_say(&["person:read"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_may_do_more_than_read_is_called_too_broad() {
    for (scopes, broad) in [
        (vec!["*"], "*"),
        (vec!["query:read", "project:write"], "project:write"),
    ] {
        let key = Key::new(KEY).scopes(scopes);
        let world = World::new()
            .with_project(shop::small_project())
            .with_key(key);
        let stub = Stub::start(world).await.unwrap();
        let ended = check(&Document::of(&stub)).await;
        ended.with_code(0).says(&["too broad", broad]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_connection_is_reported_and_the_first_failure_gives_the_exit_code() {
    let stub = shop::small_shop().await;
    let documents = [
        Document::of(&stub).name("first").project("4243").yaml(),
        Document::of(&stub).name("second").yaml(),
        Document::of(&stub)
            .name("third")
            .key("phx_SeCrEtPaRt_of_nobody")
            .yaml(),
    ];
    check_yaml(&documents.join("\n---\n"))
        .await
        .with_code(14)
        .says(&[
            "default/first: failed",
            "default/second: works",
            "default/third: failed",
        ]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_may_come_from_a_variable_a_named_variable_or_a_file() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    home.write("key.txt", format!("{KEY}\n"));
    let document = Document::of(&stub).without_secret();
    for (annotations, variable) in [
        ("{}", "ORDINARY_POSTHOG_API_KEY"),
        ("{posthog.ordinary.dev/api-key-env: SHOP_KEY}", "SHOP_KEY"),
        ("{posthog.ordinary.dev/api-key-file: key.txt}", "UNUSED"),
    ] {
        let file = home.write(
            "connection.yaml",
            document.clone().annotations(annotations).yaml(),
        );
        let program = home
            .program(&["check"])
            .reaching_loopback()
            .documents(&file);
        program
            .variable(variable, KEY)
            .run()
            .await
            .with_code(0)
            .says(&["works"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_may_come_from_standard_input_and_from_a_folder() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    let folder = file.parent().unwrap();
    let check = || home.program(&["check"]).reaching_loopback();
    check()
        .documents("-".as_ref())
        .stdin(&file)
        .run()
        .await
        .with_code(0)
        .says(&["works"]);
    check()
        .documents(folder)
        .run()
        .await
        .with_code(0)
        .says(&["works"]);
}
