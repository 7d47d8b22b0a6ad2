//! What the client makes of a PostHog that throttles, fails, stalls, lies or is none at all.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use domain::sync::{RunTotals, SliceEvents};
use posthog::{Client, Error, Http, HttpConfig, ThrottleKind};
use posthog_stub::{Endpoint, Fault, StubHandle};
use support::*;

async fn shop() -> Result<(StubHandle, Client), Box<dyn std::error::Error>> {
    let events = (0..200).map(|n| event("$pageview", "a", n)).collect();
    let stub = start("UTC", events).await?;
    let client = client(&stub)?;
    Ok((stub, client))
}

async fn rows(client: &Client) -> Result<usize, Error> {
    let slice = slice(day(), SliceEvents::All);
    Ok(read_all(client, &slice).await?.len())
}

#[tokio::test]
async fn passing_failures_are_asked_again_and_cost_requests() -> TestResult {
    let (stub, client) = shop().await?;
    for fault in [
        Fault::Reset,
        Fault::Internal,
        Fault::Busy,
        Fault::Truncated { bytes: 700 },
        Fault::Concurrency,
    ] {
        stub.faults().push_times(Endpoint::Query, 2, fault.clone());
        let before = client.cost().requests;
        assert_eq!(rows(&client).await?, 200, "{fault:?}");
        assert_eq!(client.cost().requests - before, 3, "{fault:?}");
    }
    Ok(())
}

#[tokio::test]
async fn requests_of_all_clients_of_a_process_are_counted_by_how_they_ended() -> TestResult {
    let (stub, _) = shop().await?;
    let http = Http::new(patient())?;
    let client = client_through(stub.url(), KEY, http.clone())?;
    assert!(http.asked().is_empty());
    stub.faults().push(Endpoint::Query, Fault::Internal);
    rows(&client).await?;
    let other = client_through(stub.url(), "phx_nobody_knows_this", http.clone())?;
    failure(other.key_info().await)?;
    stub.faults().push(Endpoint::Query, Fault::Hang);
    let arrived = async {
        while stub.faults().remaining() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        read = rows(&client) => return Err(format!("it was answered: {read:?}").into()),
        () = arrived => {}
    }

    let asked: BTreeMap<_, _> = http.asked().into_iter().collect();
    let requests = |outcome| asked.get(outcome).map(|sum| sum.requests);
    assert_eq!(requests("Unavailable"), Some(1));
    assert_eq!(requests("complete"), Some(1));
    assert_eq!(requests("InvalidApiKey"), Some(1));
    assert_eq!(requests("Abandoned"), Some(1));
    let sum = |field: fn(&RunTotals) -> u64| asked.values().map(field).sum::<u64>();
    let cost = [client.cost(), other.cost()];
    let of_clients = |field: fn(&RunTotals) -> u64| cost.iter().map(field).sum::<u64>();
    for field in [
        |totals: &RunTotals| totals.requests,
        |totals: &RunTotals| totals.bytes_received,
        |totals: &RunTotals| totals.bytes_read,
    ] {
        assert_eq!(sum(field), of_clients(field));
        assert!(sum(field) > 0);
    }
    Ok(())
}

#[tokio::test]
async fn failures_that_stay_end_in_their_own_error() -> TestResult {
    let cases: [(Fault, &str); 6] = [
        (Fault::Reset, "Unreachable"),
        (Fault::Internal, "Unavailable"),
        (Fault::Truncated { bytes: 700 }, "Truncated"),
        (Fault::Concurrency, "Throttled"),
        (Fault::QuotaExceeded, "QuotaExceeded"),
        (Fault::ErrorInBody, "QueryRejected"),
    ];
    let (stub, client) = shop().await?;
    for (fault, reason) in cases {
        stub.faults().clear();
        stub.faults().always(Endpoint::Query, fault);
        let error = failure(rows(&client).await)?;
        assert_eq!(error.reason(), reason, "{error}");
    }
    assert!(client.cost().requests <= 4 + 4 + 4 + 5 + 1 + 1);
    Ok(())
}

#[tokio::test]
async fn a_heavy_query_is_never_sent_twice() -> TestResult {
    let (stub, client) = shop().await?;
    for (fault, expected) in [
        (Fault::Timeout, 504),
        (Fault::TooSlow, 512),
        (Fault::OutOfMemory, 513),
    ] {
        stub.faults().push(Endpoint::Query, fault);
        let before = client.cost().requests;
        let error = failure(rows(&client).await)?;
        assert!(matches!(error, Error::QueryTooHeavy { status, .. } if status == expected));
        assert!(error.wants_smaller_query());
        assert_eq!(client.cost().requests - before, 1);
    }
    Ok(())
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_as_long_as_posthog_says() -> TestResult {
    let (stub, client) = shop().await?;
    stub.faults().push(
        Endpoint::Query,
        Fault::Throttle {
            retry_after: Some(1),
        },
    );
    let begun = Instant::now();
    assert_eq!(rows(&client).await?, 200);
    assert!(begun.elapsed() >= Duration::from_secs(1));
    Ok(())
}

#[tokio::test]
async fn a_spent_budget_and_a_long_limit_are_told_with_their_time() -> TestResult {
    let cases = [
        (
            Fault::Budget { retry_after: 1800 },
            ThrottleKind::Budget,
            1800,
        ),
        (
            Fault::Throttle {
                retry_after: Some(3600),
            },
            ThrottleKind::Rate,
            3600,
        ),
    ];
    for (fault, expected, seconds) in cases {
        let (stub, client) = shop().await?;
        stub.faults().push(Endpoint::Query, fault);
        let error = failure(rows(&client).await)?;
        assert!(matches!(error, Error::Throttled { kind, .. } if kind == expected));
        assert_eq!(error.retry_after(), Some(Duration::from_secs(seconds)));
        assert_eq!(client.cost().requests, 1);
    }
    Ok(())
}

#[tokio::test]
async fn a_hung_a_stalled_and_an_endless_answer_each_end_in_time() -> TestResult {
    let (stub, _) = shop().await?;
    let client = client_of(stub.url(), KEY, hasty())?;
    stub.faults().push(Endpoint::Query, Fault::Hang);
    let error = failure(rows(&client).await)?;
    assert!(
        matches!(&error, Error::Timeout { reason, .. } if reason == "nothing came within 400ms"),
        "{error}"
    );
    let every = Duration::from_secs(2);
    stub.faults()
        .push(Endpoint::Query, Fault::Drip { bytes: 10, every });
    let error = failure(rows(&client).await)?;
    assert_eq!(error.reason(), "Timeout", "{error}");
    let small = HttpConfig {
        max_answer: 100_000,
        ..patient()
    };
    let client = client_of(stub.url(), KEY, small)?;
    stub.faults().push(Endpoint::CurrentKey, Fault::Endless);
    let error = failure(client.key_info().await)?;
    assert!(
        matches!(error, Error::TooLarge { limit: 100_000, .. }),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn an_endless_query_answer_is_stopped() -> TestResult {
    let (stub, _) = shop().await?;
    let small = HttpConfig {
        max_answer: 100_000,
        ..patient()
    };
    let client = client_of(stub.url(), KEY, small)?;
    stub.faults().push(Endpoint::Query, Fault::Endless);
    let error = failure(rows(&client).await)?;
    assert!(
        matches!(error, Error::TooLarge { .. } | Error::Malformed { .. }),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn an_answer_that_drips_past_the_total_time_is_given_up() -> TestResult {
    let (stub, _) = shop().await?;
    let http = HttpConfig {
        total_timeout: Duration::from_millis(600),
        idle_timeout: Duration::from_secs(5),
        ..patient()
    };
    let client = client_of(stub.url(), KEY, http)?;
    let every = Duration::from_millis(50);
    stub.faults()
        .push(Endpoint::Query, Fault::Drip { bytes: 10, every });
    let error = failure(rows(&client).await)?;
    assert!(
        matches!(&error, Error::Timeout { reason, .. } if reason.contains("not complete")),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_gone_on_with_where_its_last_whole_page_ended() -> TestResult {
    let events = (0..12_000)
        .map(|n| event("$pageview", &format!("d{n}"), n % 40_000))
        .collect();
    let stub = start("UTC", events).await?;
    let client = client(&stub)?;
    let slice = slice(day(), SliceEvents::All);
    let (pages, more) = read_once(&client, &slice, None).await?;
    assert!(more.is_none() && pages.len() > 2);
    assert!(pages.iter().all(|page| page.events.len() < 4_500));
    // The answers are compressed, so where one is cut off is anywhere within.
    let bytes = usize::try_from(client.cost().bytes_received)?;
    let mut gone_on = 0;
    for share in [2, 4, 8, 16] {
        let bytes = bytes / share;
        stub.faults()
            .push(Endpoint::Query, Fault::Truncated { bytes });
        let (mut pages, mut more) = read_once(&client, &slice, None).await?;
        while more.is_some() {
            gone_on += 1;
            assert_eq!(more, pages.last().and_then(|page| page.more));
            let (rest, further) = read_once(&client, &slice, more).await?;
            pages.extend(rest);
            more = further;
        }
        let read: Vec<_> = pages.into_iter().flat_map(|page| page.events).collect();
        let ids: BTreeSet<_> = read.iter().map(|event| &event.distinct_id).collect();
        assert_eq!((read.len(), ids.len()), (12_000, 12_000));
    }
    assert!(gone_on > 0);
    Ok(())
}

#[tokio::test]
async fn columns_and_rows_of_another_shape_are_refused() -> TestResult {
    let (stub, client) = shop().await?;
    for fault in [Fault::WrongColumns, Fault::ShortRows] {
        stub.faults().push(Endpoint::Query, fault.clone());
        let error = failure(rows(&client).await)?;
        assert_eq!(error.reason(), "Malformed", "{fault:?}: {error}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_not_posthog_is_said_to_be_something_else() -> TestResult {
    let (stub, client) = shop().await?;
    let html = |status| Fault::Html { status };
    let json = |body: &str| Fault::Status {
        status: 200,
        body: body.to_owned(),
    };
    for fault in [
        html(200),
        html(404),
        html(403),
        json("[]"),
        json("{}"),
        json("hello"),
    ] {
        stub.faults().push(Endpoint::CurrentKey, fault.clone());
        let error = failure(client.key_info().await)?;
        assert_eq!(error.reason(), "NotPostHog", "{fault:?}: {error}");
    }
    Ok(())
}

#[tokio::test]
async fn no_redirect_is_followed_and_the_key_stays_here() -> TestResult {
    let (stub, client) = shop().await?;
    let elsewhere = start("UTC", Vec::new()).await?;
    for endpoint in [Endpoint::CurrentKey, Endpoint::Query] {
        let to = format!("{}/api/personal_api_keys/@current/", elsewhere.url());
        stub.faults().push(endpoint, Fault::Redirect { to });
    }
    for error in [
        failure(client.key_info().await)?,
        failure(rows(&client).await)?,
    ] {
        assert!(
            matches!(&error, Error::Redirected { to, .. } if to == elsewhere.url()),
            "{error}"
        );
    }
    assert!(elsewhere.requests().is_empty());
    Ok(())
}

#[tokio::test]
async fn hosts_outside_the_policy_are_never_asked() -> TestResult {
    let (stub, _) = shop().await?;
    let strict = HttpConfig {
        allow_insecure_hosts: Vec::new(),
        ..patient()
    };
    let port = stub.address().port();
    for url in [
        stub.url().to_owned(),
        format!("https://127.0.0.1:{port}"),
        format!("https://localhost:{port}"),
    ] {
        let error = failure(client_of(&url, KEY, strict.clone())?.key_info().await)?;
        assert!(
            matches!(&error, Error::HostRefused { reason, .. } if reason.contains("--allow-insecure-host")),
            "{url}: {error}"
        );
    }
    assert!(stub.requests().is_empty());
    Ok(())
}

#[tokio::test]
async fn an_unreachable_host_and_a_failed_handshake_are_told_apart() -> TestResult {
    let (stub, _) = shop().await?;
    let port = stub.address().port();
    let tls = client_of(&format!("https://127.0.0.1:{port}"), KEY, patient())?;
    let error = failure(tls.key_info().await)?;
    assert_eq!(error.reason(), "Tls", "{error}");
    stub.shutdown().await;
    let gone = client_of(&format!("http://127.0.0.1:{port}"), KEY, patient())?;
    let error = failure(gone.key_info().await)?;
    assert_eq!(error.reason(), "Unreachable", "{error}");
    let nowhere = client_of("https://posthog.invalid", KEY, patient())?;
    let error = failure(nowhere.key_info().await)?;
    assert_eq!(error.reason(), "Unreachable", "{error}");
    Ok(())
}

#[test]
fn neither_client_nor_config_shows_the_key() -> TestResult {
    let client = client_of("https://eu.posthog.com", KEY, patient())?;
    let text = format!("{client:?} {:?}", Http::new(patient())?);
    assert!(!text.contains(KEY));
    Ok(())
}
