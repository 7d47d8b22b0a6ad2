//! The shop whose events are pulled: the same every time, made day by day, so that none of it needs
//! to be kept.

use std::collections::BTreeMap;

use domain::{Event, EventName};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use uuid::Uuid;

/// Whole UTC days with events; all of them lie in the 30 days that a backfill reads.
pub(crate) const DAYS: usize = 28;
/// People, each with one distinct id.
pub(crate) const PEOPLE: usize = 60_000;
const DAY: i64 = 86_400_000_000;

/// Event names and their share of a hundred.
const NAMES: [(&str, u32); 8] = [
    ("$pageview", 45),
    ("$autocapture", 25),
    ("Product Viewed", 10),
    ("$pageleave", 10),
    ("product added to cart", 4),
    ("checkout started", 2),
    ("$identify", 2),
    ("search", 2),
];

/// Its size and its first day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shop {
    events: usize,
    start: Timestamp,
}

impl Shop {
    /// A shop with so many events in the last whole days.
    pub(crate) fn new(events: usize) -> Self {
        let today = Timestamp::now().as_microsecond().div_euclid(DAY);
        let first = today - i64::try_from(DAYS).unwrap_or(0);
        Self {
            events,
            start: Timestamp::UNIX_EPOCH + SignedDuration::from_micros(first * DAY),
        }
    }

    /// How many events it has.
    pub(crate) fn events(&self) -> usize {
        self.events
    }

    /// The first instant of a day; of [`DAYS`], the first instant after all of them.
    pub(crate) fn day_start(&self, day: usize) -> Timestamp {
        self.start + SignedDuration::from_micros(i64::try_from(day).unwrap_or(0) * DAY)
    }

    /// The calendar date of a day.
    pub(crate) fn date(&self, day: usize) -> jiff::civil::Date {
        TimeZone::UTC.to_datetime(self.day_start(day)).date()
    }

    /// The events of a day, ordered as PostHog answers them.
    pub(crate) fn day(&self, day: usize) -> Vec<Event> {
        let mut random = StdRng::seed_from_u64(day as u64);
        let (from, to) = (self.events * day / DAYS, self.events * (day + 1) / DAYS);
        let start = self.day_start(day);
        let mut events: Vec<Event> = (from..to).map(|_| event(&mut random, start)).collect();
        events.sort_unstable_by_key(|event| (event.timestamp, event.uuid));
        events
    }
}

/// The distinct id of a person.
pub(crate) fn distinct_id(person: usize) -> String {
    Uuid::from_u128(hash(person as u64).into()).to_string()
}

/// The person's id in PostHog.
pub(crate) fn person_id(person: usize) -> Uuid {
    Uuid::from_u128((1 << 100) + person as u128)
}

/// Spreads small numbers over all of 64 bits; what the shop's PostHog answers to `cityHash64`.
pub(crate) fn hash(number: u64) -> u64 {
    let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

fn event(random: &mut StdRng, start: Timestamp) -> Event {
    let timestamp = start + SignedDuration::from_micros(random.random_range(0..DAY));
    let millis = u128::try_from(timestamp.as_millisecond()).unwrap_or(0);
    let uuid = Uuid::from_u128(millis << 80 | 7 << 76 | random.random::<u128>() >> 52);
    let mut dice = random.random_range(0..100);
    let name = NAMES
        .iter()
        .find(|(_, share)| {
            let hit = dice < *share;
            dice = dice.saturating_sub(*share);
            hit
        })
        .map_or("search", |(name, _)| name);
    let person = random.random_range(0..PEOPLE);
    let distinct_id = distinct_id(person);
    let text = |text: &str| Some(text.to_owned());
    let product = name.contains("roduct");
    let campaign = person.is_multiple_of(4);
    let mut id_properties = BTreeMap::new();
    if random.random_bool(0.3) {
        id_properties.insert("shopify_client_id".to_owned(), format!("client-{person}"));
    }
    if random.random_bool(0.05) {
        id_properties.insert("shopify_customer_id".to_owned(), format!("70000{person}"));
    }
    let path = if random.random_bool(0.4) {
        format!("/products/red-shirt-{}", person % 500)
    } else {
        format!("/collections/summer-{}", person % 40)
    };
    Event {
        uuid,
        event: EventName::from(name),
        person_id: Some(person_id(person)),
        timestamp,
        created_at: timestamp + SignedDuration::from_secs(random.random_range(0..60)),
        session_id: Some(format!("0191e1c0-0000-7000-8000-{person:012}")),
        window_id: Some(format!("0191e1c0-0000-7000-9000-{person:012}")),
        host: text("shop.example.com"),
        path: Some(path),
        referrer: text("https://www.google.com/"),
        utm_source: campaign.then(|| "google".to_owned()),
        utm_medium: campaign.then(|| "cpc".to_owned()),
        utm_campaign: campaign.then(|| "summer".to_owned()),
        utm_content: None,
        utm_term: None,
        device_type: text("Desktop"),
        elements_chain: (name == "$autocapture")
            .then(|| "button.buy:nth-child=\"2\"text=\"Add to cart\";".repeat(5)),
        event_type: (name == "$autocapture").then(|| "click".to_owned()),
        anon_distinct_id: (name == "$identify").then(|| distinct_id.clone()),
        alias: None,
        product_id: product.then(|| "8412345678".to_owned()),
        sku: product.then(|| "SHIRT-RED-M".to_owned()),
        price: product.then(|| "29.90".to_owned()),
        currency: product.then(|| "EUR".to_owned()),
        quantity: product.then(|| "1".to_owned()),
        cart_id: None,
        distinct_id,
        id_properties,
    }
}
