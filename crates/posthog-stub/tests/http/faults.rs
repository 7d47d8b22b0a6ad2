use std::time::{Duration, Instant};

use posthog_stub::{Endpoint, Fault};
use serde_json::{Value, json};

use super::{ask, body, error, get, post, query, started, until};

#[tokio::test]
async fn refusals_have_their_status_code_and_retry_after() {
    let stub = started().await;
    for (fault, status, code, retry_after) in [
        (
            Fault::Throttle {
                retry_after: Some(62),
            },
            429,
            "throttled",
            Some("62"),
        ),
        (
            Fault::Throttle { retry_after: None },
            429,
            "throttled",
            None,
        ),
        (Fault::Concurrency, 429, "throttled", None),
        (
            Fault::Budget { retry_after: 900 },
            429,
            "api_queries_budget_exceeded",
            Some("900"),
        ),
        (
            Fault::QuotaExceeded,
            402,
            "api_queries_quota_exceeded",
            None,
        ),
        (Fault::Internal, 500, "error", None),
        (Fault::Busy, 503, "error", None),
        (
            Fault::DatabaseUnavailable,
            503,
            "database_unavailable",
            Some("1"),
        ),
        (Fault::Timeout, 504, "error", None),
        (Fault::TooSlow, 512, "error", None),
        (
            Fault::OutOfMemory,
            513,
            "clickhouse_memory_limit_exceeded",
            None,
        ),
    ] {
        stub.faults().push(Endpoint::Query, fault.clone());
        let answer = ask(&stub, "select 1").await;
        let header = answer
            .headers()
            .get("retry-after")
            .map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(header.as_deref(), retry_after, "{fault:?}");
        let (found, _, found_code, _) = error(answer).await;
        assert_eq!((found, found_code.as_str()), (status, code), "{fault:?}");
        assert_eq!(
            ask(&stub, "select 1").await.status(),
            200,
            "a fault is used up"
        );
    }
}

#[tokio::test]
async fn the_script_counts_requests_to_its_endpoint_only() {
    let stub = started().await;
    stub.faults()
        .push_after(Endpoint::Query, 1, 2, Fault::Internal);
    assert_eq!(get(&stub, "/api/projects/1/").await.status(), 200);
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(ask(&stub, "select 1").await.status().as_u16());
    }
    assert_eq!(seen, [200, 500, 500, 200]);
    assert_eq!(stub.faults().remaining(), 0);
    stub.faults().always(Endpoint::Any, Fault::Busy);
    assert_eq!(get(&stub, "/api/projects/1/").await.status(), 503);
    assert_eq!(ask(&stub, "select 1").await.status(), 503);
    stub.faults().clear();
    assert_eq!(ask(&stub, "select 1").await.status(), 200);
}

#[tokio::test]
async fn rows_can_be_spoiled() {
    let stub = started().await;
    let text =
        "select event, properties from events where distinct_id = 'ada' order by timestamp limit 1";
    let spoiled = async |fault: Fault| {
        stub.faults().push(Endpoint::Query, fault);
        body(ask(&stub, text).await).await
    };
    assert_eq!(
        spoiled(Fault::WrongColumns).await["columns"],
        json!(["column_0", "column_1"])
    );
    assert_eq!(
        spoiled(Fault::ShortRows).await["results"],
        json!([["$pageview"]])
    );
    assert_eq!(
        spoiled(Fault::DuplicateRows).await["results"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        spoiled(Fault::ObjectProperties).await["results"][0][1],
        json!({"$current_url": "https://x/products/a"})
    );
    let failed = spoiled(Fault::ErrorInBody).await;
    assert_eq!(
        (failed["error"].is_string(), &failed["results"]),
        (true, &Value::Null)
    );
}

#[tokio::test]
async fn bodies_can_break_on_the_way() {
    let stub = started().await;
    stub.faults()
        .push(Endpoint::Query, Fault::Truncated { bytes: 20 });
    let answer = ask(&stub, "select 1").await;
    assert_eq!(answer.status(), 200);
    assert!(answer.bytes().await.is_err());
    stub.faults().push(
        Endpoint::Query,
        Fault::Drip {
            bytes: 400,
            every: Duration::from_millis(50),
        },
    );
    let start = Instant::now();
    let answer = body(ask(&stub, "select 1 limit 1").await).await;
    assert_eq!(answer["results"], json!([[1]]));
    assert!(start.elapsed() >= Duration::from_millis(50));
    stub.faults().push(Endpoint::Query, Fault::Endless);
    let mut answer = ask(&stub, "select 1").await;
    let mut received = 0;
    while received < 1_000_000 {
        received += answer.chunk().await.unwrap().unwrap().len();
    }
}

#[tokio::test]
async fn a_request_can_hang_be_late_or_be_reset() {
    let stub = started().await;
    stub.faults().push(Endpoint::Query, Fault::Hang);
    let hanging = async {
        until(|| stub.faults().remaining() == 0).await;
        // An answer would have come by then.
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    tokio::select! {
        answer = ask(&stub, "select 1") => panic!("{answer:?}"),
        () = hanging => {}
    }
    stub.faults()
        .push(Endpoint::Query, Fault::Delay(Duration::from_millis(100)));
    let start = Instant::now();
    assert_eq!(ask(&stub, "select 1").await.status(), 200);
    assert!(start.elapsed() >= Duration::from_millis(100));
    stub.faults().push(Endpoint::Query, Fault::Reset);
    let reset = post(&stub, "/api/projects/1/query/", &query("select 1")).await;
    assert!(reset.is_err_and(|error| error.is_request()));
    assert_eq!(ask(&stub, "select 1").await.status(), 200);
}

#[tokio::test]
async fn web_pages_redirects_and_other_statuses_are_served() {
    let stub = started().await;
    stub.faults()
        .push(Endpoint::Project, Fault::Html { status: 200 });
    let page = get(&stub, "/api/projects/1/").await;
    assert!(
        page.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/html")
    );
    stub.faults().push(
        Endpoint::Project,
        Fault::Redirect {
            to: "http://127.0.0.1:9/elsewhere".to_owned(),
        },
    );
    let away = get(&stub, "/api/projects/1/").await;
    assert_eq!(
        (
            away.status().as_u16(),
            away.headers()["location"].to_str().unwrap()
        ),
        (302, "http://127.0.0.1:9/elsewhere")
    );
    stub.faults().push(
        Endpoint::Project,
        Fault::Status {
            status: 418,
            body: "{}".to_owned(),
        },
    );
    assert_eq!(get(&stub, "/api/projects/1/").await.status(), 418);
}
