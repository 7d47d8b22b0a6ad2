//! Workspaces whose plan does not include PostHog: nothing is asked of it.

use super::check;
use crate::support::documents::Document;
use crate::support::home::Home;
use crate::support::shop;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_below_starter_is_refused() {
    let stub = shop::small_shop().await;
    let ended = check(&Document::of(&stub).plan("free")).await;
    ended
        .with_code(21)
        .says(&["plan", "it is free", "Starter or higher"]);
    assert!(stub.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_plan_is_refused_with_the_label() {
    let stub = shop::small_shop().await;
    let ended = check(&Document::of(&stub).plan("platinum")).await;
    ended.with_code(21).says(&["ordinary.dev/plan", "platinum"]);
    assert!(stub.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starter_and_higher_are_eligible() {
    let stub = shop::small_shop().await;
    for plan in ["starter", "growth", "scale"] {
        check(&Document::of(&stub).plan(plan))
            .await
            .with_code(0)
            .says(&["works"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_default_plan_is_for_workspaces_without_a_label() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let check = async |document: Document| {
        let file = home.write("connection.yaml", document.yaml());
        let program = home.program(&["check", "--default-plan", "free"]);
        program.reaching_loopback().documents(&file).run().await
    };
    check(Document::of(&stub))
        .await
        .with_code(21)
        .says(&["it is free"]);
    check(Document::of(&stub).plan("growth")).await.with_code(0);
}
