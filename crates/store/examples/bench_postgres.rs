//! How much of PostgreSQL's own speed a page keeps: the same rows go into two new databases of
//! one server, page by page in turn, once through `apply_page` (merge, counts, identities, lease,
//! cursor) and once through `psql \copy` into the same table with the same indexes. Run it with
//! `cargo run --release -p store --example bench_postgres [rows]`.
#![allow(clippy::print_stdout)]

mod shop;

use std::time::{Duration, Instant};

use domain::stage::PostHogStage;
use domain::storage::{EventFilter, Page, SliceAdvance};
use domain::sync::RunTotals;
use jiff::civil::date;
use jiff::{SignedDuration, Timestamp};
use shop::{Outcome, PAGE, World, desired, mapping, plan};
use store::{OpenOptions, open};
use test_postgres::Server;

#[tokio::main]
async fn main() -> Outcome<()> {
    let rows: usize = match std::env::args().nth(1) {
        Some(rows) => rows.parse()?,
        None => 1_000_000,
    };
    let server = Server::start(&[
        "shared_buffers=512MB",
        "max_wal_size=16GB",
        "checkpoint_timeout=1h",
    ])?;
    for name in ["pages", "plain"] {
        server.create_database(name, "template0")?;
        drop(open(&server.url(name), OpenOptions::default()).await?);
    }
    let store = open(&server.url("pages"), OpenOptions::default()).await?;
    let file = server.socket().join("page.copy");

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
    let mut through_pages = Duration::ZERO;
    let mut again = Duration::ZERO;
    let mut copied = Duration::ZERO;
    for number in 0..pages {
        let page = Page {
            run,
            slice: i64::try_from(number)?,
            advance: SliceAdvance::Done,
            events: world.page(PAGE.min(rows - number * PAGE)),
            late_before: start,
            cost: RunTotals::default(),
        };
        let begun = Instant::now();
        store.apply_page(&lease, &page).await?;
        through_pages += begun.elapsed();
        let begun = Instant::now();
        store.apply_page(&lease, &page).await?;
        again += begun.elapsed();

        let first = number * PAGE;
        let path = file.display();
        server.run(
            "pages",
            &format!(
                "COPY (SELECT * FROM events WHERE change_seq > {first} ORDER BY change_seq) TO '{path}'"
            ),
        )?;
        let begun = Instant::now();
        server.run("plain", &format!("\\copy events FROM '{path}'"))?;
        copied += begun.elapsed();
    }
    let stored = server.run("plain", "SELECT count(*) FROM events")?;
    assert_eq!(stored, rows.to_string());

    let rate = |spent: Duration| rows as f64 / spent.as_secs_f64();
    println!("{rows} rows in pages of {PAGE}");
    for (what, spent) in [
        ("apply_page", through_pages),
        ("apply_page, the same again", again),
        ("psql \\copy", copied),
    ] {
        println!("{what:<36} {:>9.0} rows/s", rate(spent));
    }
    println!("ratio to \\copy: {:.2}", rate(through_pages) / rate(copied));

    server.run("pages", "VACUUM ANALYZE")?;
    let connection = record.target;
    let (from, to) = (date(2026, 10, 1), date(2026, 10, 31));
    let mapped = EventFilter {
        stages: PostHogStage::ALL.to_vec(),
        from: Some(start + SignedDuration::from_hours(24 * 15)),
        ..EventFilter::default()
    };
    let seq = i64::try_from(rows / 2)?;
    let since = start + SignedDuration::from_hours(24 * 30 - 6);
    let counts = median(async || {
        let counts = store.daily_event_counts(connection, from, to, &[]);
        Ok(counts.await?.len())
    });
    let listed = median(async || Ok(store.events(connection, &mapped, None, 1000).await?.len()));
    let followed = median(async || Ok(store.changes(connection, seq, 1000).await?.len()));
    let arrived = median(async || {
        let ids = store.distinct_ids_since(connection, since, None, 1000);
        Ok(ids.await?.len())
    });
    for (what, (spent, found)) in [
        ("daily counts of 30 days", counts.await?),
        ("a page of mapped events", listed.await?),
        ("a page of changes", followed.await?),
        ("the distinct ids of 6 hours", arrived.await?),
    ] {
        println!("{what:<36} {spent:>9.2?} at the median, {found} rows");
    }
    Ok(())
}

/// The median time of a read, and how many rows it finds.
async fn median(read: impl AsyncFn() -> Outcome<usize>) -> Outcome<(Duration, usize)> {
    let mut spent = Vec::new();
    let mut found = 0;
    for _ in 0..101 {
        let begun = Instant::now();
        found = read().await?;
        spent.push(begun.elapsed());
    }
    spent.sort_unstable();
    Ok((spent[spent.len() / 2], found))
}
