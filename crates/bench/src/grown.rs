//! A database with ten times the events of another, made by SQL.

use test_postgres::Server;

use crate::Outcome;

/// Makes `large`, a copy of `small` with nine more events for each one that it has, and with the
/// daily counts that belong to them. The further ones lack the wide texts, which no count reads.
pub(crate) fn grow(server: &Server, small: &str, large: &str) -> Outcome<()> {
    server.create_database(large, small)?;
    let last: i64 = server
        .run(large, "SELECT max(change_seq) FROM events")?
        .parse()?;
    for further in 1..10 {
        server.run(
            large,
            &format!(
                "INSERT INTO events (epoch, uuid, timestamp, created_at, change_seq, stage, event, distinct_id)
                 SELECT epoch, gen_random_uuid(), timestamp + {further}, created_at, change_seq + {further} * {last},
                    stage, event, distinct_id
                 FROM events WHERE change_seq <= {last}"
            ),
        )?;
    }
    for sql in [
        "UPDATE daily_event_counts SET events = events * 10",
        "UPDATE daily_stage_counts SET events = events * 10",
        "UPDATE epochs SET change_seq = (SELECT max(change_seq) FROM events)",
        "VACUUM ANALYZE",
    ] {
        server.run(large, sql)?;
    }
    Ok(())
}
