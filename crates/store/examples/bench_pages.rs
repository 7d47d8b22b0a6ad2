//! How much of SQLite's own speed a page keeps: the same rows go into two new files, page by page
//! in turn, once through `apply_page` (merge, counts, identities, lease, cursor) and once through
//! bare prepared inserts into the same table. Run it with
//! `cargo run --release -p store --example bench_pages [rows]`.
#![allow(clippy::print_stdout)]

mod shop;

use std::time::{Duration, Instant};

use domain::Event;
use domain::storage::{Page, SliceAdvance};
use domain::sync::RunTotals;
use jiff::Timestamp;
use shop::{Outcome, PAGE, World, desired, mapping, plan};
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};
use store::{OpenOptions, open};

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
