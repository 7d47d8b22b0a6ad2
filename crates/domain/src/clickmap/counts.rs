//! What the clicks of a day come to.

use std::ops::AddAssign;

use uuid::{Uuid, uuid};

use super::device::DeviceType;
use crate::elements::ClickedElement;
use crate::page_path::PageTemplate;

/// How often something was clicked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClickCounts {
    /// Clicks, each counted once, however many events tell of it.
    pub clicks: u64,
    /// Of them: the last of several quick ones at one place.
    pub rage: u64,
    /// Of them: those after which nothing changed on the page.
    pub dead: u64,
}

impl AddAssign for ClickCounts {
    fn add_assign(&mut self, other: Self) {
        self.clicks += other.clicks;
        self.rage += other.rage;
        self.dead += other.dead;
    }
}

/// An element by what names it, its selector: 128 bits of a hash, half the size of most selectors and
/// quarter of many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ElementId(pub Uuid);

/// The namespace of [`ElementId`]'s UUIDv5.
const NAMESPACE: Uuid = uuid!("9d2f5d3a-6f0e-4c57-9f4c-8a1f0b6f2f11");

impl ElementId {
    /// The id of the element that a selector names.
    pub fn of(selector: &str) -> Self {
        Self(Uuid::new_v5(&NAMESPACE, selector.as_bytes()))
    }
}

/// The clicks of one day, in the order of their keys. What nobody clicked is not listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DayClickmap {
    /// By page and device type.
    pub pages: Vec<PageClicks>,
    /// By page, element and device type.
    pub elements: Vec<ElementClicks>,
    /// What the elements of `elements` looked like, by page and element.
    pub labels: Vec<ElementLabel>,
}

/// The clicks on a page by one type of device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageClicks {
    /// The page.
    pub page: PageTemplate,
    /// The type of device.
    pub device: DeviceType,
    /// On elements that could be told apart.
    pub counts: ClickCounts,
    /// Events that tell of a click on what cannot be told: their `elements_chain` is broken or missing,
    /// or it is not known on which page they happened.
    pub unparsed: u64,
}

/// The clicks on an element of a page by one type of device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElementClicks {
    /// The page.
    pub page: PageTemplate,
    /// The element.
    pub element: ElementId,
    /// The type of device.
    pub device: DeviceType,
    /// How often.
    pub counts: ClickCounts,
}

/// What an element looked like at its last click of the day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElementLabel {
    /// The page.
    pub page: PageTemplate,
    /// The element.
    pub element: ElementId,
    /// How it looked; masked.
    pub label: ClickedElement,
}
