//! Holds a connection while a run works: renewed in the background, so that waiting on
//! PostHog never loses it; a lost lease is told through a token and stops the run.

use std::sync::Arc;
use std::time::Duration;

use domain::ConnectionId;
use domain::storage::{Lease, Store, StoreError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// How long a lease lives without being renewed: what a killed process keeps others waiting.
pub const LEASE_TTL: Duration = Duration::from_secs(60);
/// A third of the lease: two renewals may fail before it is lost.
const RENEW_EVERY: Duration = Duration::from_secs(20);

/// A lease that renews itself until dropped.
pub(crate) struct HeldLease {
    store: Arc<dyn Store>,
    lease: Lease,
    lost: CancellationToken,
    released: bool,
    _renewal: AbortOnDropHandle<()>,
}

impl HeldLease {
    /// Takes the connection, waiting up to `patience` for another holder to leave.
    pub(crate) async fn acquire(
        store: &Arc<dyn Store>,
        connection: ConnectionId,
        holder: &str,
        patience: Duration,
    ) -> Result<Self, StoreError> {
        let give_up = tokio::time::Instant::now() + patience;
        let lease = loop {
            match store.acquire_lease(connection, holder, LEASE_TTL).await {
                Ok(lease) => break lease,
                Err(error @ StoreError::LeaseHeld { .. }) => {
                    if tokio::time::Instant::now() >= give_up {
                        return Err(error);
                    }
                    tracing::debug!(%error, "waiting for the other run");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Err(error) => return Err(error),
            }
        };
        let lost = CancellationToken::new();
        let renewal = tokio::spawn(renew(Arc::clone(store), lease, lost.clone()));
        Ok(Self {
            store: Arc::clone(store),
            lease,
            lost,
            released: false,
            _renewal: AbortOnDropHandle::new(renewal),
        })
    }

    /// The lease, for writes.
    pub(crate) fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Cancelled when another has taken over.
    pub(crate) fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    /// Gives the connection back; when that fails it comes free by itself after [`LEASE_TTL`].
    pub(crate) async fn release(mut self) {
        release(&*self.store, &self.lease).await;
        // Only now: dropped while waiting, it is given back by `drop`.
        self.released = true;
    }
}

impl Drop for HeldLease {
    /// A run that is dropped midway gives the connection back too.
    fn drop(&mut self) {
        if self.released {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (store, lease) = (Arc::clone(&self.store), self.lease);
            runtime.spawn(async move { release(&*store, &lease).await });
        }
    }
}

async fn release(store: &dyn Store, lease: &Lease) {
    if let Err(error) = store.release_lease(lease).await {
        tracing::warn!(%error, "the connection stays leased until its lease expires");
    }
}

async fn renew(store: Arc<dyn Store>, lease: Lease, lost: CancellationToken) {
    loop {
        tokio::time::sleep(RENEW_EVERY).await;
        match store.renew_lease(&lease, LEASE_TTL).await {
            Ok(()) => {}
            Err(StoreError::FenceLost) => {
                lost.cancel();
                return;
            }
            // Every write checks the fence, so trying again is safe.
            Err(error) => tracing::warn!(%error, "the lease could not be renewed"),
        }
    }
}
