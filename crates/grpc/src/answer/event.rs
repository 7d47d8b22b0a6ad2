//! Events.

use domain::storage::EventRow;

use super::order_like::OrderLike;
use super::stage::stage;
use super::time::timestamp;
use crate::proto::v1;

/// Makes messages of events.
#[derive(Default)]
pub(crate) struct Events {
    order_like: OrderLike,
}

impl Events {
    /// An event with all of its columns.
    pub(crate) fn message(&mut self, row: EventRow) -> v1::Event {
        let order_like = self.order_like.is(&row.event.event);
        message(row, order_like)
    }
}

fn message(row: EventRow, order_like: bool) -> v1::Event {
    let event = row.event;
    v1::Event {
        uuid: event.uuid.to_string(),
        stage: row.stage.map_or(v1::FunnelStage::Unspecified, stage).into(),
        order_like,
        event: event.event.into(),
        timestamp: Some(timestamp(event.timestamp)),
        create_time: Some(timestamp(event.created_at)),
        distinct_id: event.distinct_id,
        person_id: event.person_id.map(|person| person.to_string()),
        session_id: event.session_id,
        window_id: event.window_id,
        host: event.host,
        path: event.path,
        referrer: event.referrer,
        utm_source: event.utm_source,
        utm_medium: event.utm_medium,
        utm_campaign: event.utm_campaign,
        utm_content: event.utm_content,
        utm_term: event.utm_term,
        device_type: event.device_type,
        elements_chain: event.elements_chain,
        event_type: event.event_type,
        anon_distinct_id: event.anon_distinct_id,
        alias: event.alias,
        product_id: event.product_id,
        sku: event.sku,
        price: event.price,
        currency: event.currency,
        quantity: event.quantity,
        cart_id: event.cart_id,
        id_properties: event.id_properties.into_iter().collect(),
    }
}
