//! Limits and pauses of a server, with defaults that suit a cluster and one machine alike.

use std::time::Duration;

/// Limits and pauses. Tonic itself sets none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The longest that a call may take until it answers, where the caller asks for nothing
    /// shorter.
    pub deadline: Duration,
    /// The longest that open calls may go on once the server drains.
    pub drain: Duration,
    /// How often the store is asked whether it answers.
    pub health_interval: Duration,
    /// How often a stream that has told everything looks for changes.
    pub poll_interval: Duration,
    /// How long a stream is silent at most; shorter than the idle timeout of the usual load
    /// balancers (60 s and more).
    pub heartbeat_interval: Duration,
    /// After this a connection is asked to close, so that callers spread over the servers anew.
    pub max_connection_age: Duration,
    /// Calls that one connection may have under way.
    pub concurrency_per_connection: usize,
    /// Streams, idle ones included, that one connection may have open.
    pub max_concurrent_streams: u32,
    /// Bytes of memory for graphs of identities, from which ids are resolved faster; 0 for none.
    pub identity_memory: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            drain: Duration::from_secs(10),
            health_interval: Duration::from_secs(5),
            poll_interval: Duration::from_millis(500),
            heartbeat_interval: Duration::from_secs(15),
            max_connection_age: Duration::from_secs(30 * 60),
            concurrency_per_connection: 128,
            max_concurrent_streams: 256,
            identity_memory: 256 * 1024 * 1024,
        }
    }
}
