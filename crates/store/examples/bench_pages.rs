//! How much of SQLite's own speed a page keeps: the same rows go into two new files, page by page
//! in turn, once through `apply_page` (merge, counts, identities, lease, cursor) and once through
//! bare prepared inserts into the same table. Run it with
//! `cargo run --release -p store --example bench_pages [rows]`.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Duration, Instant};

use domain::connection::{ConnectionName, Epoch, ProjectId};
use domain::identity::{IdProperty, IdPropertyKind};
use domain::mapping::{CheckoutSource, StageMapping, StageRule, StageSource};
use domain::plan::{Plan, PlanStanding};
use domain::stage::PostHogStage;
use domain::storage::{DesiredConnection, NewRun, Page, SliceAdvance};
use domain::sync::{RunTotals, Slice, SliceEvents, SyncMode, Window};
use domain::{ApiHost, Event, EventName, Mapping};
use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};
use store::{OpenOptions, open};
use uuid::Uuid;

const PAGE: usize = 40_000;
const PEOPLE: usize = 60_000;

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let rows: usize = match std::env::args().nth(1) {
        Some(rows) => rows.parse()?,
        None => 1_000_000,
    };
    let folder = tempfile::tempdir()?;
    let url = |name: &str| format!("sqlite://{}", folder.path().join(name).display());
    let store = open(&url("pages.db"), OpenOptions::default()).await?;
    drop(open(&url("bare.db"), OpenOptions::default()).await?);
    drop(open(&url("many.db"), OpenOptions::default()).await?);

    let start: Timestamp = "2026-10-01T00:00:00Z".parse()?;
    let pages = rows.div_ceil(PAGE);
    let record = store.put_connection(&desired()?, start).await?;
    let lease = store
        .acquire_lease(record.target, "bench", Duration::from_secs(60))
        .await?;
    store.set_time_zone(&lease, "Europe/Berlin").await?;
    store.remap(&lease, &mapping()).await?;
    let run = store.begin_run(&lease, &plan(start, pages)).await?;

    let mut world = World::new(start, rows);
    let mut one_by_one = Bare::open(folder.path().join("bare.db"), 1).await?;
    let mut many = Bare::open(folder.path().join("many.db"), 128).await?;
    let mut through_pages = Duration::ZERO;
    let mut again = Duration::ZERO;
    for number in 0..pages {
        let events = world.page(PAGE.min(rows - number * PAGE));
        one_by_one.insert(&events).await?;
        many.insert(&events).await?;
        let page = Page {
            run,
            slice: i64::try_from(number)?,
            advance: SliceAdvance::Done,
            events,
            late_before: start,
            cost: RunTotals::default(),
        };
        let begun = Instant::now();
        store.apply_page(&lease, &page).await?;
        through_pages += begun.elapsed();
        let begun = Instant::now();
        store.apply_page(&lease, &page).await?;
        again += begun.elapsed();
    }

    let rate = |spent: Duration| rows as f64 / spent.as_secs_f64();
    println!("{rows} rows in pages of {PAGE}");
    for (what, spent) in [
        ("apply_page", through_pages),
        ("apply_page, the same again", again),
        ("bare inserts, a row a statement", one_by_one.spent),
        ("bare inserts, 128 rows a statement", many.spent),
    ] {
        println!("{what:<36} {:>9.0} rows/s", rate(spent));
    }
    println!(
        "ratio to bare inserts: {:.2} (a row a statement), {:.2} (128 rows a statement)",
        rate(through_pages) / rate(one_by_one.spent),
        rate(through_pages) / rate(many.spent)
    );
    Ok(())
}

/// Inserts without anything beside them.
struct Bare {
    connection: SqliteConnection,
    rows: usize,
    written: i64,
    spent: Duration,
}

impl Bare {
    async fn open(path: std::path::PathBuf, rows: usize) -> Outcome<Self> {
        let connection = SqliteConnectOptions::new()
            .filename(path)
            .synchronous(SqliteSynchronous::Normal)
            .pragma("cache_size", "-32768")
            .pragma("wal_autocheckpoint", "4000")
            .connect()
            .await?;
        Ok(Self {
            connection,
            rows,
            written: 0,
            spent: Duration::ZERO,
        })
    }

    async fn insert(&mut self, events: &[Event]) -> Outcome<()> {
        let begun = Instant::now();
        let row = format!("({})", vec!["?"; 30].join(","));
        let mut tx = self.connection.begin().await?;
        for chunk in events.chunks(self.rows) {
            let values = vec![row.as_str(); chunk.len()].join(",");
            let text = format!("INSERT INTO events VALUES {values}");
            let mut query = sqlx::query(AssertSqlSafe(text));
            for event in chunk {
                self.written += 1;
                let json = (!event.id_properties.is_empty())
                    .then(|| serde_json::to_string(&event.id_properties))
                    .transpose()?;
                query = query
                    .bind(1)
                    .bind(event.uuid)
                    .bind(event.timestamp.as_microsecond())
                    .bind(event.created_at.as_microsecond())
                    .bind(event.event.as_str())
                    .bind(None::<i64>)
                    .bind(self.written)
                    .bind(&event.distinct_id)
                    .bind(event.person_id)
                    .bind(&event.session_id)
                    .bind(&event.window_id)
                    .bind(&event.host)
                    .bind(&event.path)
                    .bind(&event.referrer)
                    .bind(&event.utm_source)
                    .bind(&event.utm_medium)
                    .bind(&event.utm_campaign)
                    .bind(&event.utm_content)
                    .bind(&event.utm_term)
                    .bind(&event.device_type)
                    .bind(&event.elements_chain)
                    .bind(&event.anon_distinct_id)
                    .bind(&event.alias)
                    .bind(&event.product_id)
                    .bind(&event.sku)
                    .bind(&event.price)
                    .bind(&event.currency)
                    .bind(&event.quantity)
                    .bind(&event.cart_id)
                    .bind(json);
            }
            query.execute(&mut *tx).await?;
        }
        tx.commit().await?;
        self.spent += begun.elapsed();
        Ok(())
    }
}

fn desired() -> Outcome<DesiredConnection> {
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
    })
}

fn mapping() -> Mapping {
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

fn plan(start: Timestamp, pages: usize) -> NewRun {
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
struct World {
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
    fn new(start: Timestamp, rows: usize) -> Self {
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

    fn page(&mut self, rows: usize) -> Vec<Event> {
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
