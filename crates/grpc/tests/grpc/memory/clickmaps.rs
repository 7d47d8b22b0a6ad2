//! Clickmaps, made of all events for each question.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use domain::ConnectionId;
use domain::clickmap::{ClickCounts, ClickEvent, DayClickmap, DayOfClicks, is_click_event};
use domain::day::{day_bounds, time_zone};
use domain::elements::ClickedElement;
use domain::storage::{
    ClickedElementRow, ClickedPage, ClickmapReader, ClickmapSpan, ElementPlace, PagePlace, Result,
};
use uuid::Uuid;

use super::{Memory, State};

/// The clickmaps of each day of the span, of the devices asked for.
fn days(state: &State, connection: ConnectionId, span: &ClickmapSpan) -> Vec<DayClickmap> {
    let epoch = &state.epochs[&connection];
    let zone = time_zone(epoch.time_zone.as_deref().unwrap()).unwrap();
    let rules = epoch.clickmap_rules.clone().unwrap();
    let mut events: Vec<ClickEvent> = state
        .events
        .values()
        .filter(|row| is_click_event(&row.event.event))
        .map(|row| ClickEvent::from(&row.event))
        .collect();
    events.sort_by_key(|event| (event.timestamp, event.uuid));
    let asked = |device| span.devices.is_empty() || span.devices.contains(&device);
    let mut days = Vec::new();
    let mut day = span.from;
    while day < span.to {
        let (from, to) = day_bounds(day, &zone);
        let mut clicks = DayOfClicks::new(&rules, from, to);
        events.iter().for_each(|event| clicks.add(event));
        let mut made = clicks.finish();
        made.pages.retain(|row| asked(row.device));
        made.elements.retain(|row| asked(row.device));
        days.push(made);
        day = day.tomorrow().unwrap();
    }
    days
}

fn pages(days: &[DayClickmap]) -> BTreeMap<String, ClickedPage> {
    let mut pages: BTreeMap<String, ClickedPage> = BTreeMap::new();
    for row in days.iter().flat_map(|day| &day.pages) {
        let page = row.page.as_str().to_owned();
        let total = pages.entry(page.clone()).or_insert(nobody(page));
        total.counts += row.counts;
        total.unparsed += row.unparsed;
    }
    pages
}

fn nobody(page: String) -> ClickedPage {
    ClickedPage {
        page,
        counts: ClickCounts::default(),
        unparsed: 0,
    }
}

fn elements(days: &[DayClickmap], page: &str) -> Vec<ClickedElementRow> {
    let mut counts: BTreeMap<Uuid, ClickCounts> = BTreeMap::new();
    let mut labels: BTreeMap<Uuid, ClickedElement> = BTreeMap::new();
    for day in days {
        let mut here = BTreeSet::new();
        for row in day.elements.iter().filter(|row| row.page.as_str() == page) {
            *counts.entry(row.element.0).or_default() += row.counts;
            here.insert(row.element);
        }
        for row in day.labels.iter().filter(|row| row.page.as_str() == page) {
            if here.contains(&row.element) {
                labels.insert(row.element.0, row.label.clone());
            }
        }
    }
    let mut rows: Vec<ClickedElementRow> = counts
        .into_iter()
        .map(|(element, counts)| {
            let label = &labels[&element];
            let text = |text: &Option<domain::masking::MaskedText<'_>>| {
                text.as_ref().map(|text| text.as_str().to_owned())
            };
            ClickedElementRow {
                place: ElementPlace {
                    clicks: counts.clicks,
                    element,
                },
                counts,
                selector: label.selector.as_str().to_owned(),
                basis: label.selector.basis(),
                tag: text(&label.tag),
                text: text(&label.text),
                href: text(&label.href),
            }
        })
        .collect();
    rows.sort_by_key(|row| (std::cmp::Reverse(row.place.clicks), row.place.element));
    rows
}

#[async_trait]
impl ClickmapReader for Memory {
    async fn clicked_pages(
        &self,
        connection: ConnectionId,
        span: &ClickmapSpan,
        after: Option<&PagePlace>,
        limit: usize,
    ) -> Result<Vec<ClickedPage>> {
        self.ask(|state| {
            let mut rows: Vec<ClickedPage> = pages(&days(state, connection, span))
                .into_values()
                .collect();
            let key = |place: &PagePlace| (std::cmp::Reverse(place.clicks), place.page.clone());
            rows.sort_by_key(|page| key(&page.place()));
            rows.retain(|page| after.is_none_or(|after| key(&page.place()) > key(after)));
            rows.truncate(limit);
            rows
        })
        .await
    }

    async fn is_clicked_page(&self, connection: ConnectionId, page: &str) -> Result<bool> {
        self.ask(|state| {
            let rules = state.epochs[&connection].clickmap_rules.clone().unwrap();
            let clicks = state.events.values().map(|row| &row.event);
            clicks
                .filter(|event| is_click_event(&event.event))
                .filter_map(|event| event.path.as_deref())
                .any(|path| rules.page_templates.of(path).as_str() == page)
        })
        .await
    }

    async fn clicked_elements(
        &self,
        connection: ConnectionId,
        page: &str,
        span: &ClickmapSpan,
        after: Option<ElementPlace>,
        limit: usize,
    ) -> Result<(ClickedPage, Vec<ClickedElementRow>)> {
        self.ask(|state| {
            let days = days(state, connection, span);
            let total = pages(&days).remove(page);
            let key = |place: ElementPlace| (std::cmp::Reverse(place.clicks), place.element);
            let mut rows = elements(&days, page);
            rows.retain(|row| after.is_none_or(|after| key(row.place) > key(after)));
            rows.truncate(limit);
            (total.unwrap_or_else(|| nobody(page.to_owned())), rows)
        })
        .await
    }
}
