//! Reading clickmaps: pages from their own sums, one page's elements from their index alone.

use async_trait::async_trait;
use domain::ConnectionId;
use domain::clickmap::ClickCounts;
use domain::storage::{
    ClickedElementRow, ClickedPage, ClickmapReader, ClickmapSpan, ElementPlace, PagePlace, Result,
};
use sqlx::postgres::PgRow;

use super::PostgresStore;
use super::errors::sql;
use super::statement::query;
use super::values::{day_number, get, limit as rows, signed, text, unsigned};
use crate::clickmap_rows::{device_numbers, devices_of_elements};
use crate::failures::corrupt;

/// Sums of one page, whether it was clicked or not.
const TOTAL: &str = "SELECT coalesce(sum(clicks), 0)::bigint AS clicks,
        coalesce(sum(rage), 0)::bigint AS rage, coalesce(sum(dead), 0)::bigint AS dead,
        coalesce(sum(unparsed), 0)::bigint AS unparsed
    FROM epochs AS o JOIN clickmap_pages AS c ON c.epoch = o.number AND c.clickmap = o.clickmap
    WHERE o.id = $1 AND c.page = $2 AND c.day >= $3 AND c.day < $4
        AND ($5 OR c.device = ANY($6))";

/// Pages with their sums.
const PAGES: &str = "SELECT page, clicks, rage, dead, unparsed FROM (
        SELECT c.page, sum(c.clicks)::bigint AS clicks, sum(c.rage)::bigint AS rage,
            sum(c.dead)::bigint AS dead, sum(c.unparsed)::bigint AS unparsed
        FROM epochs AS o JOIN clickmap_pages AS c
            ON c.epoch = o.number AND c.clickmap = o.clickmap
        WHERE o.id = $1 AND c.day >= $2 AND c.day < $3 AND ($4 OR c.device = ANY($5))
        GROUP BY c.page
    ) AS p
    WHERE $6::bigint IS NULL OR (-clicks - unparsed, page) > (-$6, $7)
    ORDER BY -clicks - unparsed, page LIMIT $8";

/// Whether there is a page.
const IS_PAGE: &str = "SELECT EXISTS (
        SELECT FROM epochs AS o JOIN clickmap_pages AS c
            ON c.epoch = o.number AND c.clickmap = o.clickmap
        WHERE o.id = $1 AND c.page = $2)";

/// One page's elements with their sums and, of those that are answered, the label of their last day.
const ELEMENTS: &str = "WITH summed AS (
        SELECT c.epoch, c.clickmap, c.element, sum(c.clicks)::bigint AS clicks,
            sum(c.rage)::bigint AS rage, sum(c.dead)::bigint AS dead, max(c.day) AS day
        FROM epochs AS o JOIN clickmap_elements AS c
            ON c.epoch = o.number AND c.clickmap = o.clickmap
        WHERE o.id = $1 AND c.page = $2 AND c.day >= $3 AND c.day < $4
            AND c.device = ANY($5)
        GROUP BY c.epoch, c.clickmap, c.element
    ), answered AS MATERIALIZED (
        SELECT * FROM summed
        WHERE $6::bigint IS NULL OR (-clicks, element) > (-$6, $7)
        ORDER BY -clicks, element LIMIT $8
    )
    SELECT a.element, a.clicks, a.rage, a.dead, l.selector, l.basis, l.tag, l.text, l.href
    FROM answered AS a JOIN clickmap_labels AS l
        ON l.epoch = a.epoch AND l.clickmap = a.clickmap AND l.page = $2
            AND l.element = a.element AND l.day = a.day
    ORDER BY -a.clicks, a.element";

#[async_trait]
impl ClickmapReader for PostgresStore {
    async fn clicked_pages(
        &self,
        connection: ConnectionId,
        span: &ClickmapSpan,
        after: Option<&PagePlace>,
        limit: usize,
    ) -> Result<Vec<ClickedPage>> {
        let query = query(PAGES)
            .bind(connection.0)
            .bind(day_number(span.from))
            .bind(day_number(span.to))
            .bind(span.devices.is_empty())
            .bind(device_numbers(&span.devices))
            .bind(after.map(|place| signed(place.clicks)))
            .bind(after.map(|place| text(&place.page)))
            .bind(rows(limit));
        self.fetch(query)
            .await?
            .iter()
            .map(|row| page(get::<String>(row, "page")?, row))
            .collect()
    }

    async fn is_clicked_page(&self, connection: ConnectionId, page: &str) -> Result<bool> {
        let is_page = query(IS_PAGE).bind(connection.0).bind(text(page));
        let found: Vec<bool> = self.fetch_column(is_page).await?;
        Ok(found.contains(&true))
    }

    async fn clicked_elements(
        &self,
        connection: ConnectionId,
        asked: &str,
        span: &ClickmapSpan,
        after: Option<ElementPlace>,
        limit: usize,
    ) -> Result<(ClickedPage, Vec<ClickedElementRow>)> {
        // Both of one moment: a share must not be of another total.
        let mut tx = self.read().await?;
        let total = query(TOTAL)
            .bind(connection.0)
            .bind(text(asked))
            .bind(day_number(span.from))
            .bind(day_number(span.to))
            .bind(span.devices.is_empty())
            .bind(device_numbers(&span.devices))
            .fetch_one(&mut *tx)
            .await
            .map_err(sql)?;
        let found = query(ELEMENTS)
            .bind(connection.0)
            .bind(text(asked))
            .bind(day_number(span.from))
            .bind(day_number(span.to))
            .bind(devices_of_elements(&span.devices))
            .bind(after.map(|place| signed(place.clicks)))
            .bind(after.map(|place| place.element))
            .bind(rows(limit))
            .fetch_all(&mut *tx)
            .await
            .map_err(sql)?;
        tx.end().await?;
        let elements = found.iter().map(element).collect::<Result<_>>()?;
        Ok((page(asked.to_owned(), &total)?, elements))
    }
}

fn counts(row: &PgRow) -> Result<ClickCounts> {
    Ok(ClickCounts {
        clicks: unsigned(get(row, "clicks")?),
        rage: unsigned(get(row, "rage")?),
        dead: unsigned(get(row, "dead")?),
    })
}

fn page(page: String, row: &PgRow) -> Result<ClickedPage> {
    Ok(ClickedPage {
        page,
        counts: counts(row)?,
        unparsed: unsigned(get(row, "unparsed")?),
    })
}

fn element(row: &PgRow) -> Result<ClickedElementRow> {
    let counts = counts(row)?;
    Ok(ClickedElementRow {
        place: ElementPlace {
            clicks: counts.clicks,
            element: get(row, "element")?,
        },
        counts,
        selector: get(row, "selector")?,
        basis: get::<&str>(row, "basis")?.parse().map_err(corrupt)?,
        tag: get(row, "tag")?,
        text: get(row, "text")?,
        href: get(row, "href")?,
    })
}
