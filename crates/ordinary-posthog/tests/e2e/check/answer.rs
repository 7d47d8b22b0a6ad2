//! Answers that are not PostHog's, or not whole.
//!
//! That an answer which stands still is given up on is tested in the `posthog` crate, where the time
//! for it can be made short: a person would wait half a minute here, and so would the test.

use std::time::Duration;

use posthog_stub::{Endpoint, Fault};

use super::check;
use crate::support::documents::Document;
use crate::support::host::babbler;
use crate::support::program::Ended;
use crate::support::shop;

/// `check` while this endpoint misbehaves so.
async fn check_with(endpoint: Endpoint, fault: Fault) -> Ended {
    let stub = shop::small_shop().await;
    stub.faults().always(endpoint, fault);
    check(&Document::of(&stub)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_web_page_is_not_taken_for_posthog() {
    for status in [200, 404, 403] {
        let ended = check_with(Endpoint::Any, Fault::Html { status }).await;
        ended.with_code(18).says(&[
            "http://127.0.0.1",
            "does not answer like PostHog",
            "check host",
        ]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_even_http_is_not_taken_for_posthog() {
    let address = babbler(b"220 mail.example ESMTP\r\n").await;
    let ended = check(&Document::at(&format!("http://{address}"))).await;
    assert!(matches!(ended.code, Some(17 | 18)), "{ended}");
    ended.says(&[&address.to_string(), "check host"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_that_is_not_posthogs_is_not_understood() {
    for endpoint in [Endpoint::CurrentKey, Endpoint::Project, Endpoint::Query] {
        for body in ["{}", "[7]", "nonsense"] {
            let fault = Fault::Status {
                status: 200,
                body: body.to_owned(),
            };
            check_with(endpoint, fault.clone()).await.with_code(18);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_breaks_off_is_told_and_never_half_used() {
    for endpoint in [Endpoint::CurrentKey, Endpoint::Project, Endpoint::Query] {
        let ended = check_with(endpoint, Fault::Truncated { bytes: 20 }).await;
        ended
            .with_code(18)
            .says(&["broke off"])
            .does_not_say(&["works"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_breaks_off_once_is_asked_for_again() {
    let stub = shop::small_shop().await;
    stub.faults()
        .push(Endpoint::Query, Fault::Truncated { bytes: 20 });
    stub.faults().push(Endpoint::Project, Fault::Reset);
    check(&Document::of(&stub))
        .await
        .with_code(0)
        .says(&["works"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_comes_slowly_but_comes_is_waited_for() {
    let drip = Fault::Drip {
        bytes: 40,
        every: Duration::from_millis(20),
    };
    check_with(Endpoint::Any, drip)
        .await
        .with_code(0)
        .says(&["works"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_without_end_is_cut_off() {
    let ended = check_with(Endpoint::CurrentKey, Fault::Endless).await;
    ended.with_code(18).says(&["larger than"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_is_not_followed_with_the_key() {
    let other = shop::small_shop().await;
    let to = format!("{}/login", other.url());
    let ended = check_with(Endpoint::Any, Fault::Redirect { to }).await;
    ended
        .with_code(18)
        .says(&["redirects to", other.url(), "set host"]);
    assert!(other.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn used_up_limits_are_told_with_the_wait() {
    for endpoint in [Endpoint::CurrentKey, Endpoint::Query] {
        let ended = check_with(
            endpoint,
            Fault::Throttle {
                retry_after: Some(3_600),
            },
        )
        .await;
        ended.with_code(19).says(&["throttles", "3600 s"]);
    }
    let ended = check_with(Endpoint::Query, Fault::Budget { retry_after: 900 }).await;
    ended.with_code(19).says(&["throttles", "900 s"]);
    let ended = check_with(Endpoint::Query, Fault::QuotaExceeded).await;
    ended.with_code(19).says(&["quota", "billing"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_and_rows_that_were_not_asked_for_are_never_silently_used() {
    for fault in [Fault::WrongColumns, Fault::ShortRows, Fault::ErrorInBody] {
        let ended = check_with(Endpoint::Query, fault).await;
        ended.with_code(18).does_not_say(&["works"]);
    }
}
