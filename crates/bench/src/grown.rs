//! A database with ten times the events of another, made by SQL.

use test_postgres::Server;

use crate::Outcome;

/// Makes `large`, a copy of `small` with nine more events for each one that it has, and with the
/// daily counts that belong to them. The further ones lack the wide texts, which no count reads.
/// Indexes beside the primary key are made anew at the end, which is much faster.
pub(crate) fn grow(server: &Server, small: &str, large: &str) -> Outcome<()> {
    server.create_database(large, small)?;
    let indexes = "FROM pg_indexes WHERE tablename = 'events' AND indexname <> 'events_pkey'";
    let made = server.run(large, &format!("SELECT indexdef || ';' {indexes}"))?;
    let dropped = server.run(
        large,
        &format!("SELECT 'DROP INDEX ' || indexname || ';' {indexes}"),
    )?;
    server.run(large, &dropped)?;
    let last: i64 = server
        .run(large, "SELECT max(change_seq) FROM events")?
        .parse()?;
    for sql in [
        // Another version of the same uuid lies beside it; the shop's own have version 7.
        &format!(
            "INSERT INTO events (epoch, uuid, timestamp, created_at, change_seq, stage, event, distinct_id)
             SELECT epoch, overlay(uuid::text PLACING substr('12345689a', further, 1) FROM 15)::uuid, timestamp + further,
                created_at, change_seq + further * {last}, stage, event, distinct_id
             FROM events CROSS JOIN generate_series(1, 9) AS further"
        ),
        &made,
        "UPDATE daily_event_counts SET events = events * 10",
        "UPDATE daily_stage_counts SET events = events * 10",
        "UPDATE epochs SET change_seq = (SELECT max(change_seq) FROM events)",
        "VACUUM ANALYZE",
    ] {
        server.run(large, sql)?;
    }
    Ok(())
}
