//! Cuts the rows of an answer into pages while they come in.

use std::sync::{Arc, Mutex, PoisonError};

use domain::Event;
use domain::sync::SliceCursor;

use crate::client::EventPage;

/// The most rows of a page, but for rows that share its last place.
const MOST_ROWS: usize = 3072;
/// A page whose texts have so many bytes is full.
const MOST_BYTES: usize = 1536 * 1024;

/// The end of what was delivered of an answer.
pub(super) type Reached = Arc<Mutex<Option<SliceCursor>>>;

/// The rows of an answer that were not delivered yet.
pub(super) struct Pieces<D> {
    limit: usize,
    reached: Reached,
    deliver: D,
    /// Rows of the answer so far.
    rows: usize,
    events: Vec<Event>,
    bytes: usize,
}

impl<D: Fn(EventPage) -> bool> Pieces<D> {
    /// Pages of an answer of at most `limit` rows.
    pub(super) fn new(limit: usize, reached: Reached, deliver: D) -> Self {
        Self {
            limit,
            reached,
            deliver,
            rows: 0,
            events: Vec::new(),
            bytes: 0,
        }
    }

    /// Takes the next row, whose texts have so many bytes. Rows are held back as long as the answer
    /// has not proven what they are.
    pub(super) fn push(
        &mut self,
        event: Event,
        bytes: usize,
        is_proven: bool,
    ) -> Result<(), String> {
        let is_full = self.events.len() >= MOST_ROWS || self.bytes >= MOST_BYTES;
        if is_full
            && is_proven
            && let Some(place) = self.events.last().map(place)
            && place != self::place(&event)
        {
            self.deliver(Some(place))?;
        }
        self.rows += 1;
        self.bytes += bytes;
        self.events.push(event);
        Ok(())
    }

    /// Delivers the rest of a whole answer and says where the next one begins.
    pub(super) fn finish(mut self) -> Result<Option<SliceCursor>, String> {
        if self.rows < self.limit {
            self.deliver(None)?;
            return Ok(None);
        }
        // A full answer may end between rows that share timestamp and uuid, and the next begins
        // after both. So its last such group is left to the next one.
        if let Some(last) = self.events.last().map(place) {
            let whole = self.events.iter().rposition(|event| place(event) != last);
            self.events.truncate(whole.map_or(0, |at| at + 1));
        }
        if let Some(place) = self.events.last().map(place) {
            self.deliver(Some(place))?;
        }
        let reached = *self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        reached.map(Some).ok_or_else(|| {
            format!(
                "{} rows share one uuid and timestamp, so no next page can be asked for",
                self.limit
            )
        })
    }

    fn deliver(&mut self, more: Option<SliceCursor>) -> Result<(), String> {
        self.bytes = 0;
        let events = std::mem::take(&mut self.events);
        if !(self.deliver)(EventPage { events, more }) {
            return Err("nobody takes its rows any more".to_owned());
        }
        *self.reached.lock().unwrap_or_else(PoisonError::into_inner) = more;
        Ok(())
    }
}

/// The place of a row in its slice.
fn place(event: &Event) -> SliceCursor {
    SliceCursor {
        timestamp: event.timestamp,
        uuid: event.uuid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use serde_json::json;

    type Delivered = Arc<Mutex<Vec<EventPage>>>;

    /// An event whose place is its number.
    fn event(number: usize) -> Event {
        let at = jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_micros(number as i64);
        serde_json::from_value(json!({
            "uuid": uuid::Uuid::from_u128(number as u128),
            "event": "$pageview",
            "distinct_id": "d",
            "timestamp": at,
            "created_at": at,
            "id_properties": {},
        }))
        .unwrap()
    }

    fn pieces(limit: usize) -> (Pieces<impl Fn(EventPage) -> bool>, Delivered) {
        let delivered = Delivered::default();
        let shelf = Arc::clone(&delivered);
        let deliver = move |page| {
            shelf.lock().unwrap().push(page);
            true
        };
        (Pieces::new(limit, Reached::default(), deliver), delivered)
    }

    fn lengths(delivered: &Delivered) -> Vec<usize> {
        let pages = delivered.lock().unwrap();
        pages.iter().map(|page| page.events.len()).collect()
    }

    #[test]
    fn a_page_ends_by_rows_or_bytes_but_never_between_rows_of_one_place() {
        let (mut pieces, delivered) = pieces(50_000);
        for number in 0..MOST_ROWS + 10 {
            pieces
                .push(event(number.min(MOST_ROWS - 5)), 1, true)
                .unwrap();
        }
        for number in 5_000..5_003 {
            pieces.push(event(number), MOST_BYTES, true).unwrap();
        }
        assert_eq!(pieces.finish(), Ok(None));
        assert_eq!(lengths(&delivered), [MOST_ROWS + 10, 1, 1, 1]);
        let ends: Vec<_> = delivered
            .lock()
            .unwrap()
            .iter()
            .map(|page| page.more)
            .collect();
        assert_eq!(ends[0], Some(place(&event(MOST_ROWS - 5))));
        assert_eq!((ends[1], ends[3]), (Some(place(&event(5_000))), None));
    }

    #[test]
    fn nothing_is_delivered_before_the_columns_are_known() {
        let (mut pieces, delivered) = pieces(50_000);
        for number in 0..2 * MOST_ROWS {
            pieces.push(event(number), 1, false).unwrap();
        }
        assert!(lengths(&delivered).is_empty());
        pieces.finish().unwrap();
        assert_eq!(lengths(&delivered), [2 * MOST_ROWS]);
    }

    #[test]
    fn the_last_place_of_a_full_answer_is_left_to_the_next() {
        let (mut full, delivered) = pieces(4);
        for number in [1, 2, 3, 3] {
            full.push(event(number), 1, true).unwrap();
        }
        assert_eq!(full.finish(), Ok(Some(place(&event(2)))));
        assert_eq!(lengths(&delivered), [2]);

        let (mut tied, delivered) = pieces(3);
        for _ in 0..3 {
            tied.push(event(1), 1, true).unwrap();
        }
        assert!(tied.finish().unwrap_err().contains("3 rows share one"));
        assert!(lengths(&delivered).is_empty());
    }
}
