//! Making clickmaps: a day's clicks are read in the order of time, and what they come to replaces
//! the day's rows in one transaction.

use async_trait::async_trait;
use domain::EventName;
use domain::clickmap::{
    CLICK_EVENTS, ClickEvent, ClickmapPolicy, ClickmapRules, DayClickmap, DayOfClicks,
};
use domain::day::{day_bounds, day_of};
use domain::masking::MaskedText;
use domain::storage::{ClickmapWriter, Lease, Result};
use futures_util::TryStreamExt;
use jiff::civil::Date;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::errors::sql;
use super::statement::{query, query_scalar};
use super::transaction::first_column;
use super::values::{day, day_number, get, instant, micros, signed};
use super::{PostgresStore, clickmaps_erase, leases};
use crate::clickmap_rows::{ALL_DEVICES, CLICK_COLUMNS, InForce, Work, devices_with_clicks};

#[async_trait]
impl ClickmapWriter for PostgresStore {
    async fn make_clickmaps(&self, lease: &Lease, policy: &ClickmapPolicy) -> Result<u64> {
        let Some(rules) = policy.rules() else {
            self.remove_clickmaps(lease).await?;
            return Ok(0);
        };
        let mut work = self.begin_clickmaps(lease, rules).await?;
        let mut made = 0;
        if work.anew {
            let mut from = i64::MIN;
            while let Some((day, next)) = self.next_clicked_day(&work, from).await? {
                self.make_day(lease, &work, rules, day).await?;
                made += 1;
                from = next;
            }
            self.switch_clickmaps(lease, &work).await?;
            work.beside = false;
        }
        while let Some(day) = self.next_due_day(work.epoch).await? {
            self.make_day(lease, &work, rules, day).await?;
            made += 1;
        }
        Ok(made)
    }
}

impl PostgresStore {
    /// Which clickmaps are to be made. Makes room for new ones.
    async fn begin_clickmaps(&self, lease: &Lease, rules: &ClickmapRules) -> Result<Work> {
        let mut tx = self.write().await?;
        let epoch = leases::hold(&mut tx, lease).await?;
        let row = query(
            "SELECT time_zone, clickmap, clickmap_rules, clickmap_time_zone
             FROM epochs WHERE number = $1",
        )
        .bind(epoch)
        .fetch_one(&mut *tx)
        .await
        .map_err(sql)?;
        let in_force = InForce {
            time_zone: get(&row, "time_zone")?,
            clickmap: get(&row, "clickmap")?,
            clickmap_rules: get(&row, "clickmap_rules")?,
            clickmap_time_zone: get(&row, "clickmap_time_zone")?,
        };
        let (work, kept) = (Work::of(epoch, &in_force, rules)?, in_force.clickmap);
        tx.commit().await?;
        // An interrupted call may have left some, made before later pages came.
        self.remove_others(lease, kept).await?;
        Ok(work)
    }

    /// The first day with a click at or after `from`, and where the next begins.
    async fn next_clicked_day(&self, work: &Work, from: i64) -> Result<Option<(Date, i64)>> {
        let mut first: Option<i64> = None;
        for name in CLICK_EVENTS {
            let earliest = query(
                "SELECT min(timestamp) FROM events
                 WHERE epoch = $1 AND left(event, 500) = $2 AND event = $2
                    AND timestamp >= $3",
            )
            .bind(work.epoch)
            .bind(name)
            .bind(from);
            let found: Vec<Option<i64>> = first_column(&self.fetch_for_upkeep(earliest).await?)?;
            first = first.into_iter().chain(found.into_iter().flatten()).min();
        }
        let Some(first) = first else { return Ok(None) };
        let day = day_of(instant(first)?, &work.zone);
        // At the end of time a day has no end of its own.
        let end = micros(day_bounds(day, &work.zone).1).max(first + 1);
        Ok(Some((day, end)))
    }

    async fn next_due_day(&self, epoch: i64) -> Result<Option<Date>> {
        let due: Vec<i64> = self
            .fetch_column(
                query("SELECT day FROM clickmap_days_due WHERE epoch = $1 ORDER BY day LIMIT 1")
                    .bind(epoch),
            )
            .await?;
        due.first().copied().map(day).transpose()
    }

    /// Makes one day anew. Clicks are read without holding up writers; what they change meanwhile
    /// leaves the day due.
    async fn make_day(
        &self,
        lease: &Lease,
        work: &Work,
        rules: &ClickmapRules,
        day: Date,
    ) -> Result<()> {
        let number = day_number(day);
        let mut tx = self.read_for_upkeep().await?;
        let changes = changes_of(&mut tx, work.epoch, number).await?;
        let (from, to) = day_bounds(day, &work.zone);
        let mut clicks = DayOfClicks::new(rules, from, to);
        add_clicks(&mut tx, work.epoch, &mut clicks).await?;
        tx.end().await?;
        let made = clicks.finish();

        let mut tx = self.write().await?;
        leases::hold(&mut tx, lease).await?;
        remove_day(&mut tx, work, number).await?;
        put_day(&mut tx, work, number, &made).await?;
        if changes_of(&mut tx, work.epoch, number).await? != changes {
            // Whoever has the lease changes nothing meanwhile: it was an erasure, whose texts may be among these.
            clickmaps_erase::forget_texts(&mut tx, work.epoch, &[day]).await?;
        }
        if !work.beside {
            query("DELETE FROM clickmap_days_due WHERE epoch = $1 AND day = $2 AND changes = $3")
                .bind(work.epoch)
                .bind(number)
                .bind(changes)
                .execute(&mut *tx)
                .await
                .map_err(sql)?;
        }
        tx.commit().await
    }

    async fn switch_clickmaps(&self, lease: &Lease, work: &Work) -> Result<()> {
        let mut tx = self.write().await?;
        leases::hold(&mut tx, lease).await?;
        query(
            "UPDATE epochs SET clickmap = $2, clickmap_rules = $3, clickmap_time_zone = $4,
                mapping_revision = mapping_revision + 1
             WHERE number = $1",
        )
        .bind(work.epoch)
        .bind(work.clickmap)
        .bind(&work.rules)
        .bind(&work.zone_name)
        .execute(&mut *tx)
        .await
        .map_err(sql)?;
        tx.commit().await?;
        self.remove_others(lease, work.clickmap).await
    }
}

/// How often the clicks of a day changed since it was made; nothing where it is not due.
async fn changes_of(connection: &mut PgConnection, epoch: i64, day: i64) -> Result<Option<i64>> {
    query_scalar("SELECT changes FROM clickmap_days_due WHERE epoch = $1 AND day = $2")
        .bind(epoch)
        .bind(day)
        .fetch_optional(connection)
        .await
        .map_err(sql)
}

/// Notes the days whose clickmaps must be made anew.
pub(super) async fn mark(connection: &mut PgConnection, epoch: i64, days: &[Date]) -> Result<()> {
    if days.is_empty() {
        return Ok(());
    }
    let days: Vec<i64> = days.iter().copied().map(day_number).collect();
    query(
        "INSERT INTO clickmap_days_due AS d (epoch, day, changes)
         SELECT $1, m.day, 1 FROM unnest($2::bigint[]) AS m (day)
         ON CONFLICT (epoch, day) DO UPDATE SET changes = d.changes + 1",
    )
    .bind(epoch)
    .bind(days)
    .execute(connection)
    .await
    .map_err(sql)?;
    Ok(())
}

/// Adds the clicks of a day and of what lies around it, each as it comes in.
async fn add_clicks(
    connection: &mut PgConnection,
    epoch: i64,
    clicks: &mut DayOfClicks<'_>,
) -> Result<()> {
    let (from, to) = clicks.span();
    let of = |name: &str| {
        format!(
            "(SELECT {CLICK_COLUMNS} FROM events
              WHERE epoch = $1 AND left(event, 500) = '{name}' AND event = '{name}'
                AND timestamp >= $2 AND timestamp < $3
              ORDER BY timestamp, uuid)"
        )
    };
    let text = CLICK_EVENTS.map(of).join(" UNION ALL ");
    let mut rows = query(AssertSqlSafe(format!("{text} ORDER BY timestamp, uuid")))
        .bind(epoch)
        .bind(micros(from))
        .bind(micros(to))
        .fetch(connection);
    while let Some(row) = rows.try_next().await.map_err(sql)? {
        clicks.add(&click(&row)?);
    }
    Ok(())
}

fn click(row: &PgRow) -> Result<ClickEvent> {
    let column = |place| row.try_get::<Option<String>, _>(place).map_err(sql);
    Ok(ClickEvent {
        uuid: row.try_get(0).map_err(sql)?,
        timestamp: instant(row.try_get(1).map_err(sql)?)?,
        event: EventName::new(row.try_get::<String, _>(2).map_err(sql)?),
        event_type: column(3)?,
        distinct_id: row.try_get(4).map_err(sql)?,
        session_id: column(5)?,
        window_id: column(6)?,
        path: column(7)?,
        device_type: column(8)?,
        elements_chain: column(9)?,
    })
}

async fn remove_day(connection: &mut PgConnection, work: &Work, day: i64) -> Result<()> {
    let mut devices = devices_with_clicks();
    devices.push(ALL_DEVICES);
    // A day's elements are those of its pages.
    query(
        "DELETE FROM clickmap_elements WHERE epoch = $1 AND clickmap = $2 AND day = $3
            AND page = ANY (ARRAY(SELECT page FROM clickmap_pages WHERE epoch = $1 AND clickmap = $2 AND day = $3))
            AND device = ANY($4)",
    )
    .bind(work.epoch)
    .bind(work.clickmap)
    .bind(day)
    .bind(devices)
    .execute(&mut *connection)
    .await
    .map_err(sql)?;
    for remove in [
        "DELETE FROM clickmap_labels WHERE epoch = $1 AND clickmap = $2 AND day = $3",
        "DELETE FROM clickmap_pages WHERE epoch = $1 AND clickmap = $2 AND day = $3",
    ] {
        query(remove)
            .bind(work.epoch)
            .bind(work.clickmap)
            .bind(day)
            .execute(&mut *connection)
            .await
            .map_err(sql)?;
    }
    Ok(())
}

async fn put_day(
    connection: &mut PgConnection,
    work: &Work,
    day: i64,
    made: &DayClickmap,
) -> Result<()> {
    let pages = &made.pages;
    query(
        "INSERT INTO clickmap_pages
            (epoch, clickmap, day, page, device, clicks, rage, dead, unparsed)
         SELECT $1, $2, $3, r.* FROM unnest($4::text[], $5::smallint[], $6::bigint[], $7::bigint[],
            $8::bigint[], $9::bigint[]) AS r",
    )
    .bind(work.epoch)
    .bind(work.clickmap)
    .bind(day)
    .bind(column(pages, |row| row.page.as_str()))
    .bind(column(pages, |row| row.device.number()))
    .bind(column(pages, |row| signed(row.counts.clicks)))
    .bind(column(pages, |row| signed(row.counts.rage)))
    .bind(column(pages, |row| signed(row.counts.dead)))
    .bind(column(pages, |row| signed(row.unparsed)))
    .execute(&mut *connection)
    .await
    .map_err(sql)?;
    let elements = &made.elements;
    query(
        "INSERT INTO clickmap_elements
            (epoch, clickmap, day, page, element, device, clicks, rage, dead)
         SELECT $1, $2, $3, r.* FROM unnest($4::text[], $5::uuid[], $6::smallint[], $7::bigint[],
            $8::bigint[], $9::bigint[]) AS r",
    )
    .bind(work.epoch)
    .bind(work.clickmap)
    .bind(day)
    .bind(column(elements, |row| row.page.as_str()))
    .bind(column(elements, |row| row.element.0))
    .bind(column(elements, |row| row.device.number()))
    .bind(column(elements, |row| signed(row.counts.clicks)))
    .bind(column(elements, |row| signed(row.counts.rage)))
    .bind(column(elements, |row| signed(row.counts.dead)))
    .execute(&mut *connection)
    .await
    .map_err(sql)?;
    put_all_devices(connection, work, day).await?;
    let labels = &made.labels;
    query(
        "INSERT INTO clickmap_labels
            (epoch, clickmap, day, page, element, selector, basis, tag, text, href)
         SELECT $1, $2, $3, r.* FROM unnest($4::text[], $5::uuid[], $6::text[], $7::text[],
            $8::text[], $9::text[], $10::text[]) AS r",
    )
    .bind(work.epoch)
    .bind(work.clickmap)
    .bind(day)
    .bind(column(labels, |row| row.page.as_str()))
    .bind(column(labels, |row| row.element.0))
    .bind(column(labels, |row| row.label.selector.as_str()))
    .bind(column(labels, |row| -> &'static str {
        row.label.selector.basis().into()
    }))
    .bind(column(labels, |row| {
        row.label.tag.as_ref().map(MaskedText::as_str)
    }))
    .bind(column(labels, |row| {
        row.label.text.as_ref().map(MaskedText::as_str)
    }))
    .bind(column(labels, |row| {
        row.label.href.as_ref().map(MaskedText::as_str)
    }))
    .execute(connection)
    .await
    .map_err(sql)?;
    Ok(())
}

/// Sums up each element's clicks of a day on all devices.
async fn put_all_devices(connection: &mut PgConnection, work: &Work, day: i64) -> Result<()> {
    query(
        "INSERT INTO clickmap_elements
            (epoch, clickmap, day, page, element, device, clicks, rage, dead)
         SELECT epoch, clickmap, day, page, element, $4, sum(clicks)::bigint, sum(rage)::bigint,
            sum(dead)::bigint
         FROM clickmap_elements
         WHERE epoch = $1 AND clickmap = $2 AND day = $3
            AND page = ANY (ARRAY(SELECT page FROM clickmap_pages WHERE epoch = $1 AND clickmap = $2 AND day = $3))
            AND device = ANY($5)
         GROUP BY epoch, clickmap, day, page, element",
    )
    .bind(work.epoch)
    .bind(work.clickmap)
    .bind(day)
    .bind(ALL_DEVICES)
    .bind(devices_with_clicks())
    .execute(connection)
    .await
    .map_err(sql)?;
    Ok(())
}

fn column<'a, R, T>(rows: &'a [R], of: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}
