//! One request from its bytes to its answer: log, faults, authentication, endpoint, compression.

use std::future::pending;
use std::io::Write as _;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{Method, Response, StatusCode};
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde_json::Value as Json;

use super::answer::Answer;
use super::connection::Peer;
use super::fault::Fault;
use super::log::LoggedRequest;
use super::request::{MAX_BODY, Request};
use super::route::Route;
use super::{Server, auth, cohorts, definitions, exports, key, project, query, sabotage};

/// Django's GZip middleware leaves shorter bodies alone.
const SHORTEST_GZIP: usize = 200;

pub(crate) async fn handle(
    State(server): State<Arc<Server>>,
    ConnectInfo(Peer(cut)): ConnectInfo<Peer>,
    incoming: axum::extract::Request,
) -> Response<Body> {
    let (head, body) = incoming.into_parts();
    let Ok(bytes) = to_bytes(body, MAX_BODY).await else {
        let detail = "Request body exceeds 20 MB.";
        return send(
            Answer::error(413, "invalid_request", "request_too_large", detail),
            None,
            false,
        );
    };
    let request = Request::new(head.method, &head.uri, head.headers, &bytes);
    let endpoint = request.route.endpoint();
    let name = request.body_text("/name");
    let fault = server.faults.take(endpoint, name.as_deref());
    let ticket = server.log.push(entry(&request, fault.clone()));
    if server.closed.load(Ordering::Acquire) || fault == Some(Fault::Reset) {
        cut.now();
        return Response::new(Body::empty());
    }
    match &fault {
        Some(Fault::Hang) => return pending().await,
        Some(Fault::Delay(pause)) => tokio::time::sleep(*pause).await,
        _ => {}
    }
    let answer = match fault.as_ref().and_then(sabotage::instead) {
        Some(answer) => answer,
        None => dispatch(&server, &request, fault.as_ref()).await,
    };
    server.log.amend(ticket, |entry| {
        entry.status = answer.status;
        entry.rows = answer.rows;
        entry.bytes_read = answer.bytes_read;
    });
    send(answer, fault.as_ref(), request.accepts_gzip())
}

pub(super) fn entry(request: &Request, fault: Option<Fault>) -> LoggedRequest {
    let values = request
        .body
        .as_ref()
        .ok()
        .and_then(|body| body.pointer("/query/values"));
    LoggedRequest {
        at: Timestamp::now(),
        method: request.method.to_string(),
        path: request.target.clone(),
        endpoint: request.route.endpoint(),
        host: request.header("host").unwrap_or_default().to_owned(),
        authorized: request.headers.contains_key("authorization"),
        accepts_gzip: request.accepts_gzip(),
        query: request.body_text("/query/query"),
        values: values.cloned().unwrap_or(Json::Null),
        refresh: request.body_text("/refresh"),
        name: request.body_text("/name"),
        fault,
        status: 0,
        rows: 0,
        bytes_read: 0,
    }
}

async fn dispatch(server: &Arc<Server>, request: &Request, fault: Option<&Fault>) -> Answer {
    if let Route::Query { project, kind } = &request.route {
        return query::answer(server, request, project, kind.as_deref(), fault).await;
    }
    let world = server.world.read().unwrap_or_else(PoisonError::into_inner);
    if request.route == Route::Unknown {
        return Answer::not_found("Endpoint not found.");
    }
    let key = match auth::authenticate(&world, request, &server.site) {
        Ok(key) => key,
        Err(answer) => return answer,
    };
    if let Route::Key(id) = &request.route {
        return key::answer(&request.method, id.as_deref(), key);
    }
    if let Route::Exports { project } = &request.route
        && request.method == Method::POST
    {
        return exports::start(server, &world, key, project, request)
            .unwrap_or_else(|refusal| refusal);
    }
    if request.method != Method::GET {
        return Answer::method_not_allowed(request.method.as_str());
    }
    match &request.route {
        Route::Projects => project::list(&world, key),
        Route::Project(id) => project::one(&world, key, id),
        Route::EventDefinitions { project } => {
            definitions::answer(&world, key, project, request, &server.site)
        }
        Route::Cohorts { project } => cohorts::answer(&world, key, project, request, &server.site),
        Route::Export { project, id } => exports::state(server, &world, key, project, id),
        Route::ExportFile { project, id, part } => {
            exports::file(server, &world, key, project, id, part.as_deref())
        }
        Route::Exports { project } => exports::list(server, &world, key, project),
        Route::Key(_) | Route::Query { .. } | Route::Unknown => {
            Err(Answer::not_found("Endpoint not found."))
        }
    }
    .unwrap_or_else(|refusal| refusal)
}

pub(super) fn send(mut answer: Answer, fault: Option<&Fault>, gzip: bool) -> Response<Body> {
    let mut response = Response::builder()
        .status(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .header("content-type", answer.content_type)
        .header("vary", "Accept-Encoding");
    for (name, value) in &answer.headers {
        response = response.header(*name, value);
    }
    if gzip
        && answer.body.len() >= SHORTEST_GZIP
        && fault != Some(&Fault::Endless)
        && let Ok(packed) = compress(&answer.body)
    {
        answer.body = packed;
        response = response.header("content-encoding", "gzip");
    }
    response
        .body(sabotage::body(fault, answer.body))
        .unwrap_or_else(|_| Response::new(Body::empty()))
}

fn compress(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 6), Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}
