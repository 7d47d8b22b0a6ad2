//! Prepared inserts into SQLite, one row a statement, without anything beside them.

use std::path::Path;
use std::time::{Duration, Instant};

use domain::Event;
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};
use store::{OpenOptions, open};

use crate::Outcome;

/// Rows of a transaction.
const TOGETHER: usize = 10_000;

/// A new file with the store's schema, which rows are put into.
pub(crate) struct Bare {
    connection: SqliteConnection,
    text: String,
    written: i64,
    spent: Duration,
}

impl Bare {
    /// Makes the file; writing is as lax as the store's.
    pub(crate) async fn open(path: &Path) -> Outcome<Self> {
        drop(
            open(
                &format!("sqlite://{}", path.display()),
                OpenOptions::default(),
            )
            .await?,
        );
        let connection = SqliteConnectOptions::new()
            .filename(path)
            .synchronous(SqliteSynchronous::Normal)
            .pragma("cache_size", "-16384")
            .pragma("wal_autocheckpoint", "4000")
            .connect()
            .await?;
        let values = vec!["?"; 31].join(",");
        Ok(Self {
            connection,
            text: format!("INSERT INTO events VALUES ({values})"),
            written: 0,
            spent: Duration::ZERO,
        })
    }

    /// The time that inserts have taken.
    pub(crate) fn spent(&self) -> Duration {
        self.spent
    }

    /// Inserts events.
    pub(crate) async fn insert(&mut self, events: &[Event]) -> Outcome<()> {
        let begun = Instant::now();
        for together in events.chunks(TOGETHER) {
            let mut tx = self.connection.begin().await?;
            for event in together {
                self.written += 1;
                let json = (!event.id_properties.is_empty())
                    .then(|| serde_json::to_string(&event.id_properties))
                    .transpose()?;
                sqlx::query(AssertSqlSafe(self.text.as_str()))
                    .bind(1)
                    .bind(event.uuid)
                    .bind(event.timestamp.as_microsecond())
                    .bind(event.created_at.as_microsecond())
                    .bind(event.event.as_str())
                    .bind(None::<i64>)
                    .bind(self.written)
                    .bind(&event.distinct_id)
                    .bind(event.person_id)
                    .bind(&event.session_id)
                    .bind(&event.window_id)
                    .bind(&event.host)
                    .bind(&event.path)
                    .bind(&event.referrer)
                    .bind(&event.utm_source)
                    .bind(&event.utm_medium)
                    .bind(&event.utm_campaign)
                    .bind(&event.utm_content)
                    .bind(&event.utm_term)
                    .bind(&event.device_type)
                    .bind(&event.elements_chain)
                    .bind(&event.anon_distinct_id)
                    .bind(&event.alias)
                    .bind(&event.product_id)
                    .bind(&event.sku)
                    .bind(&event.price)
                    .bind(&event.currency)
                    .bind(&event.quantity)
                    .bind(&event.cart_id)
                    .bind(json)
                    .bind(&event.event_type)
                    .execute(&mut *tx)
                    .await?;
            }
            tx.commit().await?;
        }
        self.spent += begun.elapsed();
        Ok(())
    }
}
