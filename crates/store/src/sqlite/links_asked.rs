//! Links that touch ids that are asked for, many at once.

use std::collections::{BTreeMap, BTreeSet};

use domain::identity::IdentityKey;
use domain::storage::Result;
use sqlx::{Encode, QueryBuilder, Sqlite, SqliteConnection, Type};
use uuid::Uuid;

use super::links::{Owner, PERSONS, fetch_facts};
use super::rows::batches;
use crate::link_rows::{Placed, kind};

/// Ids looked up with one statement.
const ROWS: usize = 256;

// Whatever is asked for is looked up one by one, in an index that is named: left to itself the planner
// reads all rows of the epoch, to save the few that are found from being put in order.

/// Links of distinct ids.
const LINKS_OF_ID: &str = "person_links INDEXED BY person_links_current ON distinct_id = asked.id";
/// Links to persons.
const LINKS_OF_PERSON: &str =
    "person_links INDEXED BY person_links_of_person ON person_id = asked.id";
/// Facts of distinct ids.
const FACTS_OF_ID: &str = "identity_facts AS f ON f.distinct_id = asked.id";
/// Facts of values.
const FACTS_OF_VALUE: &str =
    "identity_facts AS f INDEXED BY identity_facts_by_value ON f.value = asked.id";

/// Keys by what is looked up for them, each once: what comes twice would take the place of others.
#[derive(Default)]
pub(super) struct Asked<'a> {
    distinct_ids: BTreeSet<&'a str>,
    persons: BTreeSet<Uuid>,
    /// The values of facts, by their kind.
    values: BTreeMap<i64, BTreeSet<&'a str>>,
}

impl<'a> Asked<'a> {
    pub(super) fn of(keys: &'a [IdentityKey]) -> Self {
        let mut asked = Self::default();
        for key in keys {
            let (kind, value) = match key {
                IdentityKey::DistinctId(id) => {
                    asked.distinct_ids.insert(id);
                    continue;
                }
                IdentityKey::Person(id) => {
                    asked.persons.insert(*id);
                    continue;
                }
                IdentityKey::CustomerId(value) => (kind::CUSTOMER, value),
                IdentityKey::AnonymousId(value) => (kind::ANONYMOUS, value),
                IdentityKey::Email(value) => (kind::EMAIL, value),
            };
            asked.values.entry(kind).or_default().insert(value);
        }
        asked
    }
}

impl Owner {
    /// The first current links, in order, that touch what is asked for; some may come twice.
    pub(super) async fn touching(
        &self,
        connection: &mut SqliteConnection,
        asked: &Asked<'_>,
        limit: usize,
    ) -> Result<Vec<Placed>> {
        let distinct_ids: Vec<&str> = asked.distinct_ids.iter().copied().collect();
        let persons: Vec<Uuid> = asked.persons.iter().copied().collect();
        let mut found = self
            .links_to(connection, &distinct_ids, LINKS_OF_ID, limit)
            .await?;
        found.extend(self.carried(connection, &distinct_ids, limit).await?);
        found.extend(
            self.links_to(connection, &persons, LINKS_OF_PERSON, limit)
                .await?,
        );
        for (kind, values) in &asked.values {
            let values: Vec<&str> = values.iter().copied().collect();
            found.extend(self.facts_to(connection, *kind, &values, limit).await?);
        }
        Ok(found)
    }

    /// The first current links, in order, of what is asked for.
    async fn links_to<T>(
        &self,
        connection: &mut SqliteConnection,
        asked: &[T],
        of: &str,
        limit: usize,
    ) -> Result<Vec<Placed>>
    where
        T: Copy + for<'q> Encode<'q, Sqlite> + Type<Sqlite>,
    {
        let mut found = Vec::new();
        for batch in batches(asked, ROWS) {
            let mut query = QueryBuilder::new("WITH asked (id) AS (");
            query.push_values(batch, |mut row, id| {
                row.push_bind(*id);
            });
            query.push(format!(") {PERSONS} asked CROSS JOIN {of} WHERE epoch = "));
            query.push_bind(self.epoch).push(" AND valid_to IS NULL");
            found.extend(self.fetch_persons(connection, query, limit).await?);
        }
        Ok(found)
    }

    /// The first links, in order, that events of these distinct ids carry, and those by which others
    /// name them; some may come twice.
    pub(super) async fn carried(
        &self,
        connection: &mut SqliteConnection,
        distinct_ids: &[&str],
        limit: usize,
    ) -> Result<Vec<Placed>> {
        let mut found = Vec::new();
        for batch in batches(distinct_ids, ROWS) {
            let query = self.facts_asked(batch, FACTS_OF_ID);
            found.extend(fetch_facts(connection, query, limit).await?);
        }
        let kind = kind::DISTINCT_ID;
        found.extend(self.facts_to(connection, kind, distinct_ids, limit).await?);
        Ok(found)
    }

    async fn facts_to(
        &self,
        connection: &mut SqliteConnection,
        kind: i64,
        values: &[&str],
        limit: usize,
    ) -> Result<Vec<Placed>> {
        let mut found = Vec::new();
        for batch in batches(values, ROWS) {
            let mut query = self.facts_asked(batch, FACTS_OF_VALUE);
            query.push(" AND k.kind = ").push_bind(kind);
            found.extend(fetch_facts(connection, query, limit).await?);
        }
        Ok(found)
    }

    /// Facts of these ids, by distinct id or by value.
    fn facts_asked(&self, asked: &[&str], of: &str) -> QueryBuilder<Sqlite> {
        let mut query = self.kinds_named();
        query.push("), asked (id) AS (");
        query.push_values(asked, |mut row, id| {
            row.push_bind(*id);
        });
        self.facts_in(query, &format!("asked CROSS JOIN {of}"))
    }
}
