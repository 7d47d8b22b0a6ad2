//! Hosts that are no PostHog.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A server that answers whatever it hears with `said` and hangs up. Ends with the test.
pub(crate) async fn babbler(said: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut heard = [0; 1024];
            // Callers may have hung up; there is nobody to tell.
            let _ = stream.read(&mut heard).await;
            let _ = stream.write_all(said).await;
        }
    });
    address
}
