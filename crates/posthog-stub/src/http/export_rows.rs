//! What is in an export, and in which form: PostHog/posthog, `products/batch_exports/backend/temporal/`
//! `sql/events.py` (0a9745adab50), `pipeline/query_ranges.py` (15b479dc721d), `pipeline/transformer.py`
//! (01bc5621e8ed), `destinations/s3_batch_export.py` (s3_default_fields).

use std::collections::HashMap;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use crate::world::event::Event;
use crate::world::project::Project;

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Intervals that began within this are read from a table that knows no bound on timestamps.
const RECENT: SignedDuration = SignedDuration::from_hours(24 * 8);
/// Others leave out what is stamped so long before they begin.
const LOOKBACK: SignedDuration = SignedDuration::from_hours(24 * 7);

/// The lines of the events that were received in `[from, to)`: by the arrival clock, which stands for
/// `inserted_at` here. Of rows with one event, distinct id and uuid there is one; which, PostHog leaves to
/// chance, and here it is the one that ClickHouse would keep when it merges them. They are in no order.
pub(super) fn exported(
    project: &Project,
    from: Timestamp,
    to: Timestamp,
    now: Timestamp,
) -> Vec<String> {
    let is_recent = from > now - RECENT;
    let is_within = |event: &&Event| {
        event.created_at >= from
            && event.created_at < to
            && (is_recent || (event.timestamp >= from - LOOKBACK && event.timestamp < to + DAY))
    };
    let mut rows: HashMap<(&str, &str, Uuid), &Event> = HashMap::new();
    for event in project.events().iter().filter(is_within) {
        let slot = rows
            .entry((event.event.as_str(), &event.distinct_id, event.uuid))
            .or_insert(event);
        if (event.created_at, event.timestamp) > (slot.created_at, slot.timestamp) {
            *slot = event;
        }
    }
    let mut rows: Vec<&Event> = rows.into_values().collect();
    rows.sort_by_key(|event| event.uuid.as_u128().reverse_bits());
    rows.into_iter().map(line).collect()
}

/// One event: the person is the one at ingestion, whatever it was merged into since.
fn line(event: &Event) -> String {
    let time = |at: Timestamp| at.to_string().replace('Z', "+00:00");
    let text = |text: &str| json!(text).to_string();
    format!(
        "{{\"uuid\":{},\"timestamp\":{},\"created_at\":{},\"event\":{},\"properties\":{},\
         \"distinct_id\":{},\"elements_chain\":{},\"person_properties\":{{}},\"person_id\":{}}}\n",
        text(&event.uuid.to_string()),
        text(&time(event.timestamp)),
        text(&time(event.created_at)),
        text(event.event.as_str()),
        event.properties.to_json_text(),
        text(&event.distinct_id),
        text(&event.elements_chain),
        text(&event.person_id.to_string()),
    )
}

/// A file: each line is a gzip member of its own.
pub(super) fn pack(lines: &[String]) -> Vec<u8> {
    let mut file = Vec::new();
    for line in lines {
        let mut encoder = GzEncoder::new(&mut file, Compression::fast());
        // Writing to a Vec cannot fail.
        let _ = encoder.write_all(line.as_bytes());
        let _ = encoder.finish();
    }
    file
}
