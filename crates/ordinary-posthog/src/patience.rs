//! Opens a store that may come up later than the program, as a database does that is installed with it.

use std::sync::Arc;
use std::time::Duration;

use domain::storage::{Store, StoreError};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::exit::Failure;

/// From one attempt to the next.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// Opens the store; one that does not answer is tried again for so long, or without end. Nothing when
/// `shutdown` comes first.
///
/// # Errors
/// When it does not answer in that time, or answers that it cannot be used.
pub(crate) async fn open(
    url: &str,
    patience: Option<Duration>,
    shutdown: &CancellationToken,
) -> Result<Option<Arc<dyn Store>>, Failure> {
    let begun = Instant::now();
    loop {
        let opened = tokio::select! {
            () = shutdown.cancelled() => return Ok(None),
            opened = store::open(url, store::OpenOptions::default()) => opened,
        };
        match opened {
            Ok(store) => return Ok(Some(store)),
            Err(error @ StoreError::Unavailable { .. })
                if patience.is_none_or(|patience| begun.elapsed() < patience) =>
            {
                tracing::warn!(%error, "The store cannot be opened yet; trying again.");
            }
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(None),
            () = sleep(TRY_AGAIN) => {}
        }
    }
}
