//! What only this store promises, seen from inside.
#![allow(clippy::unwrap_used)]

use sqlx::AssertSqlSafe;
use test_postgres::Server;
use uuid::Uuid;

use super::{PostgresStore, conflicts, events_read, events_remove, runs};
use crate::OpenOptions;
use crate::database_url::DatabaseUrl;

/// A store in a database of that name, filled by these statements.
async fn filled(name: &str, statements: &[&'static str]) -> PostgresStore {
    let server = Server::shared().unwrap();
    server.create_database(name, "template0").unwrap();
    let url = server.url(name);
    let Ok(DatabaseUrl::Postgres(url)) = url.parse() else {
        panic!("{url} is of PostgreSQL");
    };
    let store = super::open(&url, &OpenOptions::default()).await.unwrap();
    for statement in statements {
        sqlx::query(*statement)
            .execute(&store.writers)
            .await
            .unwrap();
    }
    store
}

/// Of a table like a shop's: rows are wide, and few of many lie in the span.
#[tokio::test]
async fn a_count_of_a_span_reads_the_index_alone() {
    let owner = Uuid::from_u128(1);
    let statements = [
        "INSERT INTO epochs (id, host, project_id, id_properties)
         VALUES ('00000000-0000-0000-0000-000000000001', 'h', 7, '[]')",
        "INSERT INTO events (epoch, uuid, timestamp, created_at, change_seq, event, distinct_id, path)
         SELECT number, gen_random_uuid(), n, n, n, 'a', 'd', repeat('p', 600)
         FROM epochs, generate_series(1, 50000) AS n",
        "VACUUM ANALYZE events",
    ];
    let store = filled("counted", &statements).await;
    let explained = format!("EXPLAIN (COSTS OFF) {}", events_read::COUNT);
    let plan: Vec<String> = sqlx::query_scalar(AssertSqlSafe(explained))
        .bind(owner)
        .bind(10_000_i64)
        .bind(12_000_i64)
        .fetch_all(&store.writers)
        .await
        .unwrap();
    let plan = plan.join("\n");
    assert!(
        plan.contains("Index Only Scan using events_by_time"),
        "{plan}"
    );
    assert!(!plan.contains("Filter"), "{plan}");
}

/// A page of conflicts costs what its persons have, whether the planner has seen the tables or not.
#[tokio::test]
async fn conflicts_are_listed_without_a_look_at_all_links() {
    let statements = [
        "INSERT INTO epochs (id, host, project_id, id_properties)
         VALUES ('00000000-0000-0000-0000-000000000001', 'h', 7, '[]')",
        "INSERT INTO person_links (epoch, distinct_id, person_id, valid_from, last_seen, change_seq)
         SELECT number, 'd' || n, md5((n / 3)::text)::uuid, 1, 1, n
         FROM epochs, generate_series(1, 60000) AS n",
        "INSERT INTO identity_facts (epoch, distinct_id, property, value, events, first_seen, last_seen)
         SELECT number, 'd' || n, 'customer_id', (n / 3)::text, 1, 1, 1
         FROM epochs, generate_series(1, 60000) AS n",
        "INSERT INTO identity_conflicts (epoch, person_id)
         SELECT number, md5(n::text)::uuid FROM epochs, generate_series(1, 500) AS n",
    ];
    let store = filled("conflicts", &statements).await;
    for analyzed in [false, true] {
        if analyzed {
            sqlx::query("VACUUM ANALYZE")
                .execute(&store.writers)
                .await
                .unwrap();
        }
        for after in [None, Some(Uuid::from_u128(u128::MAX / 2))] {
            let explained = format!("EXPLAIN (COSTS OFF) {}", conflicts::list_sql());
            let plan: Vec<String> = sqlx::query_scalar(AssertSqlSafe(explained))
                .bind(1_i64)
                .bind(after)
                .bind(vec!["customer_id"])
                .bind(100_i64)
                .persistent(false)
                .fetch_all(&store.writers)
                .await
                .unwrap();
            let plan = plan.join("\n");
            for index in [
                "identity_conflicts_pkey",
                "person_links_of_person",
                "identity_facts_pkey",
            ] {
                assert!(plan.contains(index), "{plan}");
            }
            assert!(
                !plan.contains("Seq Scan") && !plan.contains("Hash"),
                "{plan}"
            );
            // Before that it may put the few that are noted in order.
            assert!(!analyzed || !plan.contains("Sort"), "{plan}");
        }
    }
}

/// Of a connection that was refreshed for months, with a few backfills and no open run.
#[tokio::test]
async fn runs_are_found_without_a_look_at_a_connections_whole_history() {
    let statements = [
        "INSERT INTO epochs (id, host, project_id, id_properties)
         VALUES ('00000000-0000-0000-0000-000000000001', 'h', 7, '[]')",
        "INSERT INTO runs (id, epoch, mode, window_from, window_to, started_at, ended_at)
         SELECT gen_random_uuid(), number, CASE WHEN n < 4 THEN 'backfill' ELSE 'refresh' END, n, n, n, n
         FROM epochs, generate_series(1, 30000) AS n",
    ];
    let store = filled("history", &statements).await;
    let owner = Uuid::from_u128(1);
    for analyzed in [false, true] {
        if analyzed {
            sqlx::query("VACUUM ANALYZE")
                .execute(&store.writers)
                .await
                .unwrap();
        }
        let explain = |text: &str| AssertSqlSafe(format!("EXPLAIN (COSTS OFF) {text}"));
        let statements = [
            (
                "runs_open",
                sqlx::query_scalar(explain(runs::OPEN)).bind(1_i64),
            ),
            (
                "runs_open",
                sqlx::query_scalar(explain(runs::OPEN_OF_MODE))
                    .bind(owner)
                    .bind("backfill"),
            ),
            (
                "Backward using runs_by_mode",
                sqlx::query_scalar(explain(&runs::latest_sql(true)))
                    .bind(owner)
                    .bind(50_i64)
                    .bind("backfill"),
            ),
            (
                "Backward using runs_by_start",
                sqlx::query_scalar(explain(&runs::latest_sql(false)))
                    .bind(owner)
                    .bind(50_i64),
            ),
        ];
        for (index, explained) in statements {
            let plan: Vec<String> = explained
                .persistent(false)
                .fetch_all(&store.writers)
                .await
                .unwrap();
            let plan = plan.join("\n");
            assert!(plan.contains(index), "{plan}");
            assert!(
                !plan.contains("Seq Scan on runs") && !plan.contains("Sort"),
                "{plan}"
            );
        }
    }
}

/// None has expired in most runs.
#[tokio::test]
async fn expired_tombstones_are_found_without_a_look_at_the_others() {
    let statements = [
        "INSERT INTO event_deletions (epoch, uuid, timestamp, change_seq)
         SELECT 1, gen_random_uuid(), n, n FROM generate_series(1, 30000) AS n",
        "INSERT INTO erased_events (epoch, uuid, timestamp, created_at)
         SELECT 1, gen_random_uuid(), n, n FROM generate_series(1, 30000) AS n",
        "VACUUM ANALYZE",
    ];
    let store = filled("tombstones", &statements).await;
    for remove in events_remove::EXPIRE_TOMBSTONES {
        let explained = format!("EXPLAIN (COSTS OFF) {remove}");
        let plan: Vec<String> = sqlx::query_scalar(AssertSqlSafe(explained))
            .bind(1_i64)
            .bind(9_i64)
            .fetch_all(&store.writers)
            .await
            .unwrap();
        let plan = plan.join("\n");
        assert!(plan.contains("s_by_time"), "{plan}");
    }
}
