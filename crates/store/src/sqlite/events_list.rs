//! Listing events page by page, each filter by the index that holds its order, and following
//! their changes.

use domain::ConnectionId;
use domain::storage::{Change, ChangeKind, EventFilter, EventKey, EventRow, Result};
use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, QueryBuilder, Sqlite};

use super::SqliteStore;
use super::errors::sql;
use super::event_columns::{JOIN_PERSON, SELECT, change_seq, decode};
use super::values::{get, limit as rows, micros};
use crate::list_branches::{Branch, branches};

impl SqliteStore {
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
        // The places come from the index alone; the wide rows of only those that stay are read.
        let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(SELECT);
        query.push(" FROM (SELECT * FROM (");
        for (index, branch) in branches(filter).into_iter().enumerate() {
            if index > 0 {
                query.push(" UNION ALL ");
            }
            query.push("SELECT * FROM (");
            push_branch(&mut query, connection, filter, after, branch);
            query.push(format!(" ORDER BY {order} LIMIT "));
            query.push_bind(rows(limit));
            query.push(")");
        }
        query.push(format!(") ORDER BY {order} LIMIT "));
        query.push_bind(rows(limit));
        query.push(format!(
            ") AS k CROSS JOIN events AS e ON e.rowid = k.place {JOIN_PERSON} ORDER BY k.{}",
            order.replace(", ", ", k.")
        ));
        let mut rows = query.build().fetch(&self.readers);
        while let Some(row) = rows.try_next().await.map_err(sql)? {
            take(decode(&row)?);
        }
        Ok(())
    }

    pub(super) async fn list_changes(
        &self,
        connection: ConnectionId,
        seq: i64,
        limit: usize,
    ) -> Result<Vec<Change>> {
        // Both lists from one moment, or a removal could be told without the change before it.
        let mut tx = self.read().await?;
        let upserts = sqlx::query(AssertSqlSafe(format!(
            "{SELECT} FROM events AS e INDEXED BY events_by_change {JOIN_PERSON}
             WHERE e.epoch = (SELECT number FROM epochs WHERE id = ?) AND e.change_seq > ?
             ORDER BY e.change_seq LIMIT ?"
        )))
        .bind(connection.0)
        .bind(seq)
        .bind(rows(limit))
        .fetch_all(&mut *tx)
        .await
        .map_err(sql)?;
        let deletions = sqlx::query(
            "SELECT uuid, change_seq FROM event_deletions
             WHERE epoch = (SELECT number FROM epochs WHERE id = ?) AND change_seq > ?
             ORDER BY change_seq LIMIT ?",
        )
        .bind(connection.0)
        .bind(seq)
        .bind(rows(limit))
        .fetch_all(&mut *tx)
        .await
        .map_err(sql)?;
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
    query: &mut QueryBuilder<Sqlite>,
    connection: ConnectionId,
    filter: &EventFilter,
    after: Option<EventKey>,
    branch: Branch<'_>,
) {
    let index = match branch {
        Branch::DistinctId(_) => "events_by_distinct_id",
        Branch::Stage(_) => "events_by_stage",
        Branch::Name(_) => "events_by_name",
        Branch::Session(_) => "events_by_session",
        Branch::All => "events_by_time",
    };
    query.push(format!(
        "SELECT rowid AS place, timestamp, uuid FROM events INDEXED BY {index}
         WHERE epoch = (SELECT number FROM epochs WHERE id = "
    ));
    query.push_bind(connection.0);
    query.push(")");
    match branch {
        Branch::DistinctId(distinct_id) => {
            query.push(" AND distinct_id = ");
            query.push_bind(distinct_id.to_owned());
        }
        Branch::Stage(stage) => {
            query.push(" AND stage = ");
            query.push_bind(stage);
        }
        Branch::Name(name) => {
            query.push(" AND event = ");
            query.push_bind(name.to_owned());
        }
        // Below, where any branch may have it.
        Branch::Session(_) | Branch::All => {}
    }
    push_range(query, filter, after);
    if !matches!(branch, Branch::Name(_)) && !filter.names.is_empty() {
        let names = filter.names.iter().map(|name| name.as_str().to_owned());
        push_list(query, "event", names);
    }
    if !matches!(branch, Branch::Stage(_)) && !filter.stages.is_empty() {
        push_list(
            query,
            "stage",
            filter.stages.iter().map(|stage| stage.number()),
        );
    }
    if let Some(session_id) = &filter.session_id {
        query.push(" AND session_id = ");
        query.push_bind(session_id.clone());
    }
}

/// The range of timestamps and the place to go on from. Of two bounds on one side only the
/// narrower is given: SQLite seeks by one of them and would walk up to the other.
fn push_range(query: &mut QueryBuilder<Sqlite>, filter: &EventFilter, after: Option<EventKey>) {
    let (lower, upper) = match after {
        Some(key) if filter.newest_first => (
            None,
            Some(key).filter(|key| filter.to.is_none_or(|to| key.timestamp < to)),
        ),
        Some(key) => (
            Some(key).filter(|key| filter.from.is_none_or(|from| key.timestamp >= from)),
            None,
        ),
        None => (None, None),
    };
    for (key, than) in [(lower, ">"), (upper, "<")] {
        if let Some(key) = key {
            query.push(format!(" AND (timestamp, uuid) {than} ("));
            query.push_bind(micros(key.timestamp));
            query.push(", ");
            query.push_bind(key.uuid);
            query.push(")");
        }
    }
    if let Some(from) = filter.from.filter(|_| lower.is_none()) {
        query.push(" AND timestamp >= ");
        query.push_bind(micros(from));
    }
    if let Some(to) = filter.to.filter(|_| upper.is_none()) {
        query.push(" AND timestamp < ");
        query.push_bind(micros(to));
    }
}

fn push_list<T>(query: &mut QueryBuilder<Sqlite>, column: &str, values: impl Iterator<Item = T>)
where
    T: sqlx::Encode<'static, Sqlite> + sqlx::Type<Sqlite>,
{
    query.push(format!(" AND {column} IN ("));
    let mut list = query.separated(", ");
    for value in values {
        list.push_bind(value);
    }
    query.push(")");
}
