//! Links that touch ids that are asked for, many at once.

use std::borrow::Cow;
use std::collections::BTreeMap;

use domain::identity::IdentityKey;
use domain::storage::Result;
use sqlx::{Encode, PgConnection, Postgres, QueryBuilder, Type};
use uuid::Uuid;

use super::links::{FACT, Owner, fetch_facts};
use super::values::text;
use crate::link_rows::{Placed, kind};

// A list that is looked up comes out of a SELECT of its own, so that the planner takes it for short. Of
// the thousands that there may be it would rather read the whole table, and compare each row with all.

/// Facts that lead to another distinct id, as the index of them says it.
const MERGED: &str = "f.property IN (E'\\x01$identify', E'\\x01alias') AND f.value";

/// From so many bytes on a distinct id may have more characters than its index compares.
const LONG: usize = 500;

/// Keys by what is looked up for them.
#[derive(Default)]
pub(super) struct Asked<'a> {
    distinct_ids: Vec<Cow<'a, str>>,
    persons: Vec<Uuid>,
    /// The values of facts, by their kind.
    values: BTreeMap<i64, Vec<Cow<'a, str>>>,
}

impl<'a> Asked<'a> {
    pub(super) fn of(keys: &'a [IdentityKey]) -> Self {
        let mut asked = Self::default();
        for key in keys {
            let (kind, value) = match key {
                IdentityKey::DistinctId(id) => {
                    asked.distinct_ids.push(text(id));
                    continue;
                }
                IdentityKey::Person(id) => {
                    asked.persons.push(*id);
                    continue;
                }
                IdentityKey::CustomerId(value) => (kind::CUSTOMER, value),
                IdentityKey::AnonymousId(value) => (kind::ANONYMOUS, value),
                IdentityKey::Email(value) => (kind::EMAIL, value),
            };
            asked.values.entry(kind).or_default().push(text(value));
        }
        asked
    }
}

impl Owner {
    /// The first current links, in order, that touch what is asked for; some may come twice.
    pub(super) async fn touching(
        &self,
        connection: &mut PgConnection,
        asked: &Asked<'_>,
        limit: usize,
    ) -> Result<Vec<Placed>> {
        let mut found = Vec::new();
        if !asked.distinct_ids.is_empty() {
            found.extend(self.persons_of(connection, asked, limit).await?);
            found.extend(self.carried(connection, &asked.distinct_ids, limit).await?);
        }
        if !asked.persons.is_empty() {
            let mut query = self.persons(false);
            query.push(" AND ");
            push_any(&mut query, "person_id", &asked.persons, "uuid[]");
            found.extend(self.fetch_persons(connection, query, limit).await?);
        }
        for (kind, values) in &asked.values {
            let mut query = self.facts_of("f.value", values);
            query.push(" WHERE k.kind = ").push_bind(kind);
            found.extend(fetch_facts(connection, query, limit).await?);
        }
        Ok(found)
    }

    /// The links of the distinct ids that are asked for to their persons.
    async fn persons_of(
        &self,
        connection: &mut PgConnection,
        asked: &Asked<'_>,
        limit: usize,
    ) -> Result<Vec<Placed>> {
        let ids = asked.distinct_ids.iter().map(|id| &**id);
        let (long, short): (Vec<&str>, Vec<&str>) = ids.partition(|id| id.len() >= LONG);
        let mut found = Vec::new();
        if !short.is_empty() {
            // Who begins with one of these is that one.
            let mut query = self.persons(false);
            query.push(" AND ");
            push_any(&mut query, "left(distinct_id, 500)", &short, "text[]");
            found.extend(self.fetch_persons(connection, query, limit).await?);
        }
        if !long.is_empty() {
            let mut query = QueryBuilder::new("SELECT p.* FROM (SELECT DISTINCT * FROM unnest(");
            query.push_bind(&long);
            query.push("::text[]) AS i) AS u (id) CROSS JOIN LATERAL (");
            self.push_persons(&mut query, false);
            query.push(
                " AND left(distinct_id, 500) = left(u.id, 500)
                    AND hashtextextended(distinct_id, 0) = hashtextextended(u.id, 0)
                    AND distinct_id = u.id OFFSET 0) AS p",
            );
            found.extend(self.fetch_persons(connection, query, limit).await?);
        }
        Ok(found)
    }

    /// The first links, in order, that events of these distinct ids carry, and those by which others
    /// name them; some may come twice.
    pub(super) async fn carried(
        &self,
        connection: &mut PgConnection,
        distinct_ids: &[Cow<'_, str>],
        limit: usize,
    ) -> Result<Vec<Placed>> {
        let query = self.facts_of("f.distinct_id", distinct_ids);
        let mut found = fetch_facts(connection, query, limit).await?;
        let query = self.facts_of(MERGED, distinct_ids);
        found.extend(fetch_facts(connection, query, limit).await?);
        Ok(found)
    }

    /// Facts of which a column is any of these texts. They are found before it is asked what they name,
    /// or they would be looked for once for each kind.
    fn facts_of(&self, column: &str, texts: &[Cow<'_, str>]) -> QueryBuilder<Postgres> {
        let mut query = QueryBuilder::new(FACT);
        query.push(" FROM (SELECT * FROM identity_facts AS f WHERE f.epoch = ");
        query.push_bind(self.epoch).push(" AND ");
        push_any(&mut query, column, texts, "text[]");
        query.push(" OFFSET 0) AS f");
        self.join_kinds(&mut query);
        query
    }
}

/// Adds that a column is any of a list, of this type in SQL.
fn push_any<'a, T>(query: &mut QueryBuilder<Postgres>, column: &str, list: &'a [T], of: &str)
where
    &'a [T]: Encode<'a, Postgres> + Type<Postgres>,
{
    query.push(column).push(" = ANY((SELECT ").push_bind(list);
    query.push(format!("::{of})::{of})"));
}
