//! Reads a file of an export while it comes in: unpacks it, takes it line by line, and hands the
//! events of the window over in pages. Memory holds one page and one line.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};

use domain::Event;
use domain::sync::{SliceCursor, Window};
use flate2::bufread::MultiGzDecoder;

use super::columns::ExportColumns;
use super::line;
use crate::answer::Cell;
use crate::client::EventPage;
use crate::error::Error;

/// The most rows of a page.
pub(crate) const MOST_ROWS: usize = 3072;
/// A page of lines that had so many bytes is full. Of a line about a fifth is kept.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// PostHog takes events of up to 1 MiB (`rust/capture`, MAX_EVENT_SIZE); unpacked and with the person's
/// properties a line may have more.
const LONGEST_LINE: usize = 16 * 1024 * 1024;
/// The first bytes of what gzip packs.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The place up to which pages were handed over.
pub(crate) type Reached = Arc<Mutex<Option<SliceCursor>>>;

/// How a file is read.
pub(crate) struct File<D> {
    pub(crate) columns: ExportColumns,
    pub(crate) keep: Window,
    /// Lines that were read before.
    pub(crate) skip: u64,
    pub(crate) reached: Reached,
    /// The most rows of a page.
    pub(crate) most_rows: usize,
    pub(crate) deliver: D,
}

impl<D: Fn(EventPage) -> bool> File<D> {
    /// Reads all of it; the last page says that it ends there.
    ///
    /// # Errors
    /// [`Error::Truncated`], or [`Error::ExportFile`] when a line is not as it must be.
    pub(crate) fn read(self, request: &'static str, source: impl Read) -> Result<(), Error> {
        let mut source = BufReader::new(source);
        let broken = |error: &io::Error| failure(request, error);
        // PostHog packs each line by itself (`temporal/pipeline/transformer.py`, dump_record_batch), so
        // that a file is many gzip members. Whoever keeps it may have unpacked it.
        let is_packed = source
            .fill_buf()
            .map_err(|error| broken(&error))?
            .starts_with(&GZIP);
        if is_packed {
            self.lines(request, BufReader::new(MultiGzDecoder::new(source)))
        } else {
            self.lines(request, source)
        }
    }

    fn lines(self, request: &'static str, mut source: impl BufRead) -> Result<(), Error> {
        let mut page = PageInHand::default();
        let (mut text, mut cells): (Vec<u8>, Vec<Cell>) = (Vec::new(), Vec::new());
        let mut number = 0;
        loop {
            text.clear();
            let most = LONGEST_LINE as u64 + 1;
            let length = (&mut source)
                .take(most)
                .read_until(b'\n', &mut text)
                .map_err(|error| failure(request, &error))?;
            if length == 0 {
                return self.deliver(page.events, None);
            }
            number += 1;
            let refuse = |problem: String| Error::ExportFile {
                reason: format!("line {number}: {problem}"),
            };
            if length > LONGEST_LINE {
                return Err(refuse(format!("it is longer than {LONGEST_LINE} bytes")));
            }
            if number <= self.skip || text.trim_ascii().is_empty() {
                continue;
            }
            let event = line::read(&text, &self.columns, &mut cells).map_err(refuse)?;
            if event.timestamp >= self.keep.from && event.timestamp < self.keep.to {
                page.events.push(event);
                page.bytes += length;
            }
            if page.events.len() >= self.most_rows || page.bytes >= MOST_BYTES {
                let events = std::mem::take(&mut page).events;
                self.deliver(events, Some(SliceCursor::after_lines(number)))?;
            }
        }
    }

    fn deliver(&self, events: Vec<Event>, more: Option<SliceCursor>) -> Result<(), Error> {
        if !(self.deliver)(EventPage { events, more }) {
            return Err(Error::ExportFile {
                reason: "nobody takes its rows any more".to_owned(),
            });
        }
        *self.reached.lock().unwrap_or_else(PoisonError::into_inner) = more;
        Ok(())
    }
}

#[derive(Default)]
struct PageInHand {
    events: Vec<Event>,
    bytes: usize,
}

fn failure(request: &'static str, error: &io::Error) -> Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return Error::Truncated {
            request: request.to_owned(),
        };
    }
    Error::ExportFile {
        reason: "it is no gzip file".to_owned(),
    }
}
