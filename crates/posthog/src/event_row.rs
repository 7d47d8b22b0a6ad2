//! From a row of a slice to an event, in the order of the columns that [`crate::queries`] asks for.

use std::borrow::Cow;
use std::collections::BTreeMap;

use domain::Event;
use domain::elements::masked;
use domain::event::EventName;
use domain::page_path::page_of;

use crate::answer::Row;

/// Reads one row. A row that lacks what an event must have (uuid, event, distinct id, timestamps
/// within jiff's range) is an error, which fails its whole page: nothing is lost in silence.
/// Without `elements` the row has not the columns that tell what was clicked.
pub(crate) fn read(
    row: &mut Row<'_>,
    id_properties: &[String],
    elements: bool,
) -> Result<Event, String> {
    let uuid = row.uuid()?;
    let event = EventName::new(row.text()?);
    let distinct_id = row.text()?;
    let person_id = row.optional_uuid()?;
    let timestamp = row.instant()?;
    let created_at = row.instant()?;
    let session_id = row.optional_text()?;
    let window_id = row.optional_text()?;
    let current_url = row.optional_text()?;
    let page_host = row.optional_text()?;
    let page_path = row.optional_text()?;
    let (host, path) = page_of(
        current_url.as_deref(),
        page_host.as_deref(),
        page_path.as_deref(),
    );
    let mut event = Event {
        uuid,
        event,
        distinct_id,
        person_id,
        timestamp,
        created_at,
        session_id,
        window_id,
        host,
        path,
        referrer: row.optional_text()?,
        utm_source: row.optional_text()?,
        utm_medium: row.optional_text()?,
        utm_campaign: row.optional_text()?,
        utm_content: row.optional_text()?,
        utm_term: row.optional_text()?,
        device_type: row.optional_text()?,
        elements_chain: if elements { chain(row)? } else { None },
        event_type: if elements { row.optional_text()? } else { None },
        anon_distinct_id: row.optional_text()?,
        alias: row.optional_text()?,
        product_id: row.optional_text()?,
        sku: row.optional_text()?,
        price: figure(row.optional_text()?),
        currency: row.optional_text()?,
        quantity: figure(row.optional_text()?),
        cart_id: row.optional_text()?,
        id_properties: BTreeMap::new(),
    };
    // Whatever else a sender gave elements to: no clickmap shows it.
    if !event.event.is_autocapture() {
        event.elements_chain = None;
        event.event_type = None;
    }
    for property in id_properties {
        if let Some(value) = row.optional_text()? {
            event.id_properties.insert(property.clone(), value);
        }
    }
    Ok(event)
}

/// What was clicked, without what a visitor might have typed: nothing else of it is ever kept.
fn chain(row: &mut Row<'_>) -> Result<Option<String>, String> {
    let chain = row.optional_text()?;
    Ok(chain.map(|chain| match masked(&chain) {
        Cow::Owned(masked) => masked,
        Cow::Borrowed(_) => chain,
    }))
}

/// NaN and infinities are absent, as PostHog's own renderer has them; as texts they come through.
fn figure(text: Option<String>) -> Option<String> {
    text.filter(|text| text.parse().map_or(true, f64::is_finite))
}

#[cfg(test)]
mod tests;
