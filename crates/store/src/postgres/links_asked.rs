//! Links that touch ids that are asked for, many at once.

use std::borrow::Cow;

use domain::identity::IdentityKey;
use domain::storage::Result;
use sqlx::PgConnection;
use uuid::Uuid;

use super::links::{Owner, fetch_facts};
use super::values::text;
use crate::link_rows::{Placed, kind};

/// Facts that lead to another distinct id, as the index of them says it.
const IS_MERGE: &str = "f.property IN (E'\\x01$identify', E'\\x01alias')";

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
            let mut query = self.persons(false);
            query.push(" AND left(distinct_id, 500) = ANY(ARRAY(SELECT left(i, 500) FROM unnest(");
            query.push_bind(&asked.distinct_ids);
            query.push("::text[]) AS i)) AND distinct_id = ANY(");
            query.push_bind(&asked.distinct_ids).push(")");
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
            let mut query = self.facts();
            query.push(" AND f.value = ANY(").push_bind(&asked.values);
            // The condition before follows from this one, and is the one the index can seek by.
            query.push(") AND (f.value, k.kind) IN (SELECT * FROM unnest(");
            query.push_bind(&asked.values).push("::text[], ");
            query.push_bind(&asked.kinds).push("::bigint[]))");
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
        let mut query = self.facts();
        query.push(" AND f.distinct_id = ANY(");
        query.push_bind(distinct_ids.to_vec()).push(")");
        let mut found = fetch_facts(connection, query, limit).await?;
        let mut query = self.facts();
        query
            .push(" AND ")
            .push(IS_MERGE)
            .push(" AND f.value = ANY(");
        query.push_bind(distinct_ids.to_vec()).push(")");
        found.extend(fetch_facts(connection, query, limit).await?);
        Ok(found)
    }
}
