//! `demo`: the whole product with nothing to prepare.

use std::collections::BTreeSet;

use prost::Message;
use prost_types::FileDescriptorSet;

use crate::support::home::{Home, Listening};

/// Every method of the API as grpcurl names it.
fn methods() -> BTreeSet<String> {
    let files = FileDescriptorSet::decode(grpc::proto::DESCRIPTORS)
        .unwrap()
        .file;
    let mut methods = BTreeSet::new();
    for file in &files {
        for service in &file.service {
            for method in &service.method {
                methods.insert(format!(
                    "{}.{}/{}",
                    file.package(),
                    service.name(),
                    method.name()
                ));
            }
        }
    }
    methods
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_reports_the_shop_and_the_calls_to_try() {
    let home = Home::new();
    let listening = Listening::free();
    let program = home
        .program(&["demo", "--exit", "--events", "20000"])
        .listening(listening);
    let ended = program.run().await;
    ended
        .with_code(0)
        .says(&[
            "product viewed",
            "added to cart",
            "checkout started",
            "order completed",
        ])
        .says(&["Top custom events", "Customers", "distinct id"])
        .says(&["Cohorts", "Buyers of the last 30 days", "known customers"])
        .says(&["Clickmap of ", "Latest steps of customer"]);

    let calls: Vec<&str> = ended
        .stdout
        .lines()
        .filter(|line| line.contains("grpcurl"))
        .collect();
    assert!(calls.len() >= 3, "{ended}");
    let methods = methods();
    for call in calls {
        let method = call.split_whitespace().last().unwrap();
        assert!(methods.contains(method), "there is no {method}: {call}");
        assert!(call.contains(&listening.grpc.to_string()), "{call}");
        let body = call.split('\'').nth(1).unwrap();
        serde_json::from_str::<serde_json::Value>(body).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_leaves_nothing_behind_after_ctrl_c() {
    let home = Home::new();
    let temporary = home.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let program = home
        .program(&["demo", "--events", "5000"])
        .listening(Listening::free());
    let mut demo = program
        .variable("TMPDIR", temporary.to_str().unwrap())
        .start();
    demo.until_it_logs("gRPC is listening").await;
    demo.interrupt();
    demo.ended().await.with_code(0);
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
}
