//! Links of an epoch as rows: in their order, after a place, and as they change.

use domain::ConnectionId;
use domain::identity::IdProperty;
use domain::storage::{PersonChange, Result};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use super::errors::sql;
use super::statement::{built, query, query_scalar};
use super::values::{from_json, get, limit as rows, text, texts};
use crate::failures::corrupt;
use crate::link_rows::{FactRow, PersonRow, Place, Placed, kind, kinds_of, no_such_place};

/// The epoch whose links are read.
pub(super) struct Owner {
    pub(super) epoch: i64,
    /// The last change number given to its events.
    pub(super) change_seq: i64,
    /// Up to this change number it is not known what has gone.
    pub(super) facts_known_from: i64,
    /// When every mapping was last read: the last sight of each current link.
    persons_read_at: Option<i64>,
    /// What each property names. One property may name both.
    pub(super) kinds: Vec<(String, i64)>,
}

const PERSONS: &str = "SELECT link, distinct_id, person_id, valid_from, valid_to, last_seen, change_seq FROM person_links";

/// The columns that [`decode_fact`] reads, of `identity_facts AS f` and the kinds of properties.
pub(super) const FACT: &str =
    "SELECT f.distinct_id, k.kind, f.value, f.property, f.first_seen, f.last_seen";

impl Owner {
    pub(super) async fn find(
        connection: &mut PgConnection,
        id: ConnectionId,
    ) -> Result<Option<Self>> {
        let Some(row) = query(
            "SELECT number, change_seq, facts_known_from, persons_read_at, id_properties FROM epochs WHERE id = $1",
        )
        .bind(id.0)
        .fetch_optional(connection)
        .await
        .map_err(sql)?
        else {
            return Ok(None);
        };
        let properties: Vec<IdProperty> = from_json(get(&row, "id_properties")?)?;
        Ok(Some(Self {
            epoch: get(&row, "number")?,
            change_seq: get(&row, "change_seq")?,
            facts_known_from: get(&row, "facts_known_from")?,
            persons_read_at: get(&row, "persons_read_at")?,
            kinds: kinds_of(properties),
        }))
    }

    pub(super) async fn persons_after(
        &self,
        connection: &mut PgConnection,
        history: bool,
        after: Option<&Place>,
        limit: usize,
    ) -> Result<Vec<Placed>> {
        let mut query = self.persons(history);
        match after {
            None => {}
            // Other distinct ids of a distinct id come before its persons, all else after them.
            Some(place) if place.kind < kind::PERSON => {
                seek(&mut query, &place.distinct_id);
                query.push(" AND distinct_id >= ");
                query.push_bind(text(&place.distinct_id).into_owned());
            }
            Some(place) if place.kind > kind::PERSON => {
                seek(&mut query, &place.distinct_id);
                query.push(" AND distinct_id > ");
                query.push_bind(text(&place.distinct_id).into_owned());
            }
            Some(place) => {
                let person_id = Uuid::try_parse(&place.value).map_err(corrupt)?;
                seek(&mut query, &place.distinct_id);
                query.push(" AND (distinct_id, person_id, link) > (");
                query.push_bind(text(&place.distinct_id).into_owned());
                query.push(", ").push_bind(person_id).push(", ");
                query.push_bind(place.link).push(")");
            }
        }
        self.fetch_persons(connection, query, limit).await
    }

    pub(super) async fn facts_after(
        &self,
        connection: &mut PgConnection,
        after: Option<&Place>,
        limit: usize,
    ) -> Result<Vec<Placed>> {
        let mut query = self.facts();
        if let Some(place) = after {
            let own = |part: &str| text(part).into_owned();
            // The first condition follows from the second, and is the one the index can seek by.
            query.push(" AND f.distinct_id >= ");
            query.push_bind(own(&place.distinct_id));
            query.push(" AND (f.distinct_id, k.kind, f.value, f.property) > (");
            query.push_bind(own(&place.distinct_id)).push(", ");
            query.push_bind(place.kind).push(", ");
            query.push_bind(own(&place.value)).push(", ");
            query.push_bind(own(&place.property)).push(")");
        }
        fetch_facts(connection, query, limit).await
    }

    pub(super) async fn id_of_link(
        &self,
        connection: &mut PgConnection,
        link: i64,
    ) -> Result<String> {
        query_scalar("SELECT distinct_id FROM person_links WHERE link = $1 AND epoch = $2")
            .bind(link)
            .bind(self.epoch)
            .fetch_optional(connection)
            .await
            .map_err(sql)?
            .ok_or_else(no_such_place)
    }

    pub(super) async fn changes_after(
        &self,
        connection: &mut PgConnection,
        seq: i64,
        limit: usize,
    ) -> Result<Vec<PersonChange>> {
        let mut query = self.persons(true);
        query.push(" AND change_seq > ").push_bind(seq);
        query.push(" ORDER BY change_seq LIMIT ");
        query.push_bind(rows(limit));
        built(&mut query)
            .fetch_all(connection)
            .await
            .map_err(sql)?
            .iter()
            .map(|row| {
                let (_, link) = self.decode_person(row)?;
                let seq = get(row, "change_seq")?;
                Ok(PersonChange { seq, link })
            })
            .collect()
    }

    pub(super) fn persons(&self, history: bool) -> QueryBuilder<Postgres> {
        let mut query = QueryBuilder::default();
        self.push_persons(&mut query, history);
        query
    }

    /// Adds the statement of [`Owner::persons`].
    pub(super) fn push_persons(&self, query: &mut QueryBuilder<Postgres>, history: bool) {
        query
            .push(PERSONS)
            .push(" WHERE epoch = ")
            .push_bind(self.epoch);
        if !history {
            query.push(" AND valid_to IS NULL");
        }
    }

    pub(super) fn facts(&self) -> QueryBuilder<Postgres> {
        let mut query = QueryBuilder::new(FACT);
        query.push(" FROM identity_facts AS f");
        self.join_kinds(&mut query);
        query.push(" WHERE f.epoch = ");
        query.push_bind(self.epoch);
        query
    }

    /// Joins to `identity_facts AS f` what its property names.
    pub(super) fn join_kinds(&self, query: &mut QueryBuilder<Postgres>) {
        let (properties, kinds): (Vec<&str>, Vec<i64>) = self
            .kinds
            .iter()
            .map(|(property, kind)| (property.as_str(), *kind))
            .unzip();
        query.push(" JOIN unnest(");
        query.push_bind(texts(properties)).push("::text[], ");
        query.push_bind(kinds);
        query.push("::bigint[]) AS k (property, kind) ON k.property = f.property");
    }

    pub(super) async fn fetch_persons(
        &self,
        connection: &mut PgConnection,
        mut query: QueryBuilder<Postgres>,
        limit: usize,
    ) -> Result<Vec<Placed>> {
        query.push(" ORDER BY left(distinct_id, 500), distinct_id, person_id, link LIMIT ");
        query.push_bind(rows(limit));
        built(&mut query)
            .fetch_all(connection)
            .await
            .map_err(sql)?
            .iter()
            .map(|row| self.decode_person(row))
            .collect()
    }

    fn decode_person(&self, row: &PgRow) -> Result<Placed> {
        PersonRow {
            link: get(row, "link")?,
            distinct_id: get(row, "distinct_id")?,
            person_id: get(row, "person_id")?,
            valid_from: get(row, "valid_from")?,
            valid_to: get(row, "valid_to")?,
            last_seen: get(row, "last_seen")?,
        }
        .placed(self.persons_read_at)
    }
}

/// Leads to the place in the index from which links of `distinct_id` and those after it lie.
fn seek(query: &mut QueryBuilder<Postgres>, distinct_id: &str) {
    query.push(" AND left(distinct_id, 500) >= left(");
    query.push_bind(text(distinct_id).into_owned());
    query.push(", 500)");
}

/// Reads facts in their order.
pub(super) async fn fetch_facts(
    connection: &mut PgConnection,
    mut query: QueryBuilder<Postgres>,
    limit: usize,
) -> Result<Vec<Placed>> {
    query.push(" ORDER BY f.distinct_id, k.kind, f.value, f.property LIMIT ");
    query.push_bind(rows(limit));
    built(&mut query)
        .fetch_all(connection)
        .await
        .map_err(sql)?
        .iter()
        .map(decode_fact)
        .collect()
}

/// Reads a row of [`FACT`].
pub(super) fn decode_fact(row: &PgRow) -> Result<Placed> {
    FactRow {
        distinct_id: get(row, "distinct_id")?,
        kind: get(row, "kind")?,
        value: get(row, "value")?,
        property: get(row, "property")?,
        first_seen: get(row, "first_seen")?,
        last_seen: get(row, "last_seen")?,
    }
    .placed()
}
