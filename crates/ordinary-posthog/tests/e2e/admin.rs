//! `/livez`, `/readyz` and `/metrics`.

use crate::support::api::{Api, http_get};
use crate::support::documents::Document;
use crate::support::home::Home;
use crate::support::shop;

/// How many requests runs have made.
const RUNS_ASKED: &str = "ordinary_posthog_posthog_requests_total";

/// The value of a series.
fn value(metrics: &str, series: &str) -> Option<u64> {
    let mut lines = metrics.lines();
    let value = lines.find_map(|line| line.strip_prefix(series))?;
    Some(value.trim().parse().unwrap())
}

/// How many calls of GetFunnel were answered.
fn funnels(metrics: &str) -> u64 {
    let is_meant = |line: &&str| {
        line.starts_with("grpc_server_handled_total")
            && line.contains("\"GetFunnel\"")
            && line.contains("\"OK\"")
    };
    let line = metrics.lines().find(is_meant);
    line.map_or(0, |line| {
        value(line, line.rsplit_once(' ').unwrap().0).unwrap()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probes_and_metrics_are_answered_in_plain_http() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    let (program, at) = home.up(&file);
    let mut up = program.start();
    let live = up
        .until("the admin server listens", async || {
            http_get(at.admin, "/livez")
        })
        .await;
    assert_eq!(live.0, 200);
    assert_eq!(http_get(at.admin, "/readyz").unwrap().0, 200);
    assert_eq!(http_get(at.admin, "/elsewhere").unwrap().0, 404);

    let mut api = Api::of(&mut up, at.grpc).await;
    api.synced(&mut up).await;
    api.funnel().await.unwrap();
    // Both are counted a moment after they are over, which who waited for them may see first.
    let metrics = up
        .until("the call and the run are counted", async || {
            let (status, metrics) = http_get(at.admin, "/metrics")?;
            assert_eq!(status, 200);
            let counted = funnels(&metrics) > 0 && value(&metrics, RUNS_ASKED)? > 0;
            counted.then_some(metrics)
        })
        .await;
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");
    assert_eq!(funnels(&metrics), 1, "{metrics}");
    // What the run asked of PostHog, and what the check before it asked too.
    let number =
        |series: &str| value(&metrics, series).unwrap_or_else(|| panic!("no {series}\n{metrics}"));
    for kind in ["", "_bytes_received", "_bytes_read"] {
        let of_runs = match kind {
            "" => RUNS_ASKED.to_owned(),
            bytes => format!("ordinary_posthog_posthog{bytes}_total"),
        };
        let of_all = format!("ordinary_posthog_calls{kind}_total{{outcome=\"complete\"}}");
        assert!(number(&of_runs) > 0, "{metrics}");
        assert!(number(&of_all) > number(&of_runs), "{metrics}");
    }
    assert_eq!(
        number("ordinary_posthog_calls_total{outcome=\"complete\"}"),
        stub.requests().len() as u64
    );
    up.interrupt();
    up.ended().await.with_code(0);
}
