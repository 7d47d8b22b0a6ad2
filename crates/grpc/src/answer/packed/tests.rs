//! Judged by the generated message of the same event.

use domain::recogniser::is_order_like;
use domain::stage::PostHogStage;
use domain::{Event, EventName};
use jiff::Timestamp;
use proptest::prelude::*;
use prost::Message;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::*;
use crate::answer::Events;
use crate::proto::v1;

/// The columns that an event may lack.
const TEXTS: [&str; 21] = [
    "session_id",
    "window_id",
    "host",
    "path",
    "referrer",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_content",
    "utm_term",
    "device_type",
    "elements_chain",
    "event_type",
    "anon_distinct_id",
    "alias",
    "product_id",
    "sku",
    "price",
    "currency",
    "quantity",
    "cart_id",
];

fn any_instant() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        Just(Timestamp::UNIX_EPOCH),
        (-1_i64 << 50..1_i64 << 50).prop_map(|at| Timestamp::from_microsecond(at).unwrap()),
    ]
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), ".{0,20}", "[a-zé]{120,140}"]
}

fn any_row() -> impl Strategy<Value = EventRow> {
    let name = prop_oneof![any_text(), Just("order completed".to_owned())];
    let texts = prop::collection::vec(prop::option::of(any_text()), TEXTS.len());
    let properties = prop::collection::btree_map(any_text(), any_text(), 0..3);
    let stage = prop::option::of(prop::sample::select(PostHogStage::ALL.to_vec()));
    let ids = (any::<u128>(), prop::option::of(any::<u128>()));
    let instants = (any_instant(), any_instant());
    (name, any_text(), texts, properties, stage, ids, instants).prop_map(
        |(name, distinct_id, texts, id_properties, stage, (uuid, person), (at, created))| {
            let texts: Map<String, Value> = TEXTS
                .iter()
                .zip(texts)
                .map(|(column, text)| ((*column).to_owned(), json!(text)))
                .collect();
            let mut event = json!({
                "uuid": Uuid::from_u128(uuid),
                "event": EventName::from(&*name),
                "distinct_id": distinct_id,
                "person_id": person.map(Uuid::from_u128),
                "timestamp": at,
                "created_at": created,
                "id_properties": id_properties,
            });
            event.as_object_mut().unwrap().extend(texts);
            let event: Event = serde_json::from_value(event).unwrap();
            EventRow { event, stage }
        },
    )
}

proptest! {
    #[test]
    fn a_packed_event_is_its_message(rows in prop::collection::vec(any_row(), 1..4)) {
        let mut packed = PackedEvents::new();
        for row in rows {
            let bytes = packed.pack(&row.borrowed());
            let message = Events::default().message(row);
            prop_assert_eq!(message.order_like, is_order_like(&message.event));
            prop_assert_eq!(bytes.len(), message.encoded_len());
            prop_assert_eq!(v1::Event::decode(bytes).unwrap(), message);
        }
    }
}
