//! A day's clickmap without cleverness: all clicks at once, each looked at as often as it takes.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::clicks::{Click, ClickKind, doubles};
use crate::elements::{ClickedElement, ElementsChain};
use crate::page_path::PageTemplate;

type Key = (PageTemplate, ElementId, DeviceType);

pub(super) fn naive(events: &[ClickEvent], from: Timestamp, to: Timestamp) -> DayClickmap {
    let rules = ClickmapRules::default();
    let page = |event: &ClickEvent| {
        let path = event.path.as_ref();
        path.map_or(PageTemplate::UNKNOWN, |path| rules.page_templates.of(path))
    };
    let device = |event: &ClickEvent| DeviceType::of(event.device_type.as_deref());
    let label = |event: &ClickEvent| {
        event.path.as_ref()?;
        let chain = event.elements_chain.clone()?;
        ClickedElement::of(&ElementsChain::parse(&chain).ok()?, &rules.data_attributes)
    };
    let near: Vec<(&ClickEvent, ClickKind)> = events
        .iter()
        .filter(|event| {
            from - OVER_THE_EDGE <= event.timestamp && event.timestamp < to + OVER_THE_EDGE
        })
        .filter_map(|event| {
            Some((
                event,
                ClickKind::of(&event.event, event.event_type.as_deref())?,
            ))
        })
        .collect();
    let within = |event: &ClickEvent| from <= event.timestamp && event.timestamp < to;

    let mut map = DayClickmap::default();
    let told: Vec<(&ClickEvent, ClickKind, Key)> = near
        .iter()
        .filter_map(|(event, kind)| {
            let id = ElementId::of(label(event)?.selector.as_str());
            Some((*event, *kind, (page(event), id, device(event))))
        })
        .collect();
    let clicks: Vec<_> = told
        .iter()
        .map(|(event, kind, key)| Click {
            uuid: event.uuid,
            kind: *kind,
            at: event.timestamp,
            window: (&event.distinct_id, &event.session_id, &event.window_id),
            element: key,
        })
        .collect();
    let same = doubles(&clicks);
    let mut elements: BTreeMap<Key, (u64, u64, u64)> = BTreeMap::new();
    for (place, (event, kind, key)) in told.iter().enumerate() {
        if within(event) {
            let counted = elements.entry(key.clone()).or_default();
            counted.0 += u64::from(!same.contains(&place));
            counted.1 += u64::from(*kind == ClickKind::Rage);
            counted.2 += u64::from(*kind == ClickKind::Dead);
        }
    }
    elements.retain(|_, counted| *counted != (0, 0, 0));
    let mut pages: BTreeMap<(PageTemplate, DeviceType), (ClickCounts, u64)> = BTreeMap::new();
    for ((page, element, device), (clicks, rage, dead)) in &elements {
        let counts = counts(*clicks, *rage, *dead);
        pages.entry((page.clone(), *device)).or_default().0 += counts;
        map.elements.push(ElementClicks {
            page: page.clone(),
            element: *element,
            device: *device,
            counts,
        });
    }
    for (event, _) in near.iter().filter(|(event, _)| within(event)) {
        if label(event).is_none() {
            pages.entry((page(event), device(event))).or_default().1 += 1;
        }
    }
    map.pages = pages
        .into_iter()
        .map(|((page, device), (counts, unparsed))| PageClicks {
            page,
            device,
            counts,
            unparsed,
        })
        .collect();
    let shown: BTreeSet<(PageTemplate, ElementId)> = elements
        .into_keys()
        .map(|(page, element, _)| (page, element))
        .collect();
    for (page, element) in shown {
        let last = told
            .iter()
            .filter(|(event, _, key)| within(event) && (&key.0, key.1) == (&page, element))
            .max_by_key(|(event, ..)| (event.timestamp, event.uuid));
        map.labels.extend(last.map(|(event, ..)| ElementLabel {
            page: page.clone(),
            element,
            label: label(event).unwrap(),
        }));
    }
    map
}
