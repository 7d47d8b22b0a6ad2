//! Links that touch ids that are asked for, many at once.

use std::borrow::Cow;

use domain::identity::IdentityKey;
use domain::storage::Result;
use sqlx::{PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use super::links::{FACT, Owner, fetch_facts};
use super::values::text;
use crate::link_rows::{Placed, kind};

/// Facts that lead to another distinct id, as the index of them says it.
const IS_MERGE_OF: &str = "f.property IN (E'\\x01$identify', E'\\x01alias') AND f.value = u.id";

/// Keys by what is looked up for them.
#[derive(Default)]
pub(super) struct Asked<'a> {
    distinct_ids: Vec<Cow<'a, str>>,
    persons: Vec<Uuid>,
    /// The values of facts and what kind each is.
    values: Vec<Cow<'a, str>>,
    kinds: Vec<i64>,
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
            asked.kinds.push(kind);
            asked.values.push(text(value));
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
            let mut query = QueryBuilder::new("SELECT p.* FROM (SELECT DISTINCT * FROM unnest(");
            query.push_bind(&asked.distinct_ids);
            query.push("::text[]) AS i) AS u (id) CROSS JOIN LATERAL (");
            self.push_persons(&mut query, false);
            query.push(
                " AND left(distinct_id, 500) = left(u.id, 500)
                    AND hashtextextended(distinct_id, 0) = hashtextextended(u.id, 0)
                    AND distinct_id = u.id OFFSET 0) AS p",
            );
            found.extend(self.fetch_persons(connection, query, limit).await?);
            found.extend(self.carried(connection, &asked.distinct_ids, limit).await?);
        }
        if !asked.persons.is_empty() {
            let mut query = self.persons(false);
            query.push(" AND person_id = ANY(");
            query.push_bind(&asked.persons).push(")");
            found.extend(self.fetch_persons(connection, query, limit).await?);
        }
        if !asked.values.is_empty() {
            let mut query = self.facts_of("f.value = u.id", |query| {
                query.push_bind(&asked.values).push("::text[], ");
                query
                    .push_bind(&asked.kinds)
                    .push("::bigint[]) AS i) AS u (id, kind)");
            });
            query.push(" WHERE k.kind = u.kind");
            found.extend(fetch_facts(connection, query, limit).await?);
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
        let mut found = Vec::new();
        for of in ["f.distinct_id = u.id", IS_MERGE_OF] {
            let query = self.facts_of(of, |query| {
                query.push_bind(distinct_ids);
                query.push("::text[]) AS i) AS u (id)");
            });
            found.extend(fetch_facts(connection, query, limit).await?);
        }
        Ok(found)
    }

    /// Facts of each of the ids that `push_ids` unnests as `u`. Each is looked up by itself: asked for all
    /// at once, a planner that takes them for many reads the whole table, and for each row of it hashes.
    fn facts_of(
        &self,
        of: &str,
        push_ids: impl FnOnce(&mut QueryBuilder<Postgres>),
    ) -> QueryBuilder<Postgres> {
        let mut query = QueryBuilder::new(FACT);
        // What is asked for twice would take the place of others.
        query.push(" FROM (SELECT DISTINCT * FROM unnest(");
        push_ids(&mut query);
        query.push(" CROSS JOIN LATERAL (SELECT * FROM identity_facts AS f WHERE f.epoch = ");
        query.push_bind(self.epoch);
        query.push(format!(" AND {of} OFFSET 0) AS f"));
        self.join_kinds(&mut query);
        query
    }
}
