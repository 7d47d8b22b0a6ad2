//! NUL characters, which PostgreSQL's text cannot hold: they are stored as U+FFFD, in every
//! database alike. PostHog's capture does the same with distinct ids (`distinct_id.replace('\0',
//! "\u{FFFD}")` in its Rust services).

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Event, EventName};

/// `text` with each NUL as U+FFFD, the replacement character.
pub fn without_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

impl Event {
    /// Spells every text of the event as it is stored: see [`without_nul`].
    pub fn replace_nul(&mut self) {
        if let Cow::Owned(name) = without_nul(self.event.as_str()) {
            self.event = EventName::new(name);
        }
        replace(&mut self.distinct_id);
        for text in [
            &mut self.session_id,
            &mut self.window_id,
            &mut self.host,
            &mut self.path,
            &mut self.referrer,
            &mut self.utm_source,
            &mut self.utm_medium,
            &mut self.utm_campaign,
            &mut self.utm_content,
            &mut self.utm_term,
            &mut self.device_type,
            &mut self.elements_chain,
            &mut self.event_type,
            &mut self.anon_distinct_id,
            &mut self.alias,
            &mut self.product_id,
            &mut self.sku,
            &mut self.price,
            &mut self.currency,
            &mut self.quantity,
            &mut self.cart_id,
        ]
        .into_iter()
        .flatten()
        {
            replace(text);
        }
        let mut pairs = self.id_properties.iter();
        if pairs.any(|(name, value)| name.contains('\0') || value.contains('\0')) {
            let pairs: BTreeMap<String, String> = std::mem::take(&mut self.id_properties);
            self.id_properties = pairs
                .into_iter()
                .map(|(name, value)| {
                    (
                        without_nul(&name).into_owned(),
                        without_nul(&value).into_owned(),
                    )
                })
                .collect();
        }
    }
}

fn replace(text: &mut String) {
    if let Cow::Owned(replaced) = without_nul(text) {
        *text = replaced;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::blank;

    #[test]
    fn no_text_of_an_event_keeps_a_nul() {
        let mut full = serde_json::to_value(blank()).unwrap();
        let columns = full.as_object_mut().unwrap();
        for (column, value) in columns.iter_mut() {
            match column.as_str() {
                "uuid" | "person_id" | "timestamp" | "created_at" => {}
                "id_properties" => *value = serde_json::json!({"a\0": "\0b", "c": "d"}),
                _ => *value = serde_json::json!("a\0b"),
            }
        }
        let mut sent: Event = serde_json::from_value(full).unwrap();
        sent.replace_nul();
        let stored = serde_json::to_string(&sent).unwrap();
        assert!(!stored.contains("\\u0000"), "{stored}");
        assert_eq!(sent.distinct_id, "a\u{fffd}b");
        assert_eq!(sent.id_properties["a\u{fffd}"], "\u{fffd}b");
        let once = sent.clone();
        sent.replace_nul();
        assert_eq!(sent, once);
    }
}
