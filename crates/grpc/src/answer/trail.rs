//! Steps of a trail.

use std::collections::HashMap;

use domain::clickmap::ClickmapRules;
use domain::elements::{ClickedElement, ElementsChain};
use domain::masking::MaskedText;
use domain::recogniser::is_order_like;
use domain::storage::EventRow;
use domain::{Event, EventName};

use super::stage::stage;
use super::time::timestamp;
use crate::proto::v1;

/// Makes steps of events, by the rules of the connection's clickmaps.
pub(crate) struct TrailEvents<'a> {
    rules: &'a ClickmapRules,
    /// Names are few, and to take one apart costs more than all the rest of an event.
    order_like: HashMap<EventName, bool>,
}

impl<'a> TrailEvents<'a> {
    /// Steps whose pages and elements are those of these rules.
    pub(crate) fn by(rules: &'a ClickmapRules) -> Self {
        Self {
            rules,
            order_like: HashMap::new(),
        }
    }

    /// One event as a step.
    pub(crate) fn message(&mut self, row: EventRow) -> v1::TrailEvent {
        let event = row.event;
        let name = event.event.clone();
        let order_like = *self
            .order_like
            .entry(name)
            .or_insert_with_key(|name| is_order_like(name.as_str()));
        let page = event.path.as_deref().map(|path| {
            let page = self.rules.page_templates.of(path);
            page.as_str().to_owned()
        });
        v1::TrailEvent {
            uuid: event.uuid.to_string(),
            timestamp: Some(timestamp(event.timestamp)),
            stage: row.stage.map_or(v1::FunnelStage::Unspecified, stage).into(),
            order_like,
            element: self.element(&event),
            event: event.event.into(),
            distinct_id: event.distinct_id,
            session_id: event.session_id,
            host: event.host,
            path: event.path,
            page,
            referrer: event.referrer,
            utm_source: event.utm_source,
            utm_medium: event.utm_medium,
            utm_campaign: event.utm_campaign,
            utm_content: event.utm_content,
            utm_term: event.utm_term,
            device_type: event.device_type,
        }
    }

    fn element(&self, event: &Event) -> Option<v1::TrailElement> {
        let chain = ElementsChain::parse(event.elements_chain.as_deref()?).ok()?;
        let element = ClickedElement::of(&chain, &self.rules.data_attributes)?;
        let text = |text: Option<MaskedText<'_>>| text.map(|text| text.as_str().to_owned());
        Some(v1::TrailElement {
            event_type: event.event_type.clone(),
            selector: element.selector.as_str().to_owned(),
            tag: text(element.tag),
            text: text(element.text),
            href: text(element.href),
        })
    }
}
