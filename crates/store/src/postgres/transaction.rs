//! Transactions. A connection goes back to its pool only after one that ended in order: when a
//! caller drops a store's future midway, answers to what it had sent are still to come, and
//! whoever used the connection next would take them for its own (sqlx 0.9 counts them wrong after
//! a COPY). Such a connection is closed, which also ends the transaction.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use domain::storage::Result;
use futures_util::TryStreamExt;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Decode, PgConnection, PgPool, Postgres, Row, Type};

use super::PostgresStore;
use super::errors::{self, sql};

/// A transaction. Dropped before its end it changes nothing, and its connection is closed.
pub(super) struct Tx {
    connection: PoolConnection<Postgres>,
    ended: bool,
}

impl Tx {
    /// Begins one on a connection of the pool. Those that were lost while nobody used them, as when
    /// the server was restarted, are given up for another: to begin is itself what shows it, and
    /// saves asking each time.
    async fn begin(pool: &PgPool, begin: &Arc<str>) -> std::result::Result<Self, sqlx::Error> {
        let mut left = pool.options().get_max_connections();
        loop {
            let mut tx = Self {
                connection: pool.acquire().await?,
                ended: false,
            };
            match tx.simple(AssertSqlSafe(Arc::clone(begin))).await {
                Ok(()) => return Ok(tx),
                Err(error) if left > 0 && errors::is_lost(&error) => left -= 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes what was written last, and visible to others.
    pub(super) async fn commit(mut self) -> Result<()> {
        self.simple("COMMIT").await.map_err(sql)?;
        self.ended = true;
        Ok(())
    }

    /// Ends it without a change.
    pub(super) async fn end(mut self) -> Result<()> {
        self.simple("ROLLBACK").await.map_err(sql)?;
        self.ended = true;
        Ok(())
    }

    async fn simple(
        &mut self,
        text: impl sqlx::SqlSafeStr,
    ) -> std::result::Result<(), sqlx::Error> {
        sqlx::raw_sql(text).execute(&mut *self.connection).await?;
        Ok(())
    }
}

impl Deref for Tx {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if !self.ended {
            self.connection.close_on_drop();
        }
    }
}

impl PostgresStore {
    /// Begins a transaction that writes.
    pub(super) async fn write(&self) -> Result<Tx> {
        Tx::begin(&self.writers, &self.begin_write)
            .await
            .map_err(errors::begin)
    }

    /// Begins a transaction whose reads all see the same state.
    pub(super) async fn read(&self) -> Result<Tx> {
        Tx::begin(&self.readers, &self.begin_read)
            .await
            .map_err(sql)
    }

    /// Begins one for upkeep: a run reads all of a day, and nobody waits for an answer.
    pub(super) async fn read_for_upkeep(&self) -> Result<Tx> {
        Tx::begin(&self.readers, &self.begin_upkeep)
            .await
            .map_err(sql)
    }

    /// Reads with one statement.
    pub(super) async fn fetch(
        &self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>> {
        all_rows(self.read().await?, query).await
    }

    /// Reads with one statement, for upkeep.
    pub(super) async fn fetch_for_upkeep(
        &self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>> {
        all_rows(self.read_for_upkeep().await?, query).await
    }

    /// Reads with one statement and gives each row to `take` as it comes in. One that it refuses ends it.
    pub(super) async fn hand_over(
        &self,
        query: Query<'_, Postgres, PgArguments>,
        mut take: impl FnMut(&PgRow) -> Result<()>,
    ) -> Result<()> {
        let mut tx = self.read().await?;
        let mut rows = query.fetch(&mut *tx);
        while let Some(row) = rows.try_next().await.map_err(sql)? {
            take(&row)?;
        }
        drop(rows);
        tx.end().await
    }

    /// Reads with one statement, each row unpacked as it comes in.
    pub(super) async fn fetch_each<T>(
        &self,
        query: Query<'_, Postgres, PgArguments>,
        decode: impl Fn(&PgRow) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut found = Vec::new();
        self.hand_over(query, |row| {
            found.push(decode(row)?);
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// Reads one column with one statement.
    pub(super) async fn fetch_column<T>(
        &self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<T>>
    where
        T: for<'r> Decode<'r, Postgres> + Type<Postgres>,
    {
        first_column(&self.fetch(query).await?)
    }
}

async fn all_rows(mut tx: Tx, query: Query<'_, Postgres, PgArguments>) -> Result<Vec<PgRow>> {
    let rows = query.fetch_all(&mut *tx).await.map_err(sql)?;
    tx.end().await?;
    Ok(rows)
}

/// The first column of each row.
pub(super) fn first_column<T>(rows: &[PgRow]) -> Result<Vec<T>>
where
    T: for<'r> Decode<'r, Postgres> + Type<Postgres>,
{
    rows.iter().map(|row| row.try_get(0).map_err(sql)).collect()
}
