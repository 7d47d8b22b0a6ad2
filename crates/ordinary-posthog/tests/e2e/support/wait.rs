//! Waiting for something to become true, never for a fixed time.

use std::time::{Duration, Instant};

/// Far longer than anything takes, on two busy cores and unoptimised: whoever waits so long waits in vain.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

const PAUSE: Duration = Duration::from_millis(20);

/// What `look` gives within `time`, if it does.
pub(crate) async fn within<T>(
    time: Duration,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> Option<T> {
    let deadline = Instant::now() + time;
    loop {
        if let Some(found) = look().await {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        tokio::time::sleep(PAUSE).await;
    }
}
