//! What only this store promises, seen from inside.
#![allow(clippy::unwrap_used)]

mod removal;
mod upkeep;

use sqlx::postgres::PgArguments;
use sqlx::query::QueryScalar;
use sqlx::{AssertSqlSafe, Postgres};
use test_postgres::Server;
use uuid::Uuid;

use super::statement::query_scalar;
use super::{PostgresStore, conflicts, events_read, events_remove, fact_losses, runs};
use crate::OpenOptions;
use crate::database_url::DatabaseUrl;
use crate::fact_losses::End;

/// Makes the connection whose id is 1.
const CONNECTION: &str = "INSERT INTO epochs (id, host, project_id, id_properties)
    VALUES ('00000000-0000-0000-0000-000000000001', 'h', 7, '[]')";

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

/// Has the planner see the tables.
async fn analyze(store: &PostgresStore) {
    sqlx::query("VACUUM ANALYZE")
        .execute(&store.writers)
        .await
        .unwrap();
}

/// A question for the plan of a statement, to which its values are to be bound.
fn explain(text: &str) -> QueryScalar<'static, Postgres, String, PgArguments> {
    query_scalar(AssertSqlSafe(format!("EXPLAIN (COSTS OFF) {text}")))
}

async fn plan(
    store: &PostgresStore,
    explain: QueryScalar<'_, Postgres, String, PgArguments>,
) -> String {
    explain.fetch_all(&store.writers).await.unwrap().join("\n")
}

/// Of a table like a shop's: rows are wide, and few of many lie in the span.
#[tokio::test]
async fn a_count_of_a_span_reads_the_index_alone() {
    let owner = Uuid::from_u128(1);
    let statements = [
        CONNECTION,
        "INSERT INTO events (epoch, uuid, timestamp, created_at, change_seq, event, distinct_id, path)
         SELECT number, gen_random_uuid(), n, n, n, 'a', 'd', repeat('p', 600)
         FROM epochs, generate_series(1, 50000) AS n",
        "VACUUM ANALYZE events",
    ];
    let store = filled("counted", &statements).await;
    let explain = explain(events_read::COUNT);
    let explain = explain.bind(owner).bind(10_000_i64).bind(12_000_i64);
    let plan = plan(&store, explain).await;
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
        CONNECTION,
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
            analyze(&store).await;
        }
        for after in [None, Some(Uuid::from_u128(u128::MAX / 2))] {
            let explain = explain(&conflicts::list_sql())
                .bind(1_i64)
                .bind(after)
                .bind(vec!["customer_id"])
                .bind(100_i64);
            let plan = plan(&store, explain).await;
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
        CONNECTION,
        "INSERT INTO runs (id, epoch, mode, window_from, window_to, started_at, ended_at)
         SELECT gen_random_uuid(), number, CASE WHEN n < 4 THEN 'backfill' ELSE 'refresh' END, n, n, n, n
         FROM epochs, generate_series(1, 30000) AS n",
    ];
    let store = filled("history", &statements).await;
    let owner = Uuid::from_u128(1);
    for analyzed in [false, true] {
        if analyzed {
            analyze(&store).await;
        }
        let statements = [
            ("runs_open", explain(runs::OPEN).bind(1_i64)),
            (
                "runs_open",
                explain(runs::OPEN_OF_MODE).bind(owner).bind("backfill"),
            ),
            (
                "Backward using runs_by_mode",
                explain(&runs::latest_sql(true))
                    .bind(owner)
                    .bind(50_i64)
                    .bind("backfill"),
            ),
            (
                "Index Scan using runs_by_mode",
                explain(runs::EXPIRE).bind(1_i64).bind(9_i64).bind(9_i64),
            ),
            (
                "Backward using runs_by_start",
                explain(&runs::latest_sql(false)).bind(owner).bind(50_i64),
            ),
        ];
        for (index, explain) in statements {
            let plan = plan(&store, explain).await;
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
        let plan = plan(&store, explain(remove).bind(1_i64).bind(9_i64)).await;
        assert!(plan.contains("s_by_time"), "{plan}");
    }
}

/// Of a busy distinct id as of any other, whether the planner has seen the table or not.
#[tokio::test]
async fn the_next_events_of_a_distinct_id_are_read_from_its_index_alone() {
    let statements = [
        CONNECTION,
        "INSERT INTO events (epoch, uuid, timestamp, created_at, change_seq, event, distinct_id, path)
         SELECT number, gen_random_uuid(), n, n, n, 'a',
            CASE WHEN n % 2 = 0 THEN 'busy' ELSE 'd' || n END, repeat('p', 600)
         FROM epochs, generate_series(1, 40000) AS n",
    ];
    let store = filled("nextevents", &statements).await;
    for analyzed in [false, true] {
        if analyzed {
            analyze(&store).await;
        }
        for end in [End::First, End::Last] {
            let explain = explain(&fact_losses::events_sql(end))
                .bind(1_i64)
                .bind(vec!["busy", "d9"])
                .bind(vec![20_000_i64, 9])
                .bind(vec![16_i64, 16]);
            let plan = plan(&store, explain).await;
            assert!(plan.contains("using events_by_distinct_id"), "{plan}");
            assert!(!plan.contains("Sort"), "{plan}");
        }
    }
}
