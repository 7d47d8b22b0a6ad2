//! From the async side, where pieces of a body come in, to the thread that parses them.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use tokio::sync::mpsc;

/// Pieces that may wait to be parsed. One keeps the parser busy, and each may have several hundred KiB.
const WAITING: usize = 1;

/// The reading end: blocks its thread until a piece comes.
pub(crate) struct Pipe {
    pieces: mpsc::Receiver<Bytes>,
    current: Bytes,
    end: End,
}

/// What tells that there are no more pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// That the sender is dropped: for what shows by itself whether it is whole.
    Dropped,
    /// An empty piece; a sender that is dropped before has broken off.
    Marked,
}

impl Pipe {
    /// Both ends of a new pipe.
    pub(crate) fn new(end: End) -> (mpsc::Sender<Bytes>, Self) {
        let (sender, pieces) = mpsc::channel(WAITING);
        let pipe = Self {
            pieces,
            current: Bytes::new(),
            end,
        };
        (sender, pipe)
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) if piece.is_empty() => {
                    self.end = End::Dropped;
                    return Ok(0);
                }
                Some(piece) => self.current = piece,
                None if self.end == End::Marked => {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}
