//! Hosts that are nothing at all, no PostHog, or a PostHog whose clock is wrong.

use std::net::SocketAddr;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// A loopback address that refuses everybody, for as long as this lives: its port is taken, and nobody ever
/// listens there.
pub(crate) struct Nobody(TcpSocket);

impl Nobody {
    pub(crate) fn new() -> Self {
        let taken = TcpSocket::new_v4().unwrap();
        taken.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        Self(taken)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }
}

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

/// Passes everything on to `behind` and back, but has every answer dated `now`. Ends with the test.
pub(crate) async fn dated(now: Timestamp, behind: SocketAddr) -> SocketAddr {
    let date = DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&now)
        .unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((outer, _)) = listener.accept().await {
            let inner = TcpStream::connect(behind).await.unwrap();
            let (from_outer, to_outer) = outer.into_split();
            let (from_inner, to_inner) = inner.into_split();
            tokio::spawn(pass_on(from_outer, to_inner, None));
            tokio::spawn(pass_on(from_inner, to_outer, Some(date.clone())));
        }
    });
    address
}

/// Puts `date` in place of the one of each answer, whose head always comes in one piece here.
async fn pass_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, date: Option<String>) {
    const HEADER: &[u8] = b"\r\ndate: ";
    let mut piece = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        let piece = &mut piece[..length];
        if let Some(date) = &date
            && let Some(at) = piece
                .windows(HEADER.len())
                .position(|part| part.eq_ignore_ascii_case(HEADER))
        {
            piece[at + HEADER.len()..][..date.len()].copy_from_slice(date.as_bytes());
        }
        if to.write_all(piece).await.is_err() {
            return;
        }
    }
}
