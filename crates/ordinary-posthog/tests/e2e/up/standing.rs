//! Connections that `up` must not pull, and what it says of them.

use tonic::Code;

use crate::support::api::{Api, reason};
use crate::support::documents::Document;
use crate::support::home::Home;
use crate::support::shop::{self, PRODUCT_VIEWS};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_falls_below_starter_stops_reads_and_one_that_rises_again_resumes_them() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let document = Document::of(&stub);
    let file = home.write("connection.yaml", document.clone().plan("growth").yaml());
    let (program, at) = home.up(&file);
    let mut up = program.start();
    let mut api = Api::of(&mut up, at.grpc).await;
    api.synced(&mut up).await;

    for (plan, wanted) in [("free", "PLAN_TOO_LOW"), ("platinum", "PLAN_UNKNOWN")] {
        home.write("connection.yaml", document.clone().plan(plan).yaml());
        let what = format!("reads are refused on {plan}");
        let refused = up
            .until(&what, async || {
                api.funnel()
                    .await
                    .err()
                    .filter(|status| reason(status) == wanted)
            })
            .await;
        assert_eq!(refused.code(), Code::FailedPrecondition);
        // What is wrong can still be looked at.
        assert!(api.connection().await.unwrap().plan.is_some());
    }

    home.write("connection.yaml", document.plan("starter").yaml());
    up.until("reads are answered again", async || api.funnel().await.ok())
        .await;
    assert_eq!(api.stage_totals().await[0], Some(PRODUCT_VIEWS));
    up.interrupt();
    up.ended().await.with_code(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_connection_is_read_and_not_pulled() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let document = Document::of(&stub);
    let file = home.write("connection.yaml", document.yaml());
    home.sync(&file, "backfill").run().await.with_code(0);
    stub.clear_requests();

    let file = home.write("connection.yaml", document.spec("suspend: true").yaml());
    let (program, at) = home.up(&file);
    let mut up = program.start();
    let mut api = Api::of(&mut up, at.grpc).await;
    api.connection_where(&mut up, "it is suspended", |connection| {
        connection.suspended
    })
    .await;
    assert_eq!(api.stage_totals().await[0], Some(PRODUCT_VIEWS));
    up.interrupt();
    up.ended().await.with_code(0);
    assert!(stub.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_that_fails_does_not_keep_another_from_its_turn() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let wrong = Document::of(&stub)
        .name("aaa")
        .key("phx_SeCrEtPaRt_of_nobody");
    let yaml = format!("{}\n---\n{}", wrong.yaml(), Document::of(&stub).yaml());
    let file = home.write("connections.yaml", yaml);
    let (program, at) = home.up(&file);
    let mut up = program.arguments(&["--max-concurrent-syncs", "1"]).start();
    let mut api = Api::of(&mut up, at.grpc).await;
    api.synced(&mut up).await;
    // Which of the two comes first is not said.
    up.until_it_logs("Invalid API key").await;
    up.interrupt();
    up.ended().await.with_code(0);
}
