//! Clickmaps: how often each element of each page was clicked, day by day. They are made from stored
//! events and from nothing else, so that whatever came late, twice or was removed is in them or not.

mod counts;
mod day;
mod device;
mod event;
mod pending;
mod rules;

pub use self::counts::{
    ClickCounts, DayClickmap, ElementClicks, ElementId, ElementLabel, PageClicks,
};
pub use self::day::{DayOfClicks, OVER_THE_EDGE, touched_days};
pub use self::device::DeviceType;
pub use self::event::{CLICK_EVENTS, ClickEvent, is_click_event};
pub use self::rules::{ClickmapPolicy, ClickmapRules};

#[cfg(test)]
mod tests;
