//! What the store must hold, worked out from the stand-in's world without any cleverness.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use posthog_stub::{Event, Project};
use uuid::Uuid;

use crate::shop::Shop;

/// The facts by which rows are compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fact {
    pub(crate) uuid: Uuid,
    pub(crate) created_at: Timestamp,
    pub(crate) timestamp: Timestamp,
    pub(crate) event: String,
    pub(crate) distinct_id: String,
}

/// The winner of each uuid among the rows stamped in `[from, to)`.
pub(crate) fn winners(shop: &Shop, from: Timestamp, to: Timestamp) -> Vec<Fact> {
    shop.stub.read(|world| {
        let mut best: BTreeMap<Uuid, Fact> = BTreeMap::new();
        let events = world.project(crate::shop::PROJECT).unwrap().events();
        for event in events
            .iter()
            .filter(|e| e.timestamp >= from && e.timestamp < to)
        {
            let fact = Fact {
                uuid: event.uuid,
                created_at: event.created_at,
                timestamp: event.timestamp,
                event: event.event.as_str().to_owned(),
                distinct_id: event.distinct_id.to_string(),
            };
            let slot = best.entry(event.uuid).or_insert_with(|| fact.clone());
            if fact > *slot {
                *slot = fact;
            }
        }
        best.into_values().collect()
    })
}

/// What is stored, by uuid.
pub(crate) async fn stored(shop: &Shop) -> Vec<Fact> {
    let mut facts: Vec<Fact> = shop
        .rows()
        .await
        .into_iter()
        .map(|event| Fact {
            uuid: event.uuid,
            created_at: event.created_at,
            timestamp: event.timestamp,
            event: event.event.as_str().to_owned(),
            distinct_id: event.distinct_id,
        })
        .collect();
    facts.sort();
    facts
}

/// The store holds exactly the winners of `[from, to)`, and its counts are those of its rows.
pub(crate) async fn assert_exact(shop: &Shop, from: Timestamp, to: Timestamp) {
    let (wanted, found) = (winners(shop, from, to), stored(shop).await);
    assert_eq!(found.len(), wanted.len(), "number of rows");
    assert_eq!(found, wanted);
    let (first, last) = (day(from), day(to).tomorrow().unwrap());
    let counted: u64 = shop
        .store
        .daily_event_counts(shop.id(), first.yesterday().unwrap(), last, &[])
        .await
        .unwrap()
        .iter()
        .map(|count| count.events)
        .sum();
    assert_eq!(counted, wanted.len() as u64, "daily counts");
}

fn day(at: Timestamp) -> jiff::civil::Date {
    domain::day::day_of(at, &jiff::tz::TimeZone::UTC)
}

/// A sequence that is the same for the same seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15))
    }

    /// A number below `below`.
    pub(crate) fn roll(&mut self, below: u64) -> u64 {
        // xorshift64*, for its brevity: nothing here needs more.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % below
    }
}

const NAMES: [&str; 6] = [
    "$pageview",
    "product added to cart",
    "checkout started",
    "$autocapture",
    "newsletter signed up",
    "Order Completed",
];

/// A shop's project in which `count` events lie within the `span` before `end`: ties, duplicates,
/// re-sent uuids, late arrivals and future stamps among them.
pub(crate) fn project(seed: u64, count: usize, end: Timestamp, span: SignedDuration) -> Project {
    let mut dice = Dice::new(seed);
    let mut project = Project::new(crate::shop::PROJECT, "Shop").timezone("Europe/Berlin");
    add_events(&mut project, &mut dice, count, end, span);
    project
}

/// Adds such events.
pub(crate) fn add_events(
    project: &mut Project,
    dice: &mut Dice,
    count: usize,
    end: Timestamp,
    span: SignedDuration,
) {
    let seconds = u64::try_from(span.as_secs()).unwrap();
    for _ in 0..count {
        // Whole minutes make ties.
        let back = dice.roll(seconds) / 60 * 60;
        let stamp = end - SignedDuration::from_secs(i64::try_from(back).unwrap());
        let event = some_event(dice, stamp);
        match dice.roll(12) {
            // The same row twice.
            0 => project.insert(event.clone()),
            // The uuid again, later, elsewhere in time and perhaps under another name.
            1 => {
                let moved =
                    stamp - SignedDuration::from_mins(i64::try_from(dice.roll(90)).unwrap());
                let again = some_event(dice, moved)
                    .uuid(event.uuid)
                    .created_at(event.created_at + SignedDuration::from_secs(30));
                project.capture(again);
            }
            // Stamped ahead of its time.
            2 => {
                let ahead =
                    end + SignedDuration::from_mins(i64::try_from(dice.roll(1200)).unwrap());
                project.capture(some_event(dice, ahead).created_at(stamp));
            }
            _ => {}
        }
        project.capture(event);
    }
}

fn some_event(dice: &mut Dice, stamp: Timestamp) -> Event {
    let name = NAMES[usize::try_from(dice.roll(NAMES.len() as u64)).unwrap()];
    let visitor = format!("visitor-{}", dice.roll(40));
    let uuid = u128::from(dice.roll(u64::MAX)) << 64 | u128::from(dice.roll(u64::MAX));
    let event = Event::new(name, &visitor, stamp)
        .uuid(Uuid::from_u128(uuid))
        .property(
            "$current_url",
            format!("https://shop.example/products/p{}", dice.roll(9)),
        );
    if name == "$autocapture" {
        event.elements_chain("a:href=\"/cart\"nth-child=\"1\"nth-of-type=\"1\"")
    } else {
        event
    }
}
