//! Error bodies exactly as PostHog's source and tests have them (POSTHOG.md 2.3, 5.7, 5.8).

use super::*;
use crate::request::Success;
use domain::ProjectId;

fn error(
    request: &Request,
    status: u16,
    retry_after: Option<u64>,
    body: &str,
) -> Result<Error, String> {
    let host = ApiHost::parse("https://eu.posthog.com").map_err(|error| error.to_string())?;
    Ok(Refusal {
        host: &host,
        request,
        status,
        retry_after: retry_after.map(Duration::from_secs),
        body: body.as_bytes(),
    }
    .into_error())
}

fn query() -> Result<Request, String> {
    Ok(Request {
        path: "/api/projects/4242/query/".to_owned(),
        body: None,
        name: "page",
        subject: Subject::Query(project()?),
        success: Success::Status(reqwest::StatusCode::OK),
    })
}

fn project() -> Result<ProjectId, String> {
    ProjectId::try_from(4242).map_err(|error| error.to_string())
}

fn of_query(status: u16, retry_after: Option<u64>, body: &str) -> Result<Error, String> {
    error(&query()?, status, retry_after, body)
}

const BAD_KEY: &str = r#"{"type":"authentication_error","code":"authentication_failed","detail":"Personal API key found in request Authorization header is invalid.","attr":null}"#;

#[test]
fn a_bad_key_is_told_by_its_code_whatever_the_status() -> Result<(), String> {
    for (request, status) in [(query()?, 403), (Request::key(), 401)] {
        assert!(matches!(
            error(&request, status, None, BAD_KEY)?,
            Error::InvalidApiKey { .. }
        ));
    }
    let text = of_query(403, None, BAD_KEY)?.to_string();
    assert!(text.starts_with("Invalid API key: "), "{text}");
    Ok(())
}

#[test]
fn a_missing_scope_is_named_and_is_no_bad_key() -> Result<(), String> {
    let body = r#"{"type":"authentication_error","code":"permission_denied","detail":"API key missing required scope 'query:read'","attr":null}"#;
    let found = of_query(403, None, body)?;
    assert!(matches!(found, Error::MissingScope { scope } if scope == "query:read"));
    Ok(())
}

#[test]
fn every_way_of_not_reaching_the_project_keeps_posthogs_words() -> Result<(), String> {
    for detail in [
        "API key does not have access to the requested project: ID 4242.",
        "API keys with scoped projects are only supported on project-based endpoints.",
        "Organization 'Acme' does not allow using personal API keys. Contact an admin to enable personal API keys for this organization.",
        "You don't have access to the project.",
    ] {
        let body = serde_json::json!({"type": "authentication_error", "code": "permission_denied", "detail": detail, "attr": null});
        let found = of_query(403, None, &body.to_string())?;
        assert!(matches!(&found, Error::NoProjectAccess { reason, .. } if reason == detail));
    }
    Ok(())
}

#[test]
fn not_found_means_the_project_or_an_old_posthog() -> Result<(), String> {
    let body = |detail: &str| {
        format!(
            r#"{{"type":"invalid_request","code":"not_found","detail":"{detail}","attr":null}}"#
        )
    };
    let nested = of_query(404, None, &body("Project not found."))?;
    assert!(matches!(nested, Error::ProjectNotFound { .. }));
    let own = error(
        &Request::project(project()?),
        404,
        None,
        &body("Not found."),
    )?;
    assert!(matches!(own, Error::ProjectNotFound { .. }));
    let old = error(&Request::key(), 404, None, &body("Endpoint not found."))?;
    assert!(matches!(old, Error::NotPostHog { .. }));
    Ok(())
}

#[test]
fn the_three_kinds_of_429_are_told_apart() -> Result<(), String> {
    let body = |code: &str, detail: &str| {
        format!(r#"{{"type":"throttled_error","code":"{code}","detail":"{detail}","attr":null}}"#)
    };
    let cases = [
        (
            Some(62),
            "throttled",
            "Request was throttled. Expected available in 62 seconds.",
            ThrottleKind::Rate,
        ),
        (
            None,
            "throttled",
            "Request was throttled.",
            ThrottleKind::Rate,
        ),
        (
            None,
            "throttled",
            "Too many queries are running right now — please try again in a moment.",
            ThrottleKind::Concurrency,
        ),
        (
            Some(1800),
            "api_queries_budget_exceeded",
            "Over budget.",
            ThrottleKind::Budget,
        ),
    ];
    for (wait, code, detail, expected) in cases {
        let found = of_query(429, wait, &body(code, detail))?;
        let Error::Throttled { kind, retry_after } = found else {
            return Err(format!("{found:?}"));
        };
        assert_eq!(
            (kind, retry_after),
            (expected, wait.map(Duration::from_secs))
        );
    }
    Ok(())
}

#[test]
fn quota_and_heavy_queries_have_their_own_errors() -> Result<(), String> {
    let body = |code: &str| {
        format!(r#"{{"type":"server_error","code":"{code}","detail":"x","attr":null}}"#)
    };
    for (status, code) in [
        (402, "api_queries_quota_exceeded"),
        (402, "quota_limited"),
        (402, "error"),
    ] {
        assert!(matches!(
            of_query(status, None, &body(code))?,
            Error::QuotaExceeded
        ));
    }
    for (status, code) in [
        (504, "error"),
        (512, "error"),
        (513, "clickhouse_memory_limit_exceeded"),
        (400, "too_many_bytes"),
    ] {
        let found = of_query(status, None, &body(code))?;
        assert!(
            matches!(found, Error::QueryTooHeavy { .. }) && found.wants_smaller_query(),
            "{status}"
        );
    }
    assert!(matches!(
        of_query(504, None, "<html>Gateway Timeout</html>")?,
        Error::QueryTooHeavy { .. }
    ));
    Ok(())
}

#[test]
fn failures_of_posthog_are_worth_another_try_and_refused_queries_are_not() -> Result<(), String> {
    let unavailable =
        r#"{"type":"server_error","code":"database_unavailable","detail":"x","attr":null}"#;
    let found = of_query(503, Some(1), unavailable)?;
    assert!(found.is_retryable() && found.retry_after() == Some(Duration::from_secs(1)));
    let rejected = r#"{"type":"validation_error","code":"illegal_type_of_argument","detail":"x\ny","attr":null}"#;
    let found = of_query(400, None, rejected)?;
    assert!(!found.is_retryable());
    assert!(matches!(found, Error::QueryRejected { detail, .. } if detail == "x y"));
    Ok(())
}

#[test]
fn a_page_of_html_is_not_posthog() -> Result<(), String> {
    let found = error(
        &Request::key(),
        404,
        None,
        "<!doctype html><title>404</title>",
    )?;
    assert!(matches!(found, Error::NotPostHog { .. }));
    Ok(())
}
