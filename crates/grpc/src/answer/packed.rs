//! Events packed as their message is, straight from what the database sent.
//!
//! A page has a thousand events of thirty columns. To make messages of them first, each text in memory of
//! its own, and then to measure and to pack those, takes longer than all else that the server does for it.

use bytes::{Bytes, BytesMut};
use domain::storage::EventRow;
use prost::encoding::{btree_map, string};

use super::fields::{Fields, buffer};
use super::order_like::OrderLike;
use super::stage::stage;

/// Packs events.
pub(crate) struct PackedEvents {
    order_like: OrderLike,
    /// What all of them share.
    buffer: BytesMut,
}

impl PackedEvents {
    /// Has packed none yet.
    pub(crate) fn new() -> Self {
        Self {
            order_like: OrderLike::default(),
            buffer: buffer(),
        }
    }

    /// An event with all of its columns: what an [`Event`](crate::proto::v1::Event) of them is packed into.
    pub(crate) fn pack(&mut self, row: &EventRow<&str>) -> Bytes {
        let order_like = self.order_like.is(&row.event.event);
        pack(row, order_like, &mut Fields(&mut self.buffer));
        self.buffer.split().freeze()
    }
}

/// Writes fields by their numbers in `event.proto`.
fn pack(row: &EventRow<&str>, order_like: bool, to: &mut Fields<'_>) {
    let event = &row.event;
    to.uuid(1, &event.uuid);
    to.text_unless_empty(2, event.event.as_str());
    to.enumerated(3, row.stage.map_or(0, |of| stage(of).into()));
    to.number(4, order_like.into());
    to.instant(5, event.timestamp);
    to.instant(6, event.created_at);
    to.text_unless_empty(7, event.distinct_id);
    if let Some(person_id) = &event.person_id {
        to.uuid(8, person_id);
    }
    for (number, text) in [
        (9, event.session_id),
        (10, event.window_id),
        (11, event.host),
        (12, event.path),
        (13, event.referrer),
        (14, event.utm_source),
        (15, event.utm_medium),
        (16, event.utm_campaign),
        (17, event.utm_content),
        (18, event.utm_term),
        (19, event.device_type),
        (20, event.elements_chain),
        (21, event.anon_distinct_id),
        (22, event.alias),
        (23, event.product_id),
        (24, event.sku),
        (25, event.price),
        (26, event.currency),
        (27, event.quantity),
        (28, event.cart_id),
        (30, event.event_type),
    ] {
        if let Some(text) = text {
            to.text(number, text);
        }
    }
    btree_map::encode(
        string::encode,
        string::encoded_len,
        string::encode,
        string::encoded_len,
        29,
        &event.id_properties,
        to.0,
    );
}

#[cfg(test)]
mod tests;
