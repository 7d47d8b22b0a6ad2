//! Sending requests of one project: through the gate, again where that helps, and with their cost
//! counted.

use std::io::BufReader;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::answer::{End, Pipe, Row, read_rows};
use crate::client::ClientConfig;
use crate::clock_skew::ClockSkew;
use crate::cost::Cost;
use crate::error::Error;
use crate::exchange::{Body, Exchange};
use crate::queries::Query;
use crate::request::Request;
use crate::retry::Retry;

/// How an answer's body becomes a `T`. A trait and not an async closure: callers must be able to
/// move between threads, which the compiler cannot see through a closure over every lifetime.
pub(crate) trait Reading<T>: Sync {
    /// Reads a successful answer.
    fn read(&self, body: Body<'_>) -> impl Future<Output = Result<T, Error>> + Send;

    /// What was gained although an attempt failed, or its error.
    fn salvage(&self, error: Error) -> Result<T, Error> {
        Err(error)
    }
}

/// Reads a JSON document.
struct Document<'a> {
    transport: &'a Transport,
    request: &'a Request,
}

impl<T: DeserializeOwned + Send> Reading<T> for Document<'_> {
    async fn read(&self, body: Body<'_>) -> Result<T, Error> {
        let whole = body.whole().await?;
        serde_json::from_slice(&whole)
            .map_err(|error| self.transport.misunderstood(self.request, &error))
    }
}

/// Reads a query's rows.
struct Rows<'a, P> {
    query: &'a Query,
    parse: P,
}

impl<T, P> Reading<Vec<T>> for Rows<'_, P>
where
    T: Send + 'static,
    P: Fn(&mut Row<'_>) -> Result<T, String> + Clone + Send + Sync + 'static,
{
    async fn read(&self, body: Body<'_>) -> Result<Vec<T>, Error> {
        let (name, columns, limit) = (
            self.query.name(),
            self.query.columns.clone(),
            self.query.limit,
        );
        let parse = self.parse.clone();
        stream(body, name, End::Dropped, move |pipe| {
            read_rows(name, pipe, &columns, limit, parse)
        })
        .await
    }
}

/// The way to one project.
pub(crate) struct Transport {
    pub(crate) config: ClientConfig,
    pub(crate) cost: Cost,
    pub(crate) skew: ClockSkew,
}

impl Transport {
    pub(crate) fn new(config: ClientConfig) -> Self {
        Self {
            config,
            cost: Cost::new(),
            skew: ClockSkew::new(),
        }
    }

    /// Asks for a JSON document of form `T`; unknown fields are passed over.
    pub(crate) async fn document<T: DeserializeOwned + Send>(
        &self,
        request: &Request,
    ) -> Result<T, Error> {
        let read = Document {
            transport: self,
            request,
        };
        self.attempt(request, &read).await
    }

    /// Asks a query; each row becomes a `T` while the answer still comes in.
    pub(crate) async fn rows<T, P>(&self, query: &Query, parse: P) -> Result<Vec<T>, Error>
    where
        T: Send + 'static,
        P: Fn(&mut Row<'_>) -> Result<T, String> + Clone + Send + Sync + 'static,
    {
        self.query(query, &Rows { query, parse }).await
    }

    /// Asks a query whose answer is read in some other way.
    pub(crate) async fn query<T, R: Reading<T>>(
        &self,
        query: &Query,
        read: &R,
    ) -> Result<T, Error> {
        let request = Request::query(self.config.project, query);
        self.attempt(&request, read).await
    }

    /// Sends a request whose answer is read in some other way.
    pub(crate) async fn read<T, R: Reading<T>>(
        &self,
        request: &Request,
        read: &R,
    ) -> Result<T, Error> {
        self.attempt(request, read).await
    }

    /// Sends a request until it is answered, or its error is final.
    async fn attempt<T, R: Reading<T>>(&self, request: &Request, read: &R) -> Result<T, Error> {
        let mut retry = Retry::new(self.config.http.config.backoff);
        loop {
            let pass = self.config.gate.enter().await?;
            let outcome = self.once(request, read).await;
            let error = match outcome.or_else(|error| read.salvage(error)) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if let Error::Throttled { retry_after, kind } = &error {
                self.config.gate.throttled(*retry_after, *kind).await;
            }
            // Whoever waits here must not keep others from asking.
            drop(pass);
            let Some(wait) = retry.wait(&error) else {
                return Err(error);
            };
            tracing::info!(
                request = request.name,
                reason = error.reason(),
                wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                "PostHog did not answer as it should; asking again."
            );
            tokio::time::sleep(wait).await;
        }
    }

    async fn once<T, R: Reading<T>>(&self, request: &Request, read: &R) -> Result<T, Error> {
        let call = self.cost.begin(&self.config.http.traffic);
        let exchange = Exchange {
            http: &self.config.http,
            host: &self.config.host,
            key: &self.config.key,
            call: &call,
            skew: &self.skew,
        };
        let limit = self.config.http.config.total_timeout;
        let begun = Instant::now();
        let whole = async { read.read(exchange.send(request).await?).await };
        let outcome = tokio::time::timeout(limit, whole)
            .await
            .unwrap_or_else(|_| Err(overdue(request, limit)));
        tracing::debug!(
            request = request.name,
            elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            outcome = outcome.as_ref().map_or_else(Error::reason, |_| "Answered"),
            "PostHog was asked."
        );
        call.ended(outcome.as_ref().map_or_else(Error::reason, |_| "complete"));
        outcome
    }

    /// A success that is no JSON, or JSON of another form.
    fn misunderstood(&self, request: &Request, error: &serde_json::Error) -> Error {
        if error.is_eof() {
            return Error::Truncated {
                request: request.name.to_owned(),
            };
        }
        let what = if error.is_syntax() {
            "is no JSON"
        } else {
            "has another form than PostHog's"
        };
        Error::NotPostHog {
            host: self.config.host.to_string(),
            reason: format!("its answer to {} {what}", request.name),
        }
    }
}

fn overdue(request: &Request, limit: Duration) -> Error {
    Error::Timeout {
        request: request.name.to_owned(),
        reason: format!("it was not complete after {limit:?}"),
    }
}

/// Hands the body's pieces to a thread that parses them as they come. Where what is parsed does not show
/// that it is whole, [`End::Marked`] makes of a body that breaks off an error in reading it.
pub(crate) async fn stream<T: Send + 'static>(
    mut body: Body<'_>,
    request: &'static str,
    end: End,
    parse: impl FnOnce(BufReader<Pipe>) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let (sender, pipe) = Pipe::new(end);
    let parsing = tokio::task::spawn_blocking(move || parse(BufReader::new(pipe)));
    let mut broken = None;
    loop {
        match body.next().await {
            Ok(Some(piece)) if piece.is_empty() => {}
            Ok(Some(piece)) => {
                // The parser stops listening when it has found a fault, which it will tell.
                if sender.send(piece).await.is_err() {
                    break;
                }
            }
            Ok(None) => {
                if end == End::Marked {
                    // Who does not listen any more has found a fault.
                    let _ = sender.send(Bytes::new()).await;
                }
                break;
            }
            Err(error) => {
                broken = Some(error);
                break;
            }
        }
    }
    drop(sender);
    let parsed = parsing.await.unwrap_or_else(|_| {
        Err(Error::Malformed {
            request: request.to_owned(),
            reason: "its reader stopped".to_owned(),
        })
    });
    // Whatever broke off after the answer's end was not part of it.
    parsed.map_err(|error| broken.unwrap_or(error))
}
