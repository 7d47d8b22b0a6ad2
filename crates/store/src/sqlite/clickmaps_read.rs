//! Reading clickmaps: pages from their own sums, one page's elements from where they lie together.

use async_trait::async_trait;
use domain::ConnectionId;
use domain::clickmap::ClickCounts;
use domain::storage::{
    ClickedElementRow, ClickedPage, ClickmapReader, ClickmapSpan, ElementPlace, PagePlace, Result,
};
use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use super::errors::{corrupt, sql};
use super::values::{day_number, get, limit as rows, signed, to_json, unsigned};
use crate::clickmap_rows::{device_numbers, devices_of_elements};

/// Sums of one page, whether it was clicked or not.
const TOTAL: &str = "SELECT coalesce(sum(clicks), 0) AS clicks, coalesce(sum(rage), 0) AS rage,
        coalesce(sum(dead), 0) AS dead, coalesce(sum(unparsed), 0) AS unparsed
    FROM epochs AS o JOIN clickmap_pages AS c ON c.epoch = o.number AND c.clickmap = o.clickmap
    WHERE o.id = ?1 AND c.page = ?2 AND c.day >= ?3 AND c.day < ?4
        AND (?5 = '[]' OR c.device IN (SELECT value FROM json_each(?5)))";

/// Pages with their sums.
const PAGES: &str = "SELECT page, clicks, rage, dead, unparsed FROM (
        SELECT c.page, sum(c.clicks) AS clicks, sum(c.rage) AS rage, sum(c.dead) AS dead,
            sum(c.unparsed) AS unparsed
        FROM epochs AS o JOIN clickmap_pages AS c
            ON c.epoch = o.number AND c.clickmap = o.clickmap
        WHERE o.id = ?1 AND c.day >= ?2 AND c.day < ?3
            AND (?4 = '[]' OR c.device IN (SELECT value FROM json_each(?4)))
        GROUP BY c.page
    )
    WHERE ?5 IS NULL OR (-clicks - unparsed, page) > (-?5, ?6)
    ORDER BY -clicks - unparsed, page LIMIT ?7";

/// Whether there is a page.
const IS_PAGE: &str = "SELECT EXISTS (
        SELECT 1 FROM epochs AS o JOIN clickmap_pages AS c
            ON c.epoch = o.number AND c.clickmap = o.clickmap
        WHERE o.id = ?1 AND c.page = ?2)";

/// One page's elements with their sums and, of those that are answered, the day of the latest label.
const ELEMENTS: &str = "WITH answered AS MATERIALIZED (
        SELECT * FROM (
            SELECT c.epoch, c.clickmap, c.element, sum(c.clicks) AS clicks, sum(c.rage) AS rage,
                sum(c.dead) AS dead, max(c.day) AS day
            FROM epochs AS o JOIN clickmap_elements AS c
                ON c.epoch = o.number AND c.clickmap = o.clickmap
            WHERE o.id = ?1 AND c.page = ?2 AND c.day >= ?3 AND c.day < ?4
                AND c.device IN (SELECT value FROM json_each(?5))
            GROUP BY c.element
        )
        WHERE ?6 IS NULL OR (-clicks, element) > (-?6, ?7)
        ORDER BY -clicks, element LIMIT ?8
    )
    SELECT a.element, a.clicks, a.rage, a.dead, l.selector, l.basis, l.tag, l.text, l.href
    FROM answered AS a JOIN clickmap_labels AS l
        ON l.epoch = a.epoch AND l.clickmap = a.clickmap AND l.page = ?2
            AND l.element = a.element AND l.day = a.day
    ORDER BY -a.clicks, a.element";

#[async_trait]
impl ClickmapReader for SqliteStore {
    async fn clicked_pages(
        &self,
        connection: ConnectionId,
        span: &ClickmapSpan,
        after: Option<&PagePlace>,
        limit: usize,
    ) -> Result<Vec<ClickedPage>> {
        sqlx::query(PAGES)
            .bind(connection.0)
            .bind(day_number(span.from))
            .bind(day_number(span.to))
            .bind(devices(span)?)
            .bind(after.map(|place| signed(place.clicks)))
            .bind(after.map(|place| &place.page))
            .bind(rows(limit))
            .fetch_all(&self.readers)
            .await
            .map_err(sql)?
            .iter()
            .map(|row| page(get::<String>(row, "page")?, row))
            .collect()
    }

    async fn is_clicked_page(&self, connection: ConnectionId, page: &str) -> Result<bool> {
        sqlx::query_scalar(IS_PAGE)
            .bind(connection.0)
            .bind(page)
            .fetch_one(&self.readers)
            .await
            .map_err(sql)
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
        let total = sqlx::query(TOTAL)
            .bind(connection.0)
            .bind(asked)
            .bind(day_number(span.from))
            .bind(day_number(span.to))
            .bind(devices(span)?)
            .fetch_one(&mut *tx)
            .await
            .map_err(sql)?;
        let found = sqlx::query(ELEMENTS)
            .bind(connection.0)
            .bind(asked)
            .bind(day_number(span.from))
            .bind(day_number(span.to))
            .bind(to_json(&devices_of_elements(&span.devices))?)
            .bind(after.map(|place| signed(place.clicks)))
            .bind(after.map(|place| place.element))
            .bind(rows(limit))
            .fetch_all(&mut *tx)
            .await
            .map_err(sql)?;
        let elements = found.iter().map(element).collect::<Result<_>>()?;
        Ok((page(asked.to_owned(), &total)?, elements))
    }
}

/// As a JSON array, which a statement of one text can take apart.
fn devices(span: &ClickmapSpan) -> Result<String> {
    to_json(&device_numbers(&span.devices))
}

fn counts(row: &SqliteRow) -> Result<ClickCounts> {
    Ok(ClickCounts {
        clicks: unsigned(get(row, "clicks")?),
        rage: unsigned(get(row, "rage")?),
        dead: unsigned(get(row, "dead")?),
    })
}

fn page(page: String, row: &SqliteRow) -> Result<ClickedPage> {
    Ok(ClickedPage {
        page,
        counts: counts(row)?,
        unparsed: unsigned(get(row, "unparsed")?),
    })
}

fn element(row: &SqliteRow) -> Result<ClickedElementRow> {
    let counts = counts(row)?;
    Ok(ClickedElementRow {
        place: ElementPlace {
            clicks: counts.clicks,
            element: get(row, "element")?,
        },
        counts,
        selector: get(row, "selector")?,
        basis: get::<String>(row, "basis")?.parse().map_err(corrupt)?,
        tag: get(row, "tag")?,
        text: get(row, "text")?,
        href: get(row, "href")?,
    })
}
