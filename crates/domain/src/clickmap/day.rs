//! The clickmaps of one day, made by looking at each of its clicks once, in the order of time.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use strum::IntoEnumIterator;
use uuid::Uuid;

use super::counts::{ClickCounts, DayClickmap, ElementClicks, ElementId, ElementLabel, PageClicks};
use super::device::DeviceType;
use super::event::ClickEvent;
use super::pending::{Pending, Place, settle};
use super::rules::ClickmapRules;
use crate::clicks::ClickKind;
use crate::day::DayEdges;
use crate::elements::{ClickedElement, ElementsChain};
use crate::page_path::PageTemplate;

/// How far beyond a day's edges clicks are looked at to find those that are one with a click of the day.
pub const OVER_THE_EDGE: SignedDuration = SignedDuration::from_secs(5);

/// The days whose clickmaps an event of that moment touches.
pub fn touched_days(at: Timestamp, days: &DayEdges) -> RangeInclusive<Date> {
    let from = at.saturating_sub(OVER_THE_EDGE).unwrap_or(Timestamp::MIN);
    let to = at.saturating_add(OVER_THE_EDGE).unwrap_or(Timestamp::MAX);
    days.day_of(from)..=days.day_of(to)
}

/// Clicks as they are counted. The result depends on the events alone; memory holds what the day's
/// clickmap has, and the clicks of about a second.
#[derive(Debug)]
pub struct DayOfClicks<'a> {
    rules: &'a ClickmapRules,
    from: Timestamp,
    to: Timestamp,
    unparsed: BTreeMap<(PageTemplate, DeviceType), u64>,
    numbers: HashMap<(PageTemplate, ElementId), usize>,
    elements: Vec<Element>,
    pending: Pending,
}

#[derive(Debug)]
struct Element {
    page: PageTemplate,
    id: ElementId,
    /// How it looked at the last click of the day, and when that was.
    label: Option<(Timestamp, Uuid, ClickedElement)>,
    counts: BTreeMap<DeviceType, ClickCounts>,
}

impl<'a> DayOfClicks<'a> {
    /// A day of the instants `[from, to)`.
    pub fn new(rules: &'a ClickmapRules, from: Timestamp, to: Timestamp) -> Self {
        Self {
            rules,
            from,
            to,
            unparsed: BTreeMap::new(),
            numbers: HashMap::new(),
            elements: Vec::new(),
            pending: Pending::default(),
        }
    }

    /// The instants `[from, to)` whose events must be added.
    pub fn span(&self) -> (Timestamp, Timestamp) {
        let from = self.from.saturating_sub(OVER_THE_EDGE);
        let to = self.to.saturating_add(OVER_THE_EDGE);
        (from.unwrap_or(Timestamp::MIN), to.unwrap_or(Timestamp::MAX))
    }

    /// Adds the next event in the order (timestamp, uuid).
    pub fn add(&mut self, event: &ClickEvent) {
        let Some(kind) = ClickKind::of(&event.event, event.event_type.as_deref()) else {
            return;
        };
        let page = match &event.path {
            Some(path) => self.rules.page_templates.of(path),
            None => PageTemplate::UNKNOWN,
        };
        let device = DeviceType::of(event.device_type.as_deref());
        let within = self.is_within(event.timestamp);
        let Some(clicked) = self.clicked(event) else {
            if within {
                *self.unparsed.entry((page, device)).or_default() += 1;
            }
            return;
        };
        let number = self.number(page, &clicked);
        if within {
            self.elements[number].label = Some((event.timestamp, event.uuid, clicked));
        }
        let place = Place::of(event, number, device);
        let settled = self.pending.add(place, kind, event.timestamp, event.uuid);
        for (place, clicks) in settled {
            self.count(&place, &clicks);
        }
    }

    /// What the clicks of the day come to.
    pub fn finish(mut self) -> DayClickmap {
        for (place, clicks) in std::mem::take(&mut self.pending).finish() {
            self.count(&place, &clicks);
        }
        let mut map = DayClickmap::default();
        let mut totals: BTreeMap<(PageTemplate, DeviceType), (ClickCounts, u64)> = BTreeMap::new();
        for (key, unparsed) in self.unparsed {
            totals.entry(key).or_default().1 = unparsed;
        }
        self.elements
            .sort_unstable_by(|a, b| (&a.page, a.id).cmp(&(&b.page, b.id)));
        for element in self.elements {
            let mut seen = false;
            for device in DeviceType::iter() {
                let counts = element.counts.get(&device).copied();
                let Some(counts) = counts.filter(|counts| *counts != ClickCounts::default()) else {
                    continue;
                };
                seen = true;
                let total = totals.entry((element.page.clone(), device)).or_default();
                total.0 += counts;
                map.elements.push(ElementClicks {
                    page: element.page.clone(),
                    element: element.id,
                    device,
                    counts,
                });
            }
            if let Some((.., label)) = element.label.filter(|_| seen) {
                map.labels.push(ElementLabel {
                    page: element.page,
                    element: element.id,
                    label,
                });
            }
        }
        map.pages = totals
            .into_iter()
            .map(|((page, device), (counts, unparsed))| PageClicks {
                page,
                device,
                counts,
                unparsed,
            })
            .collect();
        map
    }

    /// Nothing where the page is not known: an element is one of its page.
    fn clicked(&self, event: &ClickEvent) -> Option<ClickedElement> {
        event.path.as_ref()?;
        let chain = ElementsChain::parse(event.elements_chain.as_deref()?).ok()?;
        ClickedElement::of(&chain, &self.rules.data_attributes)
    }

    fn number(&mut self, page: PageTemplate, clicked: &ClickedElement) -> usize {
        let id = ElementId::of(clicked.selector.as_str());
        let next = self.elements.len();
        let number = *self.numbers.entry((page.clone(), id)).or_insert(next);
        if number == next {
            self.elements.push(Element {
                page,
                id,
                label: None,
                counts: BTreeMap::new(),
            });
        }
        number
    }

    fn count(&mut self, place: &Place, clicks: &[crate::clicks::Click<(), ()>]) {
        let (from, to) = (self.from, self.to);
        let settled = settle(clicks, |at| from <= at && at < to);
        let counts = &mut self.elements[place.element].counts;
        *counts.entry(place.device).or_default() += settled;
    }

    fn is_within(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }
}
