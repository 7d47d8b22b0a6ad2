use std::time::{Duration, Instant};

use jiff::SignedDuration;
use posthog_stub::{BytesBudget, Endpoint, Limits, TooMuch};

use super::{ask, error, get, started, told, until};

#[tokio::test]
async fn requests_beyond_the_rate_wait_as_long_as_retry_after_says() {
    let stub = started().await;
    let begun = Instant::now();
    stub.set_limits(Limits {
        per_minute: Some(2),
        per_hour: Some(100),
        ..Limits::default()
    });
    assert_eq!(ask(&stub, "select 1").await.status(), 200);
    assert_eq!(ask(&stub, "select 1").await.status(), 200);
    let refused = ask(&stub, "select 1").await;
    let wait: u64 = refused.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    let passed = begun.elapsed().as_secs();
    assert!((60 - passed..=60).contains(&wait), "{wait}");
    let detail = format!("Request was throttled. Expected available in {wait} seconds.");
    assert_eq!(
        error(refused).await,
        told(429, "throttled_error", "throttled", &detail)
    );
    assert_eq!(
        get(&stub, "/api/projects/1/").await.status(),
        200,
        "only queries share this bucket"
    );
    stub.set_limits(Limits {
        per_hour: Some(1),
        ..Limits::default()
    });
    assert_eq!(ask(&stub, "select 1").await.status(), 200);
    let wait: u64 = ask(&stub, "select 1").await.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(wait > 3500, "{wait}");
}

#[tokio::test]
async fn a_query_beyond_the_concurrency_that_waits_too_long_fails_without_retry_after() {
    let stub = started().await;
    stub.set_limits(Limits {
        concurrency: Some(2),
        queue_wait: Duration::from_millis(100),
        latency: Duration::from_secs(60),
        ..Limits::default()
    });
    let third = async {
        until(|| stub.peak_concurrency() == 2).await;
        ask(&stub, "select 3").await
    };
    let refused = tokio::select! {
        _ = ask(&stub, "select 1") => panic!("it takes a minute"),
        _ = ask(&stub, "select 2") => panic!("it takes a minute"),
        refused = third => refused,
    };
    assert!(!refused.headers().contains_key("retry-after"));
    let detail = "Too many queries are running right now — please try again in a moment.";
    assert_eq!(
        error(refused).await,
        told(429, "throttled_error", "throttled", detail)
    );
}

#[tokio::test]
async fn a_query_beyond_the_concurrency_runs_once_another_is_answered() {
    let stub = started().await;
    let latency = Duration::from_millis(400);
    stub.set_limits(Limits {
        concurrency: Some(2),
        queue_wait: Duration::from_secs(60),
        latency,
        ..Limits::default()
    });
    let start = Instant::now();
    let (one, two, three) = tokio::join!(
        ask(&stub, "select 1"),
        ask(&stub, "select 2"),
        ask(&stub, "select 3")
    );
    assert!(
        [one, two, three]
            .iter()
            .all(|answer| answer.status() == 200)
    );
    assert!(
        start.elapsed() >= latency * 2,
        "the third waited for its turn"
    );
    assert!(stub.peak_concurrency() <= 2);
}

#[tokio::test]
async fn a_query_runs_no_longer_once_its_caller_has_hung_up() {
    let stub = started().await;
    stub.set_limits(Limits {
        concurrency: Some(1),
        queue_wait: Duration::from_secs(60),
        latency: Duration::from_secs(1),
        ..Limits::default()
    });
    tokio::select! {
        _ = ask(&stub, "select 1") => {}
        () = until(|| stub.peak_concurrency() == 1) => {}
    }
    // Its turn is free once the other is gone.
    assert_eq!(ask(&stub, "select 2").await.status(), 200);
    assert_eq!(stub.peak_concurrency(), 1);
}

#[tokio::test]
async fn the_query_that_crosses_the_budget_completes_and_the_next_is_refused() {
    let stub = started().await;
    stub.set_limits(Limits {
        budget: Some(BytesBudget {
            capacity: 10,
            per_hour: 3600,
        }),
        ..Limits::default()
    });
    let crossing = ask(&stub, "select uuid, event from events limit 10").await;
    assert_eq!(crossing.status(), 200);
    assert_eq!(
        crossing.headers()["x-posthog-query-budget-remaining-bytes"],
        "0"
    );
    let refused = ask(&stub, "select 1").await;
    let wait: u64 = refused.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(wait > 10, "{wait}");
    let (status, kind, code, _) = error(refused).await;
    assert_eq!(
        (status, kind.as_str(), code.as_str()),
        (429, "throttled_error", "api_queries_budget_exceeded")
    );
}

#[tokio::test]
async fn too_wide_a_window_is_504_until_it_is_narrowed() {
    let stub = started().await;
    for status in [504, 512, 513] {
        let too_much = TooMuch {
            span: Some(SignedDuration::from_hours(24)),
            rows: None,
            members: None,
            status,
        };
        stub.set_limits(Limits {
            too_much: Some(too_much),
            ..Limits::default()
        });
        let wide = "select uuid from events where timestamp >= '2026-03-01' and timestamp < '2026-03-03' limit 10";
        let (found, kind, code, detail) = error(ask(&stub, wide).await).await;
        assert_eq!((found, kind.as_str()), (status, "server_error"));
        assert_eq!(code == "clickhouse_memory_limit_exceeded", status == 513);
        assert_eq!(
            detail.starts_with("Query has hit the max execution time before completing"),
            status == 504
        );
        let narrow = "select uuid from events where timestamp >= '2026-03-01' and timestamp < '2026-03-02' limit 10";
        assert_eq!(ask(&stub, narrow).await.status(), 200);
    }
    let read: Vec<u64> = stub
        .requests()
        .iter()
        .filter(|one| one.endpoint == Endpoint::Query)
        .map(|one| one.bytes_read)
        .collect();
    assert_eq!(read, [0, 48, 0, 48, 0, 48]);
}
