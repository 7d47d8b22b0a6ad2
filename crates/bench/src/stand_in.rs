//! A PostHog that replays prepared answers, so that it is not what is measured. Each is made when
//! it is first asked for, which a run that is not timed does.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::Outcome;
use crate::answers::{Question, answer};
use crate::shop::Shop;

/// Requests that the bare loop sends at once: as many as the client does.
const AT_ONCE: usize = 3;

struct Shelf {
    shop: Shop,
    answers: Mutex<BTreeMap<String, Prepared>>,
}

#[derive(Clone)]
struct Prepared {
    request: Bytes,
    answer: Bytes,
}

/// A stand-in that serves until this process ends.
pub(crate) struct StandIn {
    address: SocketAddr,
    shelf: Arc<Shelf>,
}

impl StandIn {
    /// Serves a shop on a free port.
    pub(crate) async fn serve(shop: Shop) -> Outcome<Self> {
        let shelf = Arc::new(Shelf {
            shop,
            answers: Mutex::default(),
        });
        let project = r#"{"id":1,"name":"Bench","timezone":"UTC","event_retention_months":null}"#;
        let key = r#"{"label":"bench","mask_value":"phx_...","scopes":["query:read","project:read"],"scoped_teams":null,"scoped_organizations":null}"#;
        let nothing = r#"{"count":0,"next":null,"previous":null,"results":[]}"#;
        let json = |text: &'static str| get(move || async move { reply(Body::from(text)) });
        let routes = Router::new()
            .route("/api/personal_api_keys/@current/", json(key))
            .route("/api/projects/1/", json(project))
            .route("/api/projects/1/event_definitions/", json(nothing))
            .route("/api/projects/1/cohorts/", json(nothing))
            .route("/api/projects/1/query/", post(query))
            .with_state(Arc::clone(&shelf));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok(Self { address, shelf })
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The shop that it serves.
    pub(crate) fn shop(&self) -> &Shop {
        &self.shelf.shop
    }

    /// How long a bare HTTP client takes to read every page of events that was asked for so far,
    /// and how many bytes they are.
    pub(crate) async fn read_bare(&self) -> Outcome<(Duration, u64)> {
        let requests: Vec<Bytes> = {
            let answers = self
                .shelf
                .answers
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let pages = answers.iter().filter(|(key, _)| key.starts_with("page "));
            pages
                .map(|(_, prepared)| prepared.request.clone())
                .collect()
        };
        let client = reqwest::Client::builder().no_proxy().build()?;
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        let url = format!("{}/api/projects/1/query/", self.url());
        let begun = Instant::now();
        let mut reading = JoinSet::new();
        for request in requests {
            let turn = Arc::clone(&turns).acquire_owned().await?;
            let sending = client.post(&url).body(request).send();
            reading.spawn(async move {
                let mut answer = sending.await?.error_for_status()?;
                let mut bytes = 0;
                while let Some(piece) = answer.chunk().await? {
                    bytes += piece.len() as u64;
                }
                drop(turn);
                Ok::<_, reqwest::Error>(bytes)
            });
        }
        let mut bytes = 0;
        while let Some(read) = reading.join_next().await {
            bytes += read??;
        }
        Ok((begun.elapsed(), bytes))
    }
}

async fn query(State(shelf): State<Arc<Shelf>>, request: Bytes) -> Response {
    let work = tokio::task::spawn_blocking(move || {
        prepared(&shelf, request).map_err(|error| error.to_string())
    });
    match work.await {
        Ok(Ok(answer)) => reply(Body::from(answer)),
        Ok(Err(error)) => (StatusCode::BAD_REQUEST, error).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn prepared(shelf: &Shelf, request: Bytes) -> Outcome<Bytes> {
    let question = Question::read(&request)?;
    let key = question.key(&shelf.shop);
    let found = {
        let answers = shelf.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.get(&key).map(|prepared| prepared.answer.clone())
    };
    if let Some(answer) = found {
        return Ok(answer);
    }
    let made = answer(&shelf.shop, &question)?;
    let mut answers = shelf.answers.lock().unwrap_or_else(PoisonError::into_inner);
    let answer = made.clone();
    answers.insert(key, Prepared { request, answer });
    Ok(made)
}

fn reply(body: Body) -> Response {
    ([("content-type", "application/json")], body).into_response()
}
