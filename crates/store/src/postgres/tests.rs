//! What only this store promises, seen from inside.
#![allow(clippy::unwrap_used)]

use sqlx::AssertSqlSafe;
use test_postgres::Server;
use uuid::Uuid;

use super::events_read;
use crate::OpenOptions;
use crate::database_url::DatabaseUrl;

/// Of a table like a shop's: rows are wide, and few of many lie in the span.
#[tokio::test]
async fn a_count_of_a_span_reads_the_index_alone() {
    let server = Server::shared().unwrap();
    server.create_database("counted", "template0").unwrap();
    let url = server.url("counted");
    let Ok(DatabaseUrl::Postgres(url)) = url.parse() else {
        panic!("{url} is of PostgreSQL");
    };
    let store = super::open(&url, &OpenOptions::default()).await.unwrap();
    let owner = Uuid::from_u128(1);
    for statement in [
        "INSERT INTO epochs (id, host, project_id, id_properties)
         VALUES ('00000000-0000-0000-0000-000000000001', 'h', 7, '[]')",
        "INSERT INTO events (epoch, uuid, timestamp, created_at, change_seq, event, distinct_id, path)
         SELECT number, gen_random_uuid(), n, n, n, 'a', 'd', repeat('p', 600)
         FROM epochs, generate_series(1, 50000) AS n",
        "VACUUM ANALYZE events",
    ] {
        sqlx::query(statement)
            .execute(&store.writers)
            .await
            .unwrap();
    }
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
