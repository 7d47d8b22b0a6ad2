//! What the benchmarks store: a shop's connection and its events.

use std::collections::BTreeMap;
use std::error::Error;

use domain::connection::{ConnectionName, Epoch, ProjectId};
use domain::identity::{IdProperty, IdPropertyKind};
use domain::mapping::{CheckoutSource, StageMapping, StageRule, StageSource};
use domain::plan::{Plan, PlanStanding};
use domain::stage::PostHogStage;
use domain::storage::{Deletion, DesiredConnection, NewRun};
use domain::sync::{Slice, SliceEvents, SyncMode, Window};
use domain::{ApiHost, Event, EventName, Mapping};
use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use uuid::Uuid;

/// Events of a page.
pub(crate) const PAGE: usize = 40_000;
const PEOPLE: usize = 60_000;

/// What a benchmark comes to.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// The connection.
pub(crate) fn desired() -> Outcome<DesiredConnection> {
    Ok(DesiredConnection {
        name: ConnectionName::new("acme", "shop"),
        epoch: Epoch {
            host: ApiHost::parse("https://eu.posthog.com")?,
            project_id: ProjectId::try_from(1)?,
        },
        plan: PlanStanding::Eligible {
            plan: Plan::Starter,
        },
        suspended: false,
        backfill_days: 30,
        retention_days: 400,
        id_properties: vec![
            IdProperty {
                kind: IdPropertyKind::Customer,
                property: "shopify_customer_id".to_owned(),
            },
            IdProperty {
                kind: IdPropertyKind::Anonymous,
                property: "shopify_client_id".to_owned(),
            },
        ],
        deletion: Deletion::Retain,
    })
}

/// Its mapping.
pub(crate) fn mapping() -> Mapping {
    let stage = |stage, name: &str| StageMapping {
        stage,
        source: StageSource::Override,
        rules: vec![StageRule {
            name: EventName::from(name),
            url_path: None,
        }],
    };
    Mapping {
        stages: vec![
            stage(PostHogStage::ProductViewed, "Product Viewed"),
            stage(PostHogStage::AddedToCart, "product added to cart"),
            stage(PostHogStage::CheckoutStarted, "checkout started"),
        ],
        checkout_source: CheckoutSource::Auto,
    }
}

/// A backfill of that many slices of a page each.
pub(crate) fn plan(start: Timestamp, pages: usize) -> NewRun {
    let to = start + SignedDuration::from_hours(24 * 30);
    NewRun {
        mode: SyncMode::Backfill,
        window: Window { from: start, to },
        arrivals: None,
        started_at: to,
        slices: (0..pages)
            .map(|_| Slice {
                from: start,
                to,
                arrived_since: None,
                events: SliceEvents::AllButAutocapture,
                part: None,
                expected_rows: PAGE as u64,
            })
            .collect(),
    }
}

/// A shop's events over 30 days, in the order in which they happened.
pub(crate) struct World {
    random: StdRng,
    people: Vec<String>,
    now: Timestamp,
    step: SignedDuration,
}

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

impl World {
    /// A shop whose `rows` events are spread over 30 days.
    pub(crate) fn new(start: Timestamp, rows: usize) -> Self {
        let mut random = StdRng::seed_from_u64(42);
        let people = (0..PEOPLE)
            .map(|_| Uuid::from_u128(random.random()).to_string())
            .collect();
        let span = 30 * 86_400 * 1_000_000;
        Self {
            random,
            people,
            now: start,
            step: SignedDuration::from_micros(span / i64::try_from(rows).unwrap_or(1)),
        }
    }

    /// The next events.
    pub(crate) fn page(&mut self, rows: usize) -> Vec<Event> {
        (0..rows).map(|_| self.event()).collect()
    }

    fn event(&mut self) -> Event {
        self.now += self.step;
        let timestamp = self.now;
        let millis = u128::try_from(timestamp.as_millisecond()).unwrap_or(0);
        let uuid = Uuid::from_u128(millis << 80 | 7 << 76 | self.random.random::<u128>() >> 52);
        let mut dice = self.random.random_range(0..100);
        let name = NAMES
            .iter()
            .find(|(_, share)| {
                let hit = dice < *share;
                dice = dice.saturating_sub(*share);
                hit
            })
            .map_or("search", |(name, _)| name);
        let person = self.random.random_range(0..PEOPLE);
        let distinct_id = self.people[person].clone();
        let text = |text: &str| Some(text.to_owned());
        let product = name.contains("roduct");
        let mut id_properties = BTreeMap::new();
        if self.random.random_bool(0.3) {
            id_properties.insert("shopify_client_id".to_owned(), format!("client-{person}"));
        }
        if self.random.random_bool(0.05) {
            id_properties.insert("shopify_customer_id".to_owned(), format!("70000{person}"));
        }
        Event {
            uuid,
            event: EventName::from(name),
            person_id: Some(Uuid::from_u128(person as u128)),
            timestamp,
            created_at: timestamp + SignedDuration::from_secs(self.random.random_range(0..60)),
            session_id: Some(format!("0191e1c0-0000-7000-8000-{person:012}")),
            window_id: Some(format!("0191e1c0-0000-7000-9000-{person:012}")),
            host: text("shop.example.com"),
            path: Some(format!("/products/red-shirt-{}", person % 500)),
            referrer: text("https://www.google.com/"),
            utm_source: (person % 4 == 0).then(|| "google".to_owned()),
            utm_medium: (person % 4 == 0).then(|| "cpc".to_owned()),
            utm_campaign: (person % 4 == 0).then(|| "summer".to_owned()),
            utm_content: None,
            utm_term: None,
            device_type: text("Desktop"),
            elements_chain: (name == "$autocapture")
                .then(|| "button.buy:nth-child=\"2\"text=\"Add to cart\";".repeat(5)),
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
}
