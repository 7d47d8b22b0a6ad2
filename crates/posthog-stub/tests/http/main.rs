//! The stand-in over HTTP, held against POSTHOG.md: one test a behaviour that a client meets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod changes;
mod faults;
mod limits;
mod lists;
mod queries;

use std::time::Duration;

use jiff::Timestamp;
use posthog_stub::{Event, Key, Project, Stub, StubHandle, World};
use reqwest::{Client, Response};
use serde_json::{Value, json};

const KEY: &str = "phx_0123456789abcdef";

fn client() -> Client {
    // The workspace builds reqwest without a TLS provider of its own; a second installation is refused, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A project in Berlin with three events.
fn project() -> Project {
    let mut project = Project::new(1, "Shop").timezone("Europe/Berlin");
    project.capture(
        Event::new("$pageview", "ada", at("2026-03-01T10:00:00Z"))
            .property("$current_url", "https://x/products/a"),
    );
    project.capture(Event::new("$pageview", "bob", at("2026-03-01T11:00:00.5Z")));
    project.capture(Event::new("order \"x\"", "ada", at("2026-03-02T10:00:00Z")));
    project
}

async fn started() -> StubHandle {
    started_with(Key::new(KEY)).await
}

async fn started_with(key: Key) -> StubHandle {
    let world = World::new()
        .with_project(project())
        .with_project(Project::new(2, "Other"))
        .with_key(key);
    Stub::start(world.at(at("2026-03-03T00:00:00Z")))
        .await
        .unwrap()
}

async fn get(stub: &StubHandle, path: &str) -> Response {
    client()
        .get(format!("{}{path}", stub.url()))
        .bearer_auth(KEY)
        .send()
        .await
        .unwrap()
}

async fn post(stub: &StubHandle, path: &str, body: &Value) -> reqwest::Result<Response> {
    let request = client()
        .post(format!("{}{path}", stub.url()))
        .bearer_auth(KEY);
    request
        .header("content-type", "application/json")
        .body(body.to_string())
        .send()
        .await
}

/// A fresh answer to a HogQL query.
async fn ask(stub: &StubHandle, text: &str) -> Response {
    post(stub, "/api/projects/1/query/", &query(text))
        .await
        .unwrap()
}

/// Until something is so, which it soon is.
async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn query(text: &str) -> Value {
    json!({"query": {"kind": "HogQLQuery", "query": text}, "refresh": "force_blocking"})
}

async fn body(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

/// The status and the error envelope, which must be whole.
async fn error(response: Response) -> (u16, String, String, String) {
    let status = response.status().as_u16();
    let body = body(response).await;
    assert!(body.get("attr").is_some(), "{body}");
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    (status, text("type"), text("code"), text("detail"))
}

fn told(status: u16, kind: &str, code: &str, detail: &str) -> (u16, String, String, String) {
    (status, kind.to_owned(), code.to_owned(), detail.to_owned())
}
