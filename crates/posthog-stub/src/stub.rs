//! Starts and stops a stand-in and lets tests reach into it while it runs.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::http::connection::CuttableListener;
use crate::http::exports::ExportPolicy;
use crate::http::fault::Faults;
use crate::http::limits::Limits;
use crate::http::log::LoggedRequest;
use crate::http::{Server, serve, serve_bucket};
use crate::world::World;

/// A stand-in PostHog on a loopback port. Two of them are two regions.
#[derive(Debug)]
pub struct Stub;

impl Stub {
    /// Serves `world` on a free port of 127.0.0.1, plain HTTP.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start(world: World) -> io::Result<StubHandle> {
        Self::start_on(world, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Serves `world` on this address; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start_on(mut world: World, address: SocketAddr) -> io::Result<StubHandle> {
        world.settle();
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let files = TcpListener::bind(SocketAddr::new(address.ip(), 0)).await?;
        let bucket = format!("http://{}", files.local_addr()?);
        let server = Arc::new(Server::new(world, format!("http://{address}"), bucket));
        let task = tokio::spawn(serve(CuttableListener(listener), server.clone()));
        let bucket = tokio::spawn(serve_bucket(CuttableListener(files), server.clone()));
        Ok(StubHandle {
            server,
            address,
            task,
            bucket,
        })
    }
}

/// A running stand-in. Dropping it stops the server.
#[derive(Debug)]
pub struct StubHandle {
    server: Arc<Server>,
    address: SocketAddr,
    task: JoinHandle<()>,
    bucket: JoinHandle<()>,
}

impl StubHandle {
    /// The base URL, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.server.site
    }

    /// Where the server listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Looks at the world. Queries wait only for edits, not for this.
    pub fn read<R>(&self, look: impl FnOnce(&World) -> R) -> R {
        look(
            &self
                .server
                .world
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Changes the world; the next request sees all of it.
    pub fn edit<R>(&self, change: impl FnOnce(&mut World) -> R) -> R {
        let mut world = self
            .server
            .world
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut world);
        world.settle();
        result
    }

    /// The script of faults.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.server.faults
    }

    /// Sets the limits and forgets what was counted under the old ones.
    pub fn set_limits(&self, limits: Limits) {
        self.server.meter.set(limits);
    }

    /// Sets how exports go from now on.
    pub fn set_exports(&self, policy: ExportPolicy) {
        self.server.exports.set(policy);
    }

    /// How many exports were started.
    #[must_use]
    pub fn exports_started(&self) -> usize {
        self.server.exports.started()
    }

    /// Every request so far, oldest first (the newest ten thousand).
    #[must_use]
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.server.log.all()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.server.log.clear();
    }

    /// The most queries that ever ran at the same time.
    #[must_use]
    pub fn peak_concurrency(&self) -> usize {
        self.server.peak.load(Ordering::Relaxed)
    }

    /// Forgets cached query answers.
    pub fn clear_cache(&self) {
        self.server.cache.clear();
    }

    /// Stops listening; connections still open are reset at their next request.
    pub async fn shutdown(mut self) {
        self.server.closed.store(true, Ordering::Release);
        self.bucket.abort();
        self.task.abort();
        // Only the abort can be reported here.
        let _ = (&mut self.task).await;
    }
}

impl Drop for StubHandle {
    fn drop(&mut self) {
        self.server.closed.store(true, Ordering::Release);
        self.bucket.abort();
        self.task.abort();
    }
}
