//! Listing events page by page, each filter by the index that holds its order, and following
//! their changes.

use domain::ConnectionId;
use domain::storage::{Change, ChangeKind, EventFilter, EventKey, EventRow, Result};
use sqlx::{AssertSqlSafe, Postgres, QueryBuilder};

use super::PostgresStore;
use super::errors::sql;
use super::event_columns::{JOIN_PERSON, SELECT, change_seq, decode};
use super::statement::{built, query};
use super::values::{get, limit as rows, micros, text};
use crate::list_branches::{Branch, branches};

impl PostgresStore {
    pub(super) async fn list_events(
        &self,
        connection: ConnectionId,
        filter: &EventFilter,
        after: Option<EventKey>,
        limit: usize,
        take: &mut (dyn for<'r> FnMut(EventRow<&'r str>) + Send),
    ) -> Result<()> {
        let order = if filter.newest_first {
            "timestamp DESC, uuid DESC"
        } else {
            "timestamp, uuid"
        };
        let mut query: QueryBuilder<Postgres> = QueryBuilder::new(SELECT);
        query.push(" FROM (");
        let branches = branches(filter);
        let several = branches.len() > 1;
        if several {
            query.push("SELECT * FROM (");
        }
        for (index, branch) in branches.into_iter().enumerate() {
            query.push(if index > 0 { " UNION ALL (" } else { "(" });
            push_branch(&mut query, connection, filter, after, branch);
            query.push(format!(" ORDER BY {order} LIMIT "));
            query.push_bind(rows(limit));
            query.push(")");
        }
        if several {
            query.push(format!(") AS u ORDER BY {order} LIMIT "));
            query.push_bind(rows(limit));
        }
        query.push(format!(
            ") AS e {JOIN_PERSON} ORDER BY e.{}",
            order.replace(", ", ", e.")
        ));
        self.hand_over(built(&mut query), |row| {
            take(decode(row)?);
            Ok(())
        })
        .await
    }

    pub(super) async fn list_changes(
        &self,
        connection: ConnectionId,
        seq: i64,
        limit: usize,
    ) -> Result<Vec<Change>> {
        // Both lists from one moment, or a removal could be told without the change before it.
        let mut tx = self.read().await?;
        let upserts = query(AssertSqlSafe(format!(
            "{SELECT} FROM events AS e {JOIN_PERSON}
             WHERE e.epoch = (SELECT number FROM epochs WHERE id = $1) AND e.change_seq > $2
             ORDER BY e.change_seq LIMIT $3"
        )))
        .bind(connection.0)
        .bind(seq)
        .bind(rows(limit))
        .fetch_all(&mut *tx)
        .await
        .map_err(sql)?;
        let deletions = query(
            "SELECT uuid, change_seq FROM event_deletions
             WHERE epoch = (SELECT number FROM epochs WHERE id = $1) AND change_seq > $2
             ORDER BY change_seq LIMIT $3",
        )
        .bind(connection.0)
        .bind(seq)
        .bind(rows(limit))
        .fetch_all(&mut *tx)
        .await
        .map_err(sql)?;
        tx.end().await?;
        let mut changes = Vec::with_capacity(upserts.len() + deletions.len());
        for row in &upserts {
            changes.push(Change {
                seq: change_seq(row)?,
                kind: ChangeKind::Upsert(Box::new(decode(row)?.to_owned())),
            });
        }
        for row in &deletions {
            changes.push(Change {
                seq: get(row, "change_seq")?,
                kind: ChangeKind::Delete {
                    uuid: get(row, "uuid")?,
                },
            });
        }
        changes.sort_by_key(|change| change.seq);
        changes.truncate(limit);
        Ok(changes)
    }
}

fn push_branch(
    query: &mut QueryBuilder<Postgres>,
    connection: ConnectionId,
    filter: &EventFilter,
    after: Option<EventKey>,
    branch: Branch<'_>,
) {
    let of_session = matches!(branch, Branch::Session(_));
    if of_session {
        query.push("SELECT * FROM (");
    }
    query.push("SELECT * FROM events WHERE epoch = (SELECT number FROM epochs WHERE id = ");
    query.push_bind(connection.0);
    query.push(")");
    match branch {
        Branch::DistinctId(distinct_id) => push_long(query, "distinct_id", distinct_id),
        Branch::Stage(stage) => {
            query.push(" AND stage = ");
            query.push_bind(stage);
        }
        Branch::Name(name) => push_long(query, "event", name),
        Branch::Session(session_id) => push_long(query, "session_id", session_id),
        Branch::All => {}
    }
    if of_session {
        // Kept apart by the OFFSET: a planner that takes a session for long would rather walk through
        // all events in the order asked for.
        query.push(" OFFSET 0) AS s WHERE true");
    }
    push_range(query, filter, after);
    if !matches!(branch, Branch::Name(_)) && !filter.names.is_empty() {
        let names = filter
            .names
            .iter()
            .map(|name| text(name.as_str()).into_owned());
        query.push(" AND event = ANY(");
        query.push_bind(names.collect::<Vec<String>>());
        query.push(")");
    }
    if !matches!(branch, Branch::Stage(_)) && !filter.stages.is_empty() {
        let stages = filter.stages.iter().map(|stage| stage.number());
        query.push(" AND stage = ANY(");
        query.push_bind(stages.collect::<Vec<i16>>());
        query.push(")");
    }
    if let Some(session_id) = filter.session_id.as_ref().filter(|_| !of_session) {
        query.push(" AND session_id = ");
        query.push_bind(text(session_id).into_owned());
    }
}

/// A condition on a column of texts that is indexed by how they begin.
fn push_long(query: &mut QueryBuilder<Postgres>, column: &str, value: &str) {
    let value = text(value).into_owned();
    query.push(format!(" AND left({column}, 500) = left("));
    query.push_bind(value.clone());
    query.push(format!(", 500) AND {column} = "));
    query.push_bind(value);
}

/// The range of timestamps and the place to go on from.
fn push_range(query: &mut QueryBuilder<Postgres>, filter: &EventFilter, after: Option<EventKey>) {
    if let Some(key) = after {
        let than = if filter.newest_first { "<" } else { ">" };
        query.push(format!(" AND (timestamp, uuid) {than} ("));
        query.push_bind(micros(key.timestamp));
        query.push(", ");
        query.push_bind(key.uuid);
        query.push(")");
    }
    if let Some(from) = filter.from {
        query.push(" AND timestamp >= ");
        query.push_bind(micros(from));
    }
    if let Some(to) = filter.to {
        query.push(" AND timestamp < ");
        query.push_bind(micros(to));
    }
}
