//! What grows is removed in batches, each a transaction of its own.

use std::time::Duration;

use domain::clickmap::{ClickmapPolicy, ClickmapRules};
use domain::page_path::PageTemplates;
use domain::storage::{BudgetLimits, BudgetStore, ClickmapWriter, ConnectionStore, Purge};
use jiff::{SignedDuration, Timestamp};
use sqlx::AssertSqlSafe;

use super::super::SqliteStore;
use super::super::growing::{BATCH, remove_sql};
use super::super::values::limit;
use crate::growing_tables::{CLICKMAPS, EVENTS, OTHERS};
use crate::testing::{most_at_once, shop};

/// What a few of the tables are filled with, for a batch and a quarter of numbers `n`.
const FILLED: [(&str, &str, &str); 6] = [
    (
        "identity_facts",
        "(epoch, distinct_id, property, value, events, first_seen, last_seen)",
        "epoch, 'd' || n, 'p', 'v', 1, 1, 1",
    ),
    (
        "person_links",
        "(epoch, distinct_id, person_id, valid_from, last_seen, change_seq)",
        "epoch, 'd' || n, randomblob(16), 1, 1, n",
    ),
    (
        "event_deletions",
        "(epoch, uuid, timestamp, change_seq)",
        "epoch, randomblob(16), 1, n",
    ),
    (
        "clickmap_elements",
        "(epoch, clickmap, page, device, day, element, clicks, rage, dead)",
        "epoch, 0, 'p', 0, 1, randomblob(16), 1, 0, 0",
    ),
    (
        "daily_stage_counts",
        "(epoch, rollup, day, stage, event, events)",
        "epoch, 0, n, 1, 'a', 1",
    ),
    (
        "runs",
        "(id, epoch, mode, window_from, window_to, started_at, ended_at)",
        "randomblob(16), epoch, 'refresh', n, n, n, n",
    ),
];

/// Fills them for the one epoch.
async fn fill(store: &SqliteStore, tables: &[&str]) {
    for (table, columns, row) in FILLED {
        if tables.contains(&table) {
            let text = format!(
                "WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 25000)
                 INSERT INTO {table} {columns} SELECT {row}
                 FROM (SELECT number AS epoch FROM epochs) AS o, s"
            );
            sqlx::query(AssertSqlSafe(text))
                .execute(&store.writer)
                .await
                .unwrap();
        }
    }
}

async fn count(store: &SqliteStore, table: &str) -> i64 {
    let text = format!("SELECT count(*) FROM {table} WHERE epoch IS NOT NULL");
    let counted = sqlx::query_scalar(AssertSqlSafe(text));
    counted.fetch_one(&store.readers).await.unwrap()
}

#[tokio::test]
async fn a_purge_removes_no_more_than_a_batch_at_once_and_leaves_nothing() {
    let (_folder, store, ..) = super::site().await;
    let (name, now) = (shop().name, Timestamp::UNIX_EPOCH);
    let tables = FILLED.map(|(table, ..)| table);
    fill(&store, &tables).await;
    sqlx::query("UPDATE connections SET deleted_at = 0, purge_at = 0")
        .execute(&store.writer)
        .await
        .unwrap();
    let left = async || {
        let mut all = 0;
        for table in tables {
            all += count(&store, table).await;
        }
        all
    };
    let (purged, most) = most_at_once(store.purge_connection(&name, now), left).await;
    assert_eq!(purged.unwrap(), Purge::Done { events: 0 });
    assert_eq!(most, limit(BATCH));
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT m.name FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c
         WHERE m.type = 'table' AND c.name = 'epoch'",
    )
    .fetch_all(&store.readers)
    .await
    .unwrap();
    assert!(tables.len() > 20, "{tables:?}");
    for table in tables {
        assert_eq!(count(&store, &table).await, 0, "{table}");
    }
}

/// Each row of a batch is found by itself, or with few others of its day.
#[tokio::test]
async fn a_batch_is_removed_without_a_look_at_the_rest_of_its_table() {
    let (_folder, store, ..) = super::site().await;
    for table in CLICKMAPS.into_iter().chain(OTHERS).chain([EVENTS]) {
        let text = format!("EXPLAIN QUERY PLAN {}", remove_sql(table, "").0);
        let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(AssertSqlSafe(text))
            .fetch_all(&store.readers)
            .await
            .unwrap();
        let found_by = &plan[0].3;
        let whole = ["(epoch=?)", "clickmap=?)", "rollup=?)"];
        assert!(
            found_by.starts_with("SEARCH") && !whole.iter().any(|it| found_by.ends_with(it)),
            "{plan:?}"
        );
    }
}

/// A project that nobody asks any more forgets none of its own.
#[tokio::test]
async fn requests_of_long_ago_are_forgotten_whoever_asks_next() {
    let (_folder, store, ..) = super::site().await;
    sqlx::query(
        "WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 1500)
         INSERT INTO budget_requests (host, project_id, at)
         SELECT 'https://gone.example', 8, n FROM s",
    )
    .execute(&store.writer)
    .await
    .unwrap();
    let count = async || -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM budget_requests")
            .fetch_one(&store.readers)
            .await
            .unwrap()
    };
    let project = shop().epoch;
    let (hour, minute) = (SignedDuration::from_hours(1), Duration::from_secs(60));
    // Each asks once and stays; of the others as many go as one may forget.
    for (hours, left) in [(1, 1501), (3, 501), (4, 1)] {
        let now = Timestamp::UNIX_EPOCH + hour * hours;
        let asked = store.take(&project, BudgetLimits::PUBLISHED, now, minute);
        asked.await.unwrap();
        assert_eq!(count().await, left);
    }
}

/// Whatever is made instead, or nothing: what is not in force any more goes afterwards, by this call or,
/// where one was interrupted, by the next.
#[tokio::test]
async fn clickmaps_that_are_not_in_force_go_in_batches() {
    let (_folder, store, _, lease) = super::site().await;
    let (first, other) = (
        ClickmapPolicy::default(),
        ClickmapPolicy::On(ClickmapRules {
            page_templates: PageTemplates::parse([]).unwrap(),
            ..ClickmapRules::default()
        }),
    );
    let left = async || count(&store, "clickmap_elements").await;
    for policy in [
        &first,
        &first,
        &other,
        &ClickmapPolicy::Off,
        &ClickmapPolicy::Off,
    ] {
        fill(&store, &["clickmap_elements"]).await;
        let (made, most) = most_at_once(store.make_clickmaps(&lease, policy), left).await;
        made.unwrap();
        assert_eq!((most, left().await), (limit(BATCH), 0), "{policy:?}");
    }
}
