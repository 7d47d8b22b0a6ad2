use std::convert::Infallible;

use http::{Request, Response};
use kube::runtime::controller::Action;
use kube::runtime::{reflector, watcher};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

use super::*;
use crate::error::Error;

fn text(registry: &Registry) -> String {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
    text
}

#[track_caller]
fn says(registry: &Registry, line: &str) {
    let text = text(registry);
    assert!(text.lines().any(|one| one == line), "no {line}\n{text}");
}

fn metrics() -> (Registry, Metrics) {
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    (registry, metrics)
}

fn shop() -> ConnectionName {
    ConnectionName::new("acme", "storefront")
}

/// Those of controller-runtime that are not about webhooks, caches or Go itself; client-go's
/// `rest_client_requests_total` is there from the first request on.
#[test]
fn dashboards_for_other_operators_find_their_series() {
    let (registry, metrics) = metrics();
    metrics.may_reconcile(32);
    let text = text(&registry);
    let queue = r#"{name="posthogconnection",controller="posthogconnection"}"#;
    for name in [
        "workqueue_depth",
        "workqueue_adds_total",
        "workqueue_queue_duration_seconds_count",
        "workqueue_work_duration_seconds_count",
        "workqueue_unfinished_work_seconds",
        "workqueue_longest_running_processor_seconds",
        "workqueue_retries_total",
    ] {
        assert!(
            text.contains(&format!("\n{name}{queue} 0")),
            "{name}\n{text}"
        );
    }
    for name in [
        "controller_runtime_reconcile_total",
        "controller_runtime_reconcile_errors_total",
        "controller_runtime_reconcile_time_seconds_bucket",
        "controller_runtime_active_workers",
        "controller_runtime_max_concurrent_reconciles",
    ] {
        let is_it = |line: &str| {
            line.starts_with(&format!("{name}{{"))
                && line.contains(r#"controller="posthogconnection""#)
        };
        assert!(text.lines().any(is_it), "{name}\n{text}");
    }
    assert!(text.contains("\nleader_election_master_status{"), "{text}");
}

#[test]
fn the_queue_holds_what_is_due_and_has_not_begun() {
    let (registry, metrics) = metrics();
    let queue = r#"{name="posthogconnection",controller="posthogconnection"}"#;
    let is = |name: &str, value: &str| says(&registry, &format!("{name}{queue} {value}"));
    let other = ConnectionName::new("acme", "outlet");
    // Asked for twice before it begins, it is one; one that is due later does not wait yet.
    metrics.triggered(shop());
    metrics.triggered(shop());
    metrics.due_in(other.clone(), Duration::from_secs(3600));
    is("workqueue_depth", "1");
    is("workqueue_adds_total", "1");
    let one = metrics.begin_reconcile(shop());
    is("workqueue_depth", "0");
    // Asked for again meanwhile, it waits for its own end.
    metrics.triggered(shop());
    is("workqueue_depth", "1");
    drop(one);
    is("workqueue_work_duration_seconds_count", "1");
    is("workqueue_unfinished_work_seconds", "0.0");
    drop(metrics.begin_reconcile(shop()));
    // What comes before the time set counts, and a time that has come.
    metrics.triggered(other.clone());
    is("workqueue_depth", "1");
    metrics.gone(&other);
    metrics.due_in(other.clone(), Duration::ZERO);
    is("workqueue_depth", "1");
    drop(metrics.begin_reconcile(other));
    is("workqueue_depth", "0");
    is("workqueue_adds_total", "4");
    is("workqueue_queue_duration_seconds_count", "3");
}

#[test]
fn every_known_series_is_there_before_anything_happens() {
    let (registry, _) = metrics();
    for line in [
        r#"controller_runtime_reconcile_total{controller="posthogconnection",result="success"} 0"#,
        r#"controller_runtime_reconcile_total{controller="posthogconnection",result="error"} 0"#,
        r#"controller_runtime_reconcile_errors_total{controller="posthogconnection"} 0"#,
        r#"controller_runtime_reconcile_time_seconds_count{controller="posthogconnection"} 0"#,
        r#"controller_runtime_active_workers{controller="posthogconnection"} 0"#,
        r#"workqueue_retries_total{name="posthogconnection",controller="posthogconnection"} 0"#,
        r#"leader_election_master_status{name="ordinary-posthog-operator"} 0"#,
        r#"ordinary_posthog_checks_total{outcome="complete"} 0"#,
        r#"ordinary_posthog_runs_total{kind="backfill",outcome="complete"} 0"#,
        r#"ordinary_posthog_kubernetes_events_total{outcome="published"} 0"#,
        r#"ordinary_posthog_connections{ready="True"} 0"#,
        "ordinary_posthog_sync_lag_seconds_max 0.0",
    ] {
        says(&registry, line);
    }
}

#[test]
fn a_reconciliation_is_measured_however_it_ends() {
    let (registry, metrics) = metrics();
    let one = metrics.begin_reconcile(shop());
    says(
        &registry,
        r#"controller_runtime_active_workers{controller="posthogconnection"} 1"#,
    );
    one.ended(&Ok(Action::await_change()));
    drop(one);
    metrics
        .begin_reconcile(shop())
        .ended(&Err(Error::Incomplete("name")));
    // Dropped in the middle, as a panic or the end of the process drops it.
    drop(metrics.begin_reconcile(shop()));
    for line in [
        r#"controller_runtime_reconcile_total{controller="posthogconnection",result="success"} 1"#,
        r#"controller_runtime_reconcile_total{controller="posthogconnection",result="error"} 1"#,
        r#"controller_runtime_reconcile_errors_total{controller="posthogconnection"} 1"#,
        r#"ordinary_posthog_reconcile_failures_total{controller="posthogconnection",reason="Incomplete"} 1"#,
        r#"controller_runtime_reconcile_time_seconds_count{controller="posthogconnection"} 3"#,
        r#"controller_runtime_active_workers{controller="posthogconnection"} 0"#,
    ] {
        says(&registry, line);
    }
}

#[test]
fn the_leader_is_told_from_the_others_until_it_leads_no_more() {
    let (registry, metrics) = metrics();
    let leading = metrics.leading();
    says(
        &registry,
        r#"leader_election_master_status{name="ordinary-posthog-operator"} 1"#,
    );
    drop(leading);
    says(
        &registry,
        r#"leader_election_master_status{name="ordinary-posthog-operator"} 0"#,
    );
}

#[tokio::test]
async fn requests_are_counted_by_answer() {
    let (registry, metrics) = metrics();
    let server = service_fn(async |request: Request<()>| {
        let status = if request.uri() == "/gone" { 404 } else { 200 };
        Ok::<_, Infallible>(Response::builder().status(status).body(()).unwrap())
    });
    let counted = metrics.layer("api:443".to_owned()).layer(server);
    for path in ["/", "/", "/gone"] {
        let request = Request::get(path).body(()).unwrap();
        counted.clone().oneshot(request).await.unwrap();
    }
    let failing = service_fn(async |_: Request<()>| Err::<Response<()>, _>("no route"));
    let failing = metrics.layer("api:443".to_owned()).layer(failing);
    let request = Request::patch("/").body(()).unwrap();
    failing.oneshot(request).await.unwrap_err();
    for line in [
        r#"rest_client_requests_total{code="200",method="GET",host="api:443"} 2"#,
        r#"rest_client_requests_total{code="404",method="GET",host="api:443"} 1"#,
        r#"rest_client_requests_total{code="<error>",method="PATCH",host="api:443"} 1"#,
    ] {
        says(&registry, line);
    }
}

#[test]
fn runs_add_up_over_connections() {
    let (registry, metrics) = metrics();
    let totals = RunTotals {
        events_stored: 40,
        late_events: 2,
        requests: 7,
        bytes_received: 300,
        bytes_read: 5000,
        ..RunTotals::default()
    };
    metrics.run_ended("refresh", "complete", &totals);
    metrics.run_ended("refresh", "complete", &totals);
    metrics.run_ended("backfill", "Throttled", &RunTotals::default());
    metrics.checked("InvalidApiKey");
    for line in [
        r#"ordinary_posthog_runs_total{kind="refresh",outcome="complete"} 2"#,
        r#"ordinary_posthog_runs_total{kind="backfill",outcome="Throttled"} 1"#,
        r#"ordinary_posthog_checks_total{outcome="InvalidApiKey"} 1"#,
        "ordinary_posthog_events_stored_total 80",
        "ordinary_posthog_late_events_total 4",
        "ordinary_posthog_posthog_requests_total 14",
        "ordinary_posthog_posthog_bytes_received_total 600",
        "ordinary_posthog_posthog_bytes_read_total 10000",
    ] {
        says(&registry, line);
    }
}

/// A connection as the API server has it.
fn object(name: &str, spec: &Value, status: &Value) -> Guarded {
    let mut object = json!({
        "apiVersion": crd::API_VERSION, "kind": crd::KIND,
        "metadata": {"name": name, "namespace": "acme"},
        "spec": {
            "host": "https://eu.posthog.com", "projectId": 7,
            "apiKeySecretRef": {"name": "posthog"},
        },
        "status": status,
    });
    for (field, value) in spec.as_object().unwrap() {
        object["spec"][field] = value.clone();
    }
    serde_json::from_value(object).unwrap()
}

/// Conditions, each with its status, its reason and for how many hours it is so.
fn conditions(of: &[(&str, &str, &str, i64)]) -> Value {
    of.iter()
        .map(|(kind, status, reason, hours)| {
            json!({"type": kind, "status": status, "reason": reason, "message": "",
                "lastTransitionTime": hours_ago(*hours)})
        })
        .collect()
}

fn hours_ago(hours: i64) -> String {
    (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours)).to_string()
}

fn synced(hours: i64) -> Value {
    let at = hours_ago(hours);
    json!({"startTime": at, "completionTime": at, "events": 1, "duplicates": 0, "lateEvents": 0})
}

/// The whole hours of the longest lag among these connections.
fn longest_lag(connections: Vec<Guarded>) -> i64 {
    let (registry, metrics) = metrics();
    let (reader, mut writer) = reflector::store::<Guarded>();
    metrics.watch(reader);
    for one in connections {
        writer.apply_watcher_event(&watcher::Event::Apply(one));
    }
    let text = text(&registry);
    let lag = text
        .lines()
        .find_map(|line| line.strip_prefix("ordinary_posthog_sync_lag_seconds_max "));
    #[expect(clippy::cast_possible_truncation, reason = "hours of a test")]
    let hours = (lag.unwrap().parse::<f64>().unwrap() / 3600.0) as i64;
    hours
}

const READABLE: [(&str, &str, &str, i64); 2] = [
    (crd::CREDENTIALS_VALID, "True", "KeyAccepted", 1000),
    (crd::PLAN_ELIGIBLE, "True", "PlanSufficient", 1000),
];

#[test]
fn connections_are_counted_by_their_status() {
    let (registry, metrics) = metrics();
    let (reader, mut writer) = reflector::store::<Guarded>();
    metrics.watch(reader);
    let ready = json!({"conditions": conditions(&[(crd::READY, "True", "AsDesired", 1)])});
    for (name, status) in [("one", &ready), ("other", &ready), ("new", &json!({}))] {
        writer.apply_watcher_event(&watcher::Event::Apply(object(name, &json!({}), status)));
    }
    says(&registry, r#"ordinary_posthog_connections{ready="True"} 2"#);
    says(
        &registry,
        r#"ordinary_posthog_connections{ready="Unknown"} 1"#,
    );
}

#[test]
fn the_longest_lag_is_of_those_that_can_be_read() {
    let [key, plan] = READABLE;
    let status = |more: &[_], last: Value| {
        let of: Vec<_> = READABLE.iter().chain(more).copied().collect();
        json!({"conditions": conditions(&of), "lastSync": last})
    };
    let is_kept = |reason| status(&[(crd::READY, "False", reason, 90)], synced(100));
    let without =
        |bad, good| json!({"conditions": conditions(&[bad, good]), "lastSync": synced(100)});
    let connections = vec![
        object("fresh", &json!({}), &status(&[], synced(1))),
        object("waits", &json!({}), &status(&[], synced(5))),
        object(
            "paused",
            &json!({"suspend": true}),
            &status(&[], synced(100)),
        ),
        object("mistaken", &json!({}), &is_kept("InvalidSpec")),
        object("going", &json!({}), &is_kept("NamespaceTerminating")),
        object(
            "bad-key",
            &json!({}),
            &without((crd::CREDENTIALS_VALID, "False", "InvalidApiKey", 90), plan),
        ),
        object(
            "free",
            &json!({}),
            &without((crd::PLAN_ELIGIBLE, "False", "PlanTooLow", 90), key),
        ),
        object("unseen", &json!({}), &json!({})),
    ];
    assert_eq!(longest_lag(connections), 5);
}

#[test]
fn a_connection_is_late_from_when_it_could_be_read() {
    let [key, plan] = READABLE;
    let upgraded = (crd::PLAN_ELIGIBLE, "True", "PlanSufficient", 3);
    let status = |of: &[_], last: Value| json!({"conditions": conditions(of), "lastSync": last});
    let of = |status: &Value| longest_lag(vec![object("one", &json!({}), status)]);
    assert_eq!(of(&status(&[key, upgraded], synced(700))), 3);
    // Never synced.
    let waits = (crd::BACKFILL_COMPLETE, "False", "BackfillWaiting", 2);
    assert_eq!(of(&status(&[key, upgraded, waits], Value::Null)), 3);
    let runs = (crd::BACKFILL_COMPLETE, "False", "BackfillRunning", 2);
    assert_eq!(of(&status(&[key, plan, runs], Value::Null)), 0);
}
