//! Waiting for what another process does.

use std::time::Duration;

/// Far longer than anything takes: whoever waits so long waits in vain.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);
const PAUSE: Duration = Duration::from_millis(50);

/// Returns once `look` finds something.
pub(crate) async fn eventually_some<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(PAUSE).await;
        }
    });
    found.await.unwrap_or_else(|_| panic!("never: {what}"))
}

/// Returns once `holds` does.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    eventually_some(what, async || holds().await.then_some(())).await;
}
