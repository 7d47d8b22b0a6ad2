//! Project ids that lead nowhere.

use posthog_stub::{Key, Stub, World};

use super::check;
use crate::support::documents::{Document, KEY};
use crate::support::shop::{self, PROJECT};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_id_that_is_no_number_is_told_before_anything_is_asked() {
    let stub = shop::small_shop().await;
    for (written, said) in [
        ("my-shop", "must be a whole number"),
        ("\"4242\"", "write 4242 without quotes"),
        ("42.5", "must be a whole number"),
        ("0", "1 or more"),
        ("-4242", "1 or more"),
        (
            "",
            "is missing: copy the number from PostHog's project settings",
        ),
    ] {
        let ended = check(&Document::of(&stub).project(written)).await;
        ended
            .with_code(10)
            .says(&["connection.yaml:", "spec.projectId", said]);
    }
    assert!(stub.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_that_does_not_exist_is_told() {
    let stub = shop::small_shop().await;
    let ended = check(&Document::of(&stub).project("99")).await;
    ended.with_code(14).says(&[
        "projectId 99",
        stub.url(),
        "copy it from PostHog's project settings",
    ]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_that_the_key_may_not_see_is_told() {
    let keys = [
        Key::new(KEY)
            .scopes(["query:read", "project:read"])
            .member_of([7]),
        Key::new(KEY)
            .scopes(["query:read", "project:read"])
            .teams([7]),
    ];
    for key in keys {
        let world = World::new()
            .with_project(shop::small_project())
            .with_key(key);
        let stub = Stub::start(world).await.unwrap();
        let ended = check(&Document::of(&stub)).await;
        ended.with_code(14).says(&[&format!("projectId {PROJECT}")]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organisation_that_forbids_keys_is_quoted() {
    let mut project = shop::small_project();
    project.allows_personal_keys = false;
    let stub = shop::posthog(project).await;
    let ended = check(&Document::of(&stub)).await;
    ended
        .with_code(14)
        .says(&["projectId 4242", "does not allow using personal API keys"]);
}
