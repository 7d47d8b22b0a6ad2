//! A client whose process is killed in the middle of its work: around one of its writes, and from then
//! on nothing that it sends reaches the API server, nor any answer it.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use http::{Method, Request};
use kube::client::{Body, ClientBuilder};
use tokio_util::sync::CancellationToken;
use tower::{BoxError, Layer, Service};

use crate::{Result, Server};

/// When a process is killed, counted in its writes. Leases, which say that it lives, and Events, which
/// nothing waits for, are not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// Never.
    Never,
    /// Just before the write of that number, from 1 on.
    Before(usize),
    /// When the API server has taken the write of that number, before its answer is there.
    After(usize),
}

/// Decides when a client dies.
#[derive(Clone)]
pub struct Mortal {
    death: Arc<Mutex<Death>>,
    writes: Arc<AtomicUsize>,
    died: CancellationToken,
}

impl Server {
    /// The admin's client, and what it dies by; it lives until told otherwise.
    ///
    /// # Errors
    /// [`crate::Error::Refused`] when TLS cannot be prepared.
    pub fn mortal(&self) -> Result<(kube::Client, Mortal)> {
        let mortal = Mortal {
            death: Arc::new(Mutex::new(Death::Never)),
            writes: Arc::default(),
            died: CancellationToken::new(),
        };
        let client = ClientBuilder::try_from(self.config())?
            .with_layer(&mortal)
            .build();
        Ok((client, mortal))
    }
}

impl Mortal {
    /// From now on, with writes counted from here, it dies so.
    pub fn dies(&self, death: Death) {
        let mut at = self.lock();
        self.writes.store(0, Ordering::SeqCst);
        *at = death;
    }

    /// Returns once it has died.
    pub async fn died(&self) {
        self.died.cancelled().await;
    }

    /// How many writes it has begun since it was told when to die.
    pub fn writes(&self) -> usize {
        self.writes.load(Ordering::SeqCst)
    }

    fn fate(&self, request: &Request<Body>) -> Fate {
        let death = self.lock();
        if self.died.is_cancelled() {
            return Fate::Lost;
        }
        let path = request.uri().path();
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        if is_read || path.contains("/leases") || path.starts_with("/apis/events.") {
            return Fate::Passes;
        }
        let write = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        match *death {
            Death::Before(last) if write >= last => {
                self.died.cancel();
                Fate::Lost
            }
            Death::After(last) if write >= last => Fate::LastWords,
            _ => Fate::Passes,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Death> {
        self.death.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What becomes of a request.
enum Fate {
    Passes,
    /// It arrives, and nobody is there any more for the answer.
    LastWords,
    Lost,
}

impl<S> Layer<S> for Mortal {
    type Service = Dying<S>;

    fn layer(&self, inner: S) -> Dying<S> {
        Dying {
            inner,
            mortal: self.clone(),
        }
    }
}

/// The service of a client that dies.
pub struct Dying<S> {
    inner: S,
    mortal: Mortal,
}

type Answer<R> = Pin<Box<dyn Future<Output = std::result::Result<R, BoxError>> + Send>>;

impl<S> Service<Request<Body>> for Dying<S>
where
    S: Service<Request<Body>, Error = BoxError>,
    S::Future: Send + 'static,
    S::Response: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Answer<S::Response>;

    fn poll_ready(&mut self, task: &mut Context<'_>) -> Poll<std::result::Result<(), BoxError>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match self.mortal.fate(&request) {
            Fate::Passes => Box::pin(self.inner.call(request)),
            Fate::Lost => Box::pin(silence()),
            Fate::LastWords => {
                // In a task of its own: it arrives even if its sender is gone by then.
                let arriving = tokio::spawn(self.inner.call(request));
                let died = self.mortal.died.clone();
                Box::pin(async move {
                    let _ = arriving.await;
                    died.cancel();
                    silence().await
                })
            }
        }
    }
}

async fn silence<R>() -> std::result::Result<R, BoxError> {
    Ok(pending::<std::result::Result<R, Infallible>>().await?)
}
