use posthog_stub::Event;
use serde_json::{Value, json};

use super::{KEY, ask, at, body, client, error, post, query, started};

#[tokio::test]
async fn an_answer_has_posthogs_shape() {
    let stub = started().await;
    let response = ask(
        &stub,
        "select event, timestamp from events order by timestamp limit 2",
    )
    .await;
    assert!(
        response
            .headers()
            .contains_key("x-posthog-query-bytes-read")
    );
    assert!(
        response
            .headers()
            .contains_key("x-posthog-query-budget-remaining-bytes")
    );
    let answer = body(response).await;
    assert_eq!(
        answer["results"],
        json!([
            ["$pageview", "2026-03-01T11:00:00+01:00"],
            ["$pageview", "2026-03-01T12:00:00.500000+01:00"]
        ])
    );
    assert_eq!(answer["columns"], json!(["event", "timestamp"]));
    assert_eq!(
        answer["types"],
        json!([
            ["event", "String"],
            ["timestamp", "DateTime64(6, 'Europe/Berlin')"]
        ])
    );
    assert_eq!(answer["error"], Value::Null);
    assert_eq!(answer["hasMore"], Value::Null);
    assert_eq!(answer["is_cached"], false);
    assert_eq!(answer["timezone"], "Europe/Berlin");
}

#[tokio::test]
async fn times_are_utc_when_the_modifier_says_so() {
    let stub = started().await;
    let mut asked = query("select timestamp from events order by timestamp limit 1");
    asked["query"]["modifiers"] = json!({"convertToProjectTimezone": false});
    let answer = body(post(&stub, "/api/projects/1/query/", &asked).await.unwrap()).await;
    assert_eq!(answer["results"], json!([["2026-03-01T10:00:00Z"]]));
}

#[tokio::test]
async fn has_more_is_told_only_without_a_limit() {
    let stub = started().await;
    let answer = body(ask(&stub, "select event from events").await).await;
    assert_eq!(
        (&answer["hasMore"], &answer["limit"], &answer["offset"]),
        (&json!(false), &json!(100), &json!(0))
    );
    let answer = body(ask(&stub, "select event from events limit 1").await).await;
    assert_eq!(
        (&answer["hasMore"], &answer["limit"]),
        (&Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn values_are_bound_and_text_survives_unchanged() {
    let stub = started().await;
    let mut asked = query("select event from events where event = {name} limit 5");
    asked["query"]["values"] = json!({"name": "order \"x\""});
    let answer = body(post(&stub, "/api/projects/1/query/", &asked).await.unwrap()).await;
    assert_eq!(answer["results"], json!([["order \"x\""]]));
}

#[tokio::test]
async fn without_force_blocking_an_answer_may_be_six_hours_old() {
    let stub = started().await;
    let count = async |refresh: Option<&str>| {
        let mut asked = query("select count() from events limit 1");
        asked["refresh"] = json!(refresh);
        let answer = body(post(&stub, "/api/projects/1/query/", &asked).await.unwrap()).await;
        (
            answer["results"][0][0].as_i64().unwrap(),
            answer["is_cached"].as_bool().unwrap(),
        )
    };
    assert_eq!(count(None).await, (3, false));
    stub.edit(|world| {
        world.project_mut(1).unwrap().capture(Event::new(
            "late",
            "ada",
            at("2026-03-02T12:00:00Z"),
        ));
    });
    assert_eq!(count(None).await, (3, true));
    assert_eq!(count(Some("blocking")).await, (3, true));
    assert_eq!(count(Some("force_blocking")).await, (4, false));
    assert_eq!(count(None).await, (4, true));
    stub.edit(|world| world.clock = posthog_stub::Clock::Fixed(at("2026-03-03T06:00:01Z")));
    assert_eq!(count(None).await, (4, false));
}

#[tokio::test]
async fn offset_and_bad_queries_are_400_validation_errors() {
    let stub = started().await;
    let (status, kind, code, detail) =
        error(ask(&stub, "select event from events limit 1 offset 0").await).await;
    assert_eq!(
        (status, kind.as_str(), code.as_str()),
        (400, "validation_error", "invalid_input")
    );
    assert!(detail.starts_with("OFFSET is not supported on queries made with a personal API key"));
    let (status, kind, code, detail) =
        error(ask(&stub, "select nope from events limit 1").await).await;
    assert_eq!(
        (status, kind.as_str(), code.as_str()),
        (400, "validation_error", "invalid_input")
    );
    assert_eq!(detail, "Unable to resolve field: nope");
    let (status, _, code, _) = error(ask(&stub, "select lower(1) limit 1").await).await;
    assert_eq!((status, code.as_str()), (400, "illegal_type_of_argument"));
}

#[tokio::test]
async fn malformed_bodies_are_parse_errors() {
    let stub = started().await;
    for sent in [
        json!({}),
        json!({"query": {"kind": "Unknown"}}),
        json!({"query": {"kind": "HogQLQuery"}}),
        json!({"query": {"kind": "HogQLQuery", "query": "select 1"}, "refresh": "sometimes"}),
        json!({"query": {"kind": "HogQLQuery", "query": "select 1"}, "limit_context": "mine"}),
    ] {
        let (status, kind, code, detail) =
            error(post(&stub, "/api/projects/1/query/", &sent).await.unwrap()).await;
        assert_eq!(
            (status, kind.as_str(), code.as_str()),
            (400, "invalid_request", "parse_error"),
            "{sent}"
        );
        assert!(
            detail.starts_with("1 validation error for QueryRequest"),
            "{detail}"
        );
    }
    let garbled = client()
        .post(format!("{}/api/projects/1/query/", stub.url()))
        .bearer_auth(KEY)
        .body("{")
        .send()
        .await
        .unwrap();
    assert_eq!(error(garbled).await.2, "parse_error");
    let mismatch = post(
        &stub,
        "/api/projects/1/query/EventsQuery/",
        &query("select 1"),
    )
    .await
    .unwrap();
    assert!(error(mismatch).await.3.starts_with("Query kind mismatch"));
    assert_eq!(
        post(
            &stub,
            "/api/projects/1/query/HogQLQuery/",
            &query("select 1")
        )
        .await
        .unwrap()
        .status(),
        200
    );
}

#[tokio::test]
async fn asynchronous_modes_answer_202() {
    let stub = started().await;
    let mut asked = query("select 1");
    asked["refresh"] = json!("force_async");
    let response = post(&stub, "/api/projects/1/query/", &asked).await.unwrap();
    assert_eq!(response.status(), 202);
    assert_eq!(body(response).await["query_status"]["complete"], false);
}

#[tokio::test]
async fn long_answers_are_compressed_when_asked() {
    let stub = started().await;
    let raw = reqwest::Client::builder()
        .no_gzip()
        .no_proxy()
        .build()
        .unwrap();
    let request = |gzip: bool| {
        let request = raw
            .post(format!("{}/api/projects/1/query/", stub.url()))
            .bearer_auth(KEY);
        let request = request.header("accept-encoding", if gzip { "gzip" } else { "identity" });
        request
            .body(query("select * from events limit 10").to_string())
            .send()
    };
    let (packed, plain) = (request(true).await.unwrap(), request(false).await.unwrap());
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    assert!(!plain.headers().contains_key("content-encoding"));
    let packed = packed.bytes().await.unwrap();
    assert_eq!(packed.get(..2), Some([0x1f, 0x8b].as_slice()));
    assert_eq!(
        body(ask(&stub, "select 1 limit 1").await).await["results"],
        json!([[1]])
    );
    assert!(serde_json::from_slice::<Value>(&plain.bytes().await.unwrap()).is_ok());
}

#[tokio::test]
async fn requests_are_logged_without_the_key() {
    let stub = started().await;
    let mut asked = query("select {x} limit 1");
    asked["query"]["values"] = json!({"x": 1});
    asked["name"] = json!("first look");
    post(&stub, "/api/projects/1/query/", &asked).await.unwrap();
    let logged = stub.requests();
    let [one] = logged.as_slice() else {
        panic!("{logged:?}")
    };
    assert_eq!(one.query.as_deref(), Some("select {x} limit 1"));
    assert_eq!(
        (
            one.values["x"].as_i64(),
            one.refresh.as_deref(),
            one.name.as_deref()
        ),
        (Some(1), Some("force_blocking"), Some("first look"))
    );
    assert_eq!((one.status, one.rows, one.authorized), (200, 1, true));
    assert!(!format!("{logged:?}").contains(KEY));
}
