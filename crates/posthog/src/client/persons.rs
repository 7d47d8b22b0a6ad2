//! Which person PostHog gives each distinct id.

use domain::storage::PersonMapping;

use super::{Client, MappingPage};
use crate::answer::Row;
use crate::error::Error;
use crate::queries::{self, Query};

/// Ids in one query, and their bytes. ClickHouse reads at most 256 KiB of query text by default, into
/// which PostHog prints the ids, twice where it pushes the condition into its inner query.
const MOST_IDS: usize = 2_000;
const MOST_ID_BYTES: usize = 96 * 1024;
/// Quotes and a comma around each id.
const AROUND_AN_ID: usize = 4;

impl Client {
    /// The persons of these distinct ids; ids without a person are not among the answers.
    ///
    /// # Errors
    /// Any of a query's.
    pub async fn persons_of(&self, distinct_ids: &[String]) -> Result<Vec<PersonMapping>, Error> {
        let mut mappings = Vec::new();
        for ids in chunks(distinct_ids) {
            let query = queries::persons_of(ids);
            mappings.extend(self.mappings(&query).await?);
        }
        Ok(mappings)
    }

    /// Moved distinct ids with their present persons, after a distinct id in byte order.
    ///
    /// # Errors
    /// Any of a query's.
    pub async fn person_overrides(&self, after: Option<&str>) -> Result<MappingPage, Error> {
        let query = queries::person_overrides(after.unwrap_or_default(), self.page_rows);
        self.mapping_page(&query).await
    }

    /// All distinct ids with their persons, after a distinct id in byte order.
    ///
    /// # Errors
    /// Any of a query's.
    pub async fn person_mappings(&self, after: Option<&str>) -> Result<MappingPage, Error> {
        let query = queries::person_mappings(after.unwrap_or_default(), self.page_rows);
        self.mapping_page(&query).await
    }

    async fn mapping_page(&self, query: &Query) -> Result<MappingPage, Error> {
        let rows = self.transport.rows(query, mapping).await?;
        let is_full = rows.len() == query.limit;
        let next = rows.last().map(|(id, _)| id.clone()).filter(|_| is_full);
        Ok(MappingPage {
            mappings: rows.into_iter().filter_map(|(_, found)| found).collect(),
            next,
        })
    }

    async fn mappings(&self, query: &Query) -> Result<Vec<PersonMapping>, Error> {
        let rows = self.transport.rows(query, mapping).await?;
        Ok(rows.into_iter().filter_map(|(_, found)| found).collect())
    }
}

/// A row may name an id without a person; its id still moves the cursor on.
fn mapping(row: &mut Row<'_>) -> Result<(String, Option<PersonMapping>), String> {
    let distinct_id = row.text()?;
    let person_id = row.optional_uuid()?;
    let found = person_id.map(|person_id| PersonMapping {
        distinct_id: distinct_id.clone(),
        person_id,
    });
    Ok((distinct_id, found))
}

/// The ids in pieces that fit a query each.
fn chunks(ids: &[String]) -> Vec<&[String]> {
    let mut chunks = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, id) in ids.iter().enumerate() {
        // Escaping may double an id.
        let size = 2 * id.len() + AROUND_AN_ID;
        if index > start && (index - start == MOST_IDS || bytes + size > MOST_ID_BYTES) {
            chunks.push(&ids[start..index]);
            (start, bytes) = (index, 0);
        }
        bytes += size;
    }
    if start < ids.len() {
        chunks.push(&ids[start..]);
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_keep_every_id_in_order_and_fit_a_query() {
        let short: Vec<String> = (0..4_500).map(|n| format!("d{n}")).collect();
        let lengths: Vec<usize> = chunks(&short).iter().map(|chunk| chunk.len()).collect();
        assert_eq!(lengths, [2_000, 2_000, 500]);
        let long: Vec<String> = (0..300).map(|n| format!("{n:0400}")).collect();
        assert!(chunks(&long).iter().all(|chunk| chunk.len() <= 122));
        assert_eq!(chunks(&long).concat(), long);
        assert!(chunks(&[]).is_empty());
        assert_eq!(chunks(&["x".repeat(200_000)]).len(), 1);
    }
}
