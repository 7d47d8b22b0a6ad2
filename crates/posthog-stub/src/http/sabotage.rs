//! Turns a fault into bytes: refusals in place of the answer, and answers that break on the way.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;

use super::answer::Answer;
use super::fault::Fault;

const PAGE: &str = "<!DOCTYPE html><html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>";

/// The answer that a fault puts in place of the real one, if it does.
pub(crate) fn instead(fault: &Fault) -> Option<Answer> {
    let server_error =
        |status, code, detail| Some(Answer::error(status, "server_error", code, detail));
    match fault {
        Fault::Throttle { retry_after } => Some(Answer::throttled(*retry_after)),
        Fault::Concurrency => Some(Answer::too_many_queries()),
        Fault::Budget { retry_after } => Some(Answer::budget_exceeded(*retry_after)),
        Fault::QuotaExceeded => server_error(402, "api_queries_quota_exceeded", "The API query quota of this period is used up."),
        Fault::Internal => server_error(500, "error", "ClickHouse error while executing query."),
        Fault::Busy => server_error(503, "error", "Queries are a little too busy right now. Please try again later."),
        Fault::DatabaseUnavailable => server_error(503, "database_unavailable", "The database is temporarily unavailable.")
            .map(|answer| answer.header("retry-after", "1")),
        Fault::Timeout => Some(Answer::too_much(504)),
        Fault::TooSlow => Some(Answer::too_much(512)),
        Fault::OutOfMemory => Some(Answer::too_much(513)),
        Fault::Status { status, body } => Some(Answer::raw(*status, "application/json", body.clone().into_bytes())),
        Fault::Html { status } => Some(Answer::raw(*status, "text/html; charset=utf-8", PAGE.into())),
        Fault::Redirect { to } => Some(Answer::raw(302, "text/html; charset=utf-8", Vec::new()).header("location", to.clone())),
        Fault::ErrorInBody => Some(Answer::raw(
            200,
            "application/json",
            br#"{"results":null,"columns":null,"types":null,"error":"Query failed","hasMore":null}"#.into(),
        )),
        Fault::Hang
        | Fault::Delay(_)
        | Fault::Drip { .. }
        | Fault::Truncated { .. }
        | Fault::Endless
        | Fault::Reset
        | Fault::WrongColumns
        | Fault::ShortRows
        | Fault::ObjectProperties
        | Fault::Column { .. }
        | Fault::DuplicateRows => None,
    }
}

/// The body as a fault lets it through.
pub(crate) fn body(fault: Option<&Fault>, bytes: Vec<u8>) -> Body {
    match fault {
        Some(Fault::Drip {
            bytes: piece,
            every,
        }) => drip(bytes.into(), (*piece).max(1), *every),
        Some(Fault::Truncated { bytes: sent }) => truncated(&bytes.into(), *sent),
        Some(Fault::Endless) => endless(),
        _ => Body::from(bytes),
    }
}

fn drip(bytes: Bytes, piece: usize, every: Duration) -> Body {
    Body::from_stream(stream::unfold(bytes, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(every).await;
        let head = rest.split_to(piece.min(rest.len()));
        Some((Ok::<_, Infallible>(head), rest))
    }))
}

fn truncated(bytes: &Bytes, sent: usize) -> Body {
    let head = bytes.slice(..sent.min(bytes.len()));
    let broken = io::Error::from(io::ErrorKind::ConnectionAborted);
    let parts = [
        (Duration::ZERO, Ok(head)),
        (Duration::from_millis(20), Err(broken)),
    ];
    // The pause lets the first part leave before the error tears the connection down.
    Body::from_stream(stream::unfold(parts.into_iter(), |mut parts| async move {
        let (pause, part) = parts.next()?;
        tokio::time::sleep(pause).await;
        Some((part, parts))
    }))
}

fn endless() -> Body {
    let row: Bytes = r#"["00000000-0000-0000-0000-000000000000","$pageview"],"#
        .repeat(512)
        .into();
    Body::from_stream(stream::unfold(true, move |first| {
        let piece = if first {
            Bytes::from_static(br#"{"columns":["uuid","event"],"results":["#)
        } else {
            row.clone()
        };
        async move { Some((Ok::<_, Infallible>(piece), false)) }
    }))
}
