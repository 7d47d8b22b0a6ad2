//! Where the files of exports are kept: a server of its own, as S3 is for PostHog Cloud. An address that is
//! signed lets anybody read the file; a request that also carries a key is refused, as S3 does.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::Response;
use uuid::Uuid;

use super::Server;
use super::answer::Answer;
use super::connection::Peer;
use super::exchange::{entry, send};
use super::fault::{Endpoint, Fault};
use super::request::Request;
use super::sabotage;

pub(crate) async fn handle(
    State(server): State<Arc<Server>>,
    ConnectInfo(Peer(cut)): ConnectInfo<Peer>,
    incoming: axum::extract::Request,
) -> Response<Body> {
    let (head, _) = incoming.into_parts();
    let request = Request::new(head.method, &head.uri, head.headers, &[]);
    let fault = server.faults.take(Endpoint::Bucket, None);
    let mut logged = entry(&request, fault.clone());
    logged.endpoint = Endpoint::Bucket;
    let ticket = server.log.push(logged);
    if server.closed.load(Ordering::Acquire) || fault == Some(Fault::Reset) {
        cut.now();
        return Response::new(Body::empty());
    }
    match &fault {
        Some(Fault::Hang) => return pending().await,
        Some(Fault::Delay(pause)) => tokio::time::sleep(*pause).await,
        _ => {}
    }
    let answer = fault
        .as_ref()
        .and_then(sabotage::instead)
        .unwrap_or_else(|| answer(&server, &request));
    server
        .log
        .amend(ticket, |entry| entry.status = answer.status);
    send(answer, fault.as_ref(), false)
}

fn answer(server: &Server, request: &Request) -> Answer {
    let refuse = |status, code: &str| {
        let body = format!("<Error><Code>{code}</Code></Error>");
        Answer::raw(status, "application/xml", body.into_bytes())
    };
    if request.headers.contains_key("authorization") {
        // "Only one auth mechanism allowed".
        return refuse(400, "InvalidArgument");
    }
    if request.parameter("X-Amz-Signature").is_none() {
        return refuse(403, "AccessDenied");
    }
    match named(&request.target).and_then(|(export, file)| server.exports.bytes(export, file)) {
        Some(bytes) => {
            Answer::raw(200, "application/octet-stream", bytes).header("content-encoding", "gzip")
        }
        None => refuse(404, "NoSuchKey"),
    }
}

/// `/batch-exports/{export}/{file}.jsonl.gz`.
fn named(target: &str) -> Option<(Uuid, Uuid)> {
    let path = target.split('?').next()?.strip_prefix("/batch-exports/")?;
    let (export, file) = path.strip_suffix(".jsonl.gz")?.split_once('/')?;
    Some((export.parse().ok()?, file.parse().ok()?))
}
