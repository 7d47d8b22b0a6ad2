//! The columns of an event: written in one order, read in another.

use domain::merge::{PlacedEvent, StoredRow};
use domain::stage::PostHogStage;
use domain::storage::{EventRow, Result};
use domain::{Event, EventName};
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row, Sqlite, Type};

use super::errors::sql;
use super::rows::Parameters;
use super::values::{instant, micros};
pub(super) use crate::columns::stage;
use crate::columns::{properties_from_json, properties_to_json};

/// How many columns [`bind`] writes.
pub(super) const WRITTEN: usize = 31;

/// The columns in the order in which [`bind`] writes them.
pub(super) const INSERT: &str = "INSERT INTO events (
    epoch, uuid, timestamp, created_at, event, stage, change_seq, distinct_id, person_id,
    session_id, window_id, host, path, referrer, utm_source, utm_medium, utm_campaign,
    utm_content, utm_term, device_type, elements_chain, event_type, anon_distinct_id, alias,
    product_id, sku, price, currency, quantity, cart_id, id_properties) VALUES";

/// What makes [`INSERT`] replace a stored row whole.
pub(super) const REPLACE: &str = "ON CONFLICT (epoch, uuid) DO UPDATE SET
    timestamp = excluded.timestamp, created_at = excluded.created_at, event = excluded.event,
    stage = excluded.stage, change_seq = excluded.change_seq, distinct_id = excluded.distinct_id,
    person_id = excluded.person_id, session_id = excluded.session_id,
    window_id = excluded.window_id, host = excluded.host, path = excluded.path,
    referrer = excluded.referrer, utm_source = excluded.utm_source,
    utm_medium = excluded.utm_medium, utm_campaign = excluded.utm_campaign,
    utm_content = excluded.utm_content, utm_term = excluded.utm_term,
    device_type = excluded.device_type, elements_chain = excluded.elements_chain,
    event_type = excluded.event_type,
    anon_distinct_id = excluded.anon_distinct_id, alias = excluded.alias,
    product_id = excluded.product_id, sku = excluded.sku, price = excluded.price,
    currency = excluded.currency, quantity = excluded.quantity, cart_id = excluded.cart_id,
    id_properties = excluded.id_properties";

/// Adds one row's parameters.
pub(super) fn bind(
    to: &mut Parameters,
    epoch: i64,
    placed: &PlacedEvent,
    change_seq: i64,
) -> Result<()> {
    let event = &placed.event;
    to.add(epoch)?;
    to.add(event.uuid)?;
    to.add(micros(event.timestamp))?;
    to.add(micros(event.created_at))?;
    to.add(event.event.as_str())?;
    to.add(placed.stage.map(PostHogStage::number))?;
    to.add(change_seq)?;
    to.add(event.distinct_id.as_str())?;
    to.add(event.person_id)?;
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
        to.add(text.as_deref())?;
    }
    to.add(properties_to_json(&event.id_properties)?)
}

/// The columns that [`decode`] reads, of `events AS e` and `person_links AS p`.
pub(super) const SELECT: &str = "SELECT e.uuid, e.event, e.distinct_id,
    coalesce(p.person_id, e.person_id), e.timestamp, e.created_at, e.session_id, e.window_id,
    e.host, e.path, e.referrer, e.utm_source, e.utm_medium, e.utm_campaign, e.utm_content,
    e.utm_term, e.device_type, e.elements_chain, e.event_type, e.anon_distinct_id, e.alias,
    e.product_id, e.sku, e.price, e.currency, e.quantity, e.cart_id, e.id_properties, e.stage,
    e.change_seq";

/// Joins to `events AS e` what its distinct id is mapped to now.
pub(super) const JOIN_PERSON: &str = "LEFT JOIN person_links AS p
    ON p.epoch = e.epoch AND p.distinct_id = e.distinct_id AND p.valid_to IS NULL";

/// Reads a row of [`SELECT`].
pub(super) fn decode(row: &SqliteRow) -> Result<EventRow<&str>> {
    Ok(EventRow {
        event: Event {
            uuid: at(row, 0)?,
            event: EventName::new(at::<String>(row, 1)?),
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
pub(super) fn change_seq(row: &SqliteRow) -> Result<i64> {
    at(row, 29)
}

/// The columns that [`decode_stored`] reads, of `events`.
pub(super) const SELECT_STORED: &str =
    "SELECT uuid, created_at, timestamp, event, distinct_id, stage, id_properties, anon_distinct_id,
    alias, rowid";

/// Reads a row of [`SELECT_STORED`].
pub(super) fn decode_stored(row: &SqliteRow) -> Result<StoredRow> {
    Ok(StoredRow {
        uuid: at(row, 0)?,
        created_at: instant(at(row, 1)?)?,
        timestamp: instant(at(row, 2)?)?,
        event: EventName::new(at::<String>(row, 3)?),
        distinct_id: at(row, 4)?,
        stage: stage(at(row, 5)?)?,
        id_properties: properties_from_json(at(row, 6)?)?,
        anon_distinct_id: at(row, 7)?,
        alias: at(row, 8)?,
    })
}

/// The rowid of a row of [`SELECT_STORED`].
pub(super) fn rowid(row: &SqliteRow) -> Result<i64> {
    at(row, 9)
}

fn at<'r, T: Decode<'r, Sqlite> + Type<Sqlite>>(row: &'r SqliteRow, column: usize) -> Result<T> {
    row.try_get(column).map_err(sql)
}
