//! Which events a project has, by its definitions and by its rows.

use domain::event::EventName;
use domain::mapping::KnownEvent;
use domain::page_path::page_of;
use domain::storage::EventDefinition;
use jiff::Timestamp;
use serde::Deserialize;

use super::Client;
use crate::error::Error;
use crate::queries;
use crate::request::{DEFINITIONS_A_PAGE, Request};

/// Definitions that are read at most; a list that goes on beyond it has no end.
const MOST_DEFINITIONS: usize = 500_000;
/// Paths that [`Client::product_page_paths`] returns at most.
const MOST_PATHS: usize = 100;

#[derive(Debug, Deserialize)]
struct DefinitionsDocument {
    results: Vec<DefinitionDocument>,
    next: Option<String>,
}

#[derive(Debug, Deserialize)]
struct DefinitionDocument {
    name: String,
    created_at: Option<Timestamp>,
    last_seen_at: Option<Timestamp>,
}

impl Client {
    /// Every event definition of the project; needs `event_definition:read`.
    ///
    /// # Errors
    /// [`Error::MissingScope`] among others.
    pub async fn event_definitions(&self) -> Result<Vec<EventDefinition>, Error> {
        let mut definitions = Vec::new();
        let mut offset = 0;
        loop {
            let request = Request::event_definitions(self.project_id(), offset);
            let page: DefinitionsDocument = self.transport.document(&request).await?;
            // `next` is only a sign that there is more: its address is made here, so that an answer
            // cannot send the key elsewhere.
            let more = page.next.is_some() && !page.results.is_empty();
            offset += page.results.len();
            definitions.extend(page.results.into_iter().map(|given| EventDefinition {
                name: EventName::new(given.name),
                created_at: given.created_at,
                last_seen_at: given.last_seen_at,
            }));
            if !more {
                return Ok(definitions);
            }
            if offset + DEFINITIONS_A_PAGE > MOST_DEFINITIONS {
                return Err(Error::Malformed {
                    request: request.name.to_owned(),
                    reason: format!("its list goes on after {offset} definitions"),
                });
            }
        }
    }

    /// The names of the events in `[from, to)` and how many rows carry each.
    ///
    /// # Errors
    /// Any of a query's.
    pub async fn known_events(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<KnownEvent>, Error> {
        let mut known: Vec<KnownEvent> = Vec::new();
        loop {
            let after = known.last().map(|last| last.name.as_str());
            let query = queries::known_events(from, to, after, self.page_rows);
            let found = self
                .transport
                .rows(&query, |row| {
                    Ok(KnownEvent {
                        name: EventName::new(row.text()?),
                        events: row.count()?,
                    })
                })
                .await?;
            let is_full = found.len() == query.limit;
            known.extend(found);
            if !is_full {
                return Ok(known);
            }
        }
    }

    /// Up to 100 paths of `$pageview`s in `[from, to)` whose URL contains `/products/`, most viewed
    /// first, for the caller to test by its own pattern.
    ///
    /// # Errors
    /// Any of a query's.
    pub async fn product_page_paths(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<String>, Error> {
        let query = queries::product_page_urls(from, to);
        let urls = self
            .transport
            .rows(&query, |row| {
                let url = row.optional_text()?;
                let _ = row.count()?;
                Ok(url)
            })
            .await?;
        let mut paths: Vec<String> = Vec::new();
        for url in urls.into_iter().flatten() {
            if paths.len() == MOST_PATHS {
                break;
            }
            if let (_, Some(path)) = page_of(Some(&url), None, None)
                && !paths.contains(&path)
            {
                paths.push(path);
            }
        }
        Ok(paths)
    }
}
