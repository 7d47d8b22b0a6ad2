//! `operator`, as a Deployment runs it, on a real API server: probes, metrics, two replicas and a graceful stop.

use std::net::SocketAddr;

use crd::PostHogConnection;
use kube::CustomResourceExt;
use serde_json::Value;
use test_kubernetes::Server;

use crate::support::api::http_get;
use crate::support::home::{Home, free_address};
use crate::support::host::Nobody;
use crate::support::program::{Program, Running};

const LEADS: &str = "leader_election_master_status{name=\"ordinary-posthog-operator\"}";

/// A cluster that knows connections, and a namespace for the operator.
async fn cluster() -> (&'static Server, String) {
    let server = Server::shared().unwrap();
    server.install(&PostHogConnection::crd()).await.unwrap();
    let namespace = server.namespace("operator", &[]).await.unwrap();
    (server, namespace)
}

fn installed(namespace: &str) -> String {
    format!(
        "namespace: {namespace}\njob:\n  image: example.org/ordinary-posthog:1\n  database: {{name: database, key: url}}\n"
    )
}

/// A replica of that name, and where its admin endpoints are.
fn replica(home: &Home, server: &Server, config: &str, name: &str) -> (Program, SocketAddr) {
    let file = home.write(&format!("{name}.yaml"), config);
    let admin = free_address();
    let program = home
        .program(&["operator", "--config", file.to_str().unwrap()])
        .variable("ORDINARY_POSTHOG_ADMIN_ADDR", &admin.to_string())
        .variable("ORDINARY_POSTHOG_LOG_FORMAT", "json")
        .variable("ORDINARY_POSTHOG_DATABASE_URL", &home.database_url())
        .variable("POD_NAME", name)
        .variable("KUBECONFIG", server.kubeconfig().to_str().unwrap());
    (program, admin)
}

async fn is_ready(running: &mut Running, admin: SocketAddr) {
    running
        .until("it is ready", async || {
            http_get(admin, "/readyz").filter(|(status, _)| *status == 200)
        })
        .await;
}

fn leads(admin: SocketAddr) -> Option<String> {
    let (_, metrics) = http_get(admin, "/metrics")?;
    let line = metrics.lines().find_map(|line| line.strip_prefix(LEADS))?;
    Some(line.trim().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_replicas_one_leads_until_it_is_told_to_stop() {
    let (server, namespace) = cluster().await;
    let home = Home::new();
    let (program, first_admin) = replica(&home, server, &installed(&namespace), "first");
    let mut first = program.start();
    is_ready(&mut first, first_admin).await;
    assert_eq!(leads(first_admin).as_deref(), Some("1"));
    assert_eq!(http_get(first_admin, "/livez").unwrap().0, 200);
    let (_, metrics) = http_get(first_admin, "/metrics").unwrap();
    for series in [
        "controller_runtime_reconcile_total{controller=\"posthogconnection\",result=\"success\"} 0",
        "rest_client_requests_total{code=\"200\",method=\"GET\"",
        "ordinary_posthog_connections{ready=\"True\"} 0",
        "ordinary_posthog_calls_total{outcome=\"complete\"} 0",
        "workqueue_depth{name=\"posthogconnection\",controller=\"posthogconnection\"} 0",
    ] {
        assert!(metrics.contains(series), "no {series}\n{metrics}");
    }

    let (program, second_admin) = replica(&home, server, &installed(&namespace), "second");
    let mut second = program.start();
    is_ready(&mut second, second_admin).await;
    second
        .until_it_logs("Another replica leads; standing by.")
        .await;
    assert_eq!(leads(second_admin).as_deref(), Some("0"));

    first.terminate();
    let ended = first.ended().await;
    ended.with_code(0).says(&["Leadership is given back."]);
    for line in ended.stderr.lines() {
        let parsed: Value = serde_json::from_str(line).unwrap();
        assert!(parsed["message"].is_string(), "{line}");
    }
    second
        .until("the other leads", async || {
            leads(second_admin).filter(|leads| leads == "1")
        })
        .await;
    is_ready(&mut second, second_admin).await;
    second.terminate();
    second.ended().await.with_code(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_does_not_answer_is_waited_for_and_no_reason_to_be_restarted() {
    let (server, namespace) = cluster().await;
    let home = Home::new();
    let (program, admin) = replica(&home, server, &installed(&namespace), "waits");
    let nobody = Nobody::new();
    let nowhere = format!("postgres://ordinary@{}/ordinary", nobody.address());
    let mut waiting = program
        .variable("ORDINARY_POSTHOG_DATABASE_URL", &nowhere)
        .start();
    waiting
        .until_it_logs("The store cannot be opened yet")
        .await;
    assert_eq!(http_get(admin, "/livez").unwrap().0, 200);
    let (status, why) = http_get(admin, "/readyz").unwrap();
    assert_eq!(status, 503, "{why}");
    assert_eq!(why, "the store has not answered yet\n");
    waiting.terminate();
    waiting.ended().await.with_code(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_installation_is_told_before_anything_begins() {
    let home = Home::new();
    let job = "job: {image: x, database: {name: database, key: url}}\n";
    for (config, said) in [
        (job.to_owned(), "namespace"),
        (format!("namespace: a\nnamespaces: b\n{job}"), "namespaces"),
        ("namespace: a\njob: {image: x}\n".to_owned(), "database"),
        (
            format!("namespace: a\nmaxConcurrentSyncs: 0\n{job}"),
            "maxConcurrentSyncs",
        ),
    ] {
        let file = home.write("operator.yaml", config);
        home.program(&["operator", "--config", file.to_str().unwrap()])
            .run()
            .await
            .with_code(10)
            .says(&["--config", said]);
    }
    home.program(&["operator", "--config", "missing.yaml"])
        .run()
        .await
        .with_code(10)
        .says(&["missing.yaml"]);
    let file = home.write("operator.yaml", installed("ordinary"));
    home.program(&["operator", "--config", file.to_str().unwrap()])
        .run()
        .await
        .with_code(22)
        .says(&["KUBECONFIG"]);
}
