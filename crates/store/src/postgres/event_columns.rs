//! The columns of an event: written in one order, read in another.

use domain::merge::{PlacedEvent, StoredRow};
use domain::stage::PostHogStage;
use domain::storage::{EventRow, Result};
use domain::{Event, EventName};
use sqlx::postgres::PgRow;
use sqlx::{Decode, Postgres, Row};

use super::copy::Rows;
use super::errors::sql;
use super::values::{instant, micros};
pub(super) use crate::columns::stage;
use crate::columns::{properties_from_json, properties_to_json};

/// How many columns [`encode`] writes.
pub(super) const WRITTEN: i16 = 31;

/// The columns in the order in which [`encode`] writes them.
pub(super) const COPY: &str = "COPY events (
    epoch, uuid, timestamp, created_at, change_seq, stage, event, distinct_id, person_id,
    session_id, window_id, host, path, referrer, utm_source, utm_medium, utm_campaign,
    utm_content, utm_term, device_type, elements_chain, event_type, anon_distinct_id, alias,
    product_id, sku, price, currency, quantity, cart_id, id_properties) FROM STDIN (FORMAT binary)";

/// Adds one row.
pub(super) fn encode(
    to: &mut Rows,
    epoch: i64,
    placed: &PlacedEvent,
    change_seq: i64,
) -> Result<()> {
    let event = &placed.event;
    to.row();
    to.bigint(epoch);
    to.uuid(&event.uuid);
    to.bigint(micros(event.timestamp));
    to.bigint(micros(event.created_at));
    to.bigint(change_seq);
    match placed.stage {
        Some(stage) => to.smallint(PostHogStage::number(stage)),
        None => to.null(),
    }
    to.text(event.event.as_str());
    to.text(&event.distinct_id);
    match &event.person_id {
        Some(person_id) => to.uuid(person_id),
        None => to.null(),
    }
    for text in [
        &event.session_id,
        &event.window_id,
        &event.host,
        &event.path,
        &event.referrer,
        &event.utm_source,
        &event.utm_medium,
        &event.utm_campaign,
        &event.utm_content,
        &event.utm_term,
        &event.device_type,
        &event.elements_chain,
        &event.event_type,
        &event.anon_distinct_id,
        &event.alias,
        &event.product_id,
        &event.sku,
        &event.price,
        &event.currency,
        &event.quantity,
        &event.cart_id,
    ] {
        to.text_or_null(text.as_deref());
    }
    to.text_or_null(properties_to_json(&event.id_properties)?.as_deref());
    Ok(())
}

/// The columns that [`decode`] reads, of `events AS e` and `person_links AS p`.
pub(super) const SELECT: &str = "SELECT e.uuid, e.event, e.distinct_id,
    coalesce(p.person_id, e.person_id), e.timestamp, e.created_at, e.session_id, e.window_id,
    e.host, e.path, e.referrer, e.utm_source, e.utm_medium, e.utm_campaign, e.utm_content,
    e.utm_term, e.device_type, e.elements_chain, e.event_type, e.anon_distinct_id, e.alias,
    e.product_id, e.sku, e.price, e.currency, e.quantity, e.cart_id, e.id_properties, e.stage,
    e.change_seq";

/// Joins to `events AS e` what its distinct id is mapped to now. Looked up for each row by itself:
/// a planner that may choose hashes all links of the epoch for every page.
pub(super) const JOIN_PERSON: &str = "LEFT JOIN LATERAL (
        SELECT person_id FROM person_links AS l
        WHERE l.epoch = e.epoch AND left(l.distinct_id, 500) = left(e.distinct_id, 500)
            AND l.distinct_id = e.distinct_id AND l.valid_to IS NULL
        LIMIT 1
    ) AS p ON true";

/// Reads a row of [`SELECT`].
pub(super) fn decode(row: &PgRow) -> Result<EventRow<&str>> {
    Ok(EventRow {
        event: Event {
            uuid: at(row, 0)?,
            event: EventName::new(at::<&str>(row, 1)?),
            distinct_id: at(row, 2)?,
            person_id: at(row, 3)?,
            timestamp: instant(at(row, 4)?)?,
            created_at: instant(at(row, 5)?)?,
            session_id: at(row, 6)?,
            window_id: at(row, 7)?,
            host: at(row, 8)?,
            path: at(row, 9)?,
            referrer: at(row, 10)?,
            utm_source: at(row, 11)?,
            utm_medium: at(row, 12)?,
            utm_campaign: at(row, 13)?,
            utm_content: at(row, 14)?,
            utm_term: at(row, 15)?,
            device_type: at(row, 16)?,
            elements_chain: at(row, 17)?,
            event_type: at(row, 18)?,
            anon_distinct_id: at(row, 19)?,
            alias: at(row, 20)?,
            product_id: at(row, 21)?,
            sku: at(row, 22)?,
            price: at(row, 23)?,
            currency: at(row, 24)?,
            quantity: at(row, 25)?,
            cart_id: at(row, 26)?,
            id_properties: properties_from_json(at(row, 27)?)?,
        },
        stage: stage(at(row, 28)?)?,
    })
}

/// The change sequence number of a row of [`SELECT`].
pub(super) fn change_seq(row: &PgRow) -> Result<i64> {
    at(row, 29)
}

/// The columns that [`decode_stored`] reads, of `events`.
pub(super) const SELECT_STORED: &str =
    "SELECT uuid, created_at, timestamp, event, distinct_id, stage, id_properties, anon_distinct_id,
    alias";

/// Reads a row of [`SELECT_STORED`].
pub(super) fn decode_stored(row: &PgRow) -> Result<StoredRow> {
    Ok(StoredRow {
        uuid: at(row, 0)?,
        created_at: instant(at(row, 1)?)?,
        timestamp: instant(at(row, 2)?)?,
        event: EventName::new(at::<&str>(row, 3)?),
        distinct_id: at(row, 4)?,
        stage: stage(at(row, 5)?)?,
        id_properties: properties_from_json(at(row, 6)?)?,
        anon_distinct_id: at(row, 7)?,
        alias: at(row, 8)?,
    })
}

/// A column's value. Its type is not compared with `T`'s: the columns are those of this store's own
/// schema, and to compare all of a page's costs as much as reading them.
fn at<'r, T: Decode<'r, Postgres>>(row: &'r PgRow, column: usize) -> Result<T> {
    row.try_get_unchecked(column).map_err(sql)
}
