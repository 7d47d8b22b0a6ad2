//! Steps of a trail.

use domain::Event;
use domain::clickmap::ClickmapRules;
use domain::elements::{ClickedElement, ElementsChain};
use domain::masking::MaskedText;
use domain::storage::EventRow;

use super::order_like::OrderLike;
use super::stage::stage;
use super::time::timestamp;
use crate::proto::v1;

/// Makes steps of events, by the rules of the connection's clickmaps.
pub(crate) struct TrailEvents<'a> {
    rules: &'a ClickmapRules,
    order_like: OrderLike,
}

impl<'a> TrailEvents<'a> {
    /// Steps whose pages and elements are those of these rules.
    pub(crate) fn by(rules: &'a ClickmapRules) -> Self {
        Self {
            rules,
            order_like: OrderLike::default(),
        }
    }

    /// One event as a step.
    pub(crate) fn message(&mut self, row: EventRow<&str>) -> v1::TrailEvent {
        let text = |given: Option<&str>| given.map(str::to_owned);
        let event = row.event;
        let order_like = self.order_like.is(&event.event);
        let page = event.path.map(|path| {
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
            distinct_id: event.distinct_id.to_owned(),
            session_id: text(event.session_id),
            host: text(event.host),
            path: text(event.path),
            page,
            referrer: text(event.referrer),
            utm_source: text(event.utm_source),
            utm_medium: text(event.utm_medium),
            utm_campaign: text(event.utm_campaign),
            utm_content: text(event.utm_content),
            utm_term: text(event.utm_term),
            device_type: text(event.device_type),
        }
    }

    fn element(&self, event: &Event<&str>) -> Option<v1::TrailElement> {
        let chain = ElementsChain::parse(event.elements_chain?).ok()?;
        let element = ClickedElement::of(&chain, &self.rules.data_attributes)?;
        let text = |text: Option<MaskedText<'_>>| text.map(|text| text.as_str().to_owned());
        Some(v1::TrailElement {
            event_type: event.event_type.map(str::to_owned),
            selector: element.selector.as_str().to_owned(),
            tag: text(element.tag),
            text: text(element.text),
            href: text(element.href),
        })
    }
}
