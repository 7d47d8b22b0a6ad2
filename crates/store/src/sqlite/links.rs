//! Links of an epoch as rows: in their order, after a place, and as they change.

use domain::ConnectionId;
use domain::identity::IdProperty;
use domain::storage::{PersonChange, Result};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};
use uuid::Uuid;

use super::errors::{corrupt, sql};
use super::values::{from_json, get, limit as rows};
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

pub(super) const PERSONS: &str =
    "SELECT link, distinct_id, person_id, valid_from, valid_to, last_seen, change_seq FROM";

const FACTS: &str =
    "SELECT f.distinct_id, k.kind, f.value, f.property, f.first_seen, f.last_seen FROM";

impl Owner {
    pub(super) async fn find(
        connection: &mut SqliteConnection,
        id: ConnectionId,
    ) -> Result<Option<Self>> {
        let Some(row) = sqlx::query(
            "SELECT number, change_seq, facts_known_from, persons_read_at, id_properties FROM epochs WHERE id = ?",
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
        connection: &mut SqliteConnection,
        history: bool,
        after: Option<&Place>,
        limit: usize,
    ) -> Result<Vec<Placed>> {
        let mut query = self.persons(history);
        match after {
            None => {}
            // Other distinct ids of a distinct id come before its persons, all else after them.
            Some(place) if place.kind < kind::PERSON => {
                query
                    .push(" AND distinct_id >= ")
                    .push_bind(&place.distinct_id);
            }
            Some(place) if place.kind > kind::PERSON => {
                query
                    .push(" AND distinct_id > ")
                    .push_bind(&place.distinct_id);
            }
            Some(place) => {
                let person_id = Uuid::try_parse(&place.value).map_err(corrupt)?;
                query.push(" AND (distinct_id, person_id, link) > (");
                query.push_bind(&place.distinct_id).push(", ");
                query.push_bind(person_id).push(", ");
                query.push_bind(place.link).push(")");
            }
        }
        self.fetch_persons(connection, query, limit).await
    }

    pub(super) async fn facts_after(
        &self,
        connection: &mut SqliteConnection,
        after: Option<&Place>,
        limit: usize,
    ) -> Result<Vec<Placed>> {
        let mut query = self.facts();
        if let Some(place) = after {
            // The first condition follows from the second, and is the one the index can seek by.
            query
                .push(" AND f.distinct_id >= ")
                .push_bind(&place.distinct_id);
            query.push(" AND (f.distinct_id, k.kind, f.value, f.property) > (");
            query.push_bind(&place.distinct_id).push(", ");
            query.push_bind(place.kind).push(", ");
            query.push_bind(&place.value).push(", ");
            query.push_bind(&place.property).push(")");
        }
        fetch_facts(connection, query, limit).await
    }

    pub(super) async fn id_of_link(
        &self,
        connection: &mut SqliteConnection,
        link: i64,
    ) -> Result<String> {
        sqlx::query_scalar("SELECT distinct_id FROM person_links WHERE link = ? AND epoch = ?")
            .bind(link)
            .bind(self.epoch)
            .fetch_optional(connection)
            .await
            .map_err(sql)?
            .ok_or_else(no_such_place)
    }

    pub(super) async fn changes_after(
        &self,
        connection: &mut SqliteConnection,
        seq: i64,
        limit: usize,
    ) -> Result<Vec<PersonChange>> {
        let mut query = self.persons(true);
        query.push(" AND change_seq > ").push_bind(seq);
        query.push(" ORDER BY change_seq LIMIT ");
        query.push_bind(rows(limit));
        query
            .build()
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

    pub(super) fn persons(&self, history: bool) -> QueryBuilder<Sqlite> {
        let mut query = QueryBuilder::new(PERSONS);
        query.push(" person_links WHERE epoch = ");
        query.push_bind(self.epoch);
        if !history {
            query.push(" AND valid_to IS NULL");
        }
        query
    }

    /// All facts, with what their properties name.
    pub(super) fn facts(&self) -> QueryBuilder<Sqlite> {
        self.facts_in(self.kinds_named(), "identity_facts AS f")
    }

    /// The beginning of a statement that knows what properties name.
    pub(super) fn kinds_named(&self) -> QueryBuilder<Sqlite> {
        let mut query = QueryBuilder::new("WITH kinds (property, kind) AS (");
        query.push_values(&self.kinds, |mut row, (property, kind)| {
            row.push_bind(property).push_bind(kind);
        });
        query
    }

    pub(super) fn facts_in(
        &self,
        mut query: QueryBuilder<Sqlite>,
        table: &str,
    ) -> QueryBuilder<Sqlite> {
        query.push(format!(
            ") {FACTS} {table} CROSS JOIN kinds AS k ON k.property = f.property WHERE f.epoch = "
        ));
        query.push_bind(self.epoch);
        query
    }

    pub(super) async fn fetch_persons(
        &self,
        connection: &mut SqliteConnection,
        mut query: QueryBuilder<Sqlite>,
        limit: usize,
    ) -> Result<Vec<Placed>> {
        query.push(" ORDER BY distinct_id, person_id, link LIMIT ");
        query.push_bind(rows(limit));
        query
            .build()
            .fetch_all(connection)
            .await
            .map_err(sql)?
            .iter()
            .map(|row| self.decode_person(row))
            .collect()
    }

    fn decode_person(&self, row: &SqliteRow) -> Result<Placed> {
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

/// Reads facts in their order.
pub(super) async fn fetch_facts(
    connection: &mut SqliteConnection,
    mut query: QueryBuilder<Sqlite>,
    limit: usize,
) -> Result<Vec<Placed>> {
    query.push(" ORDER BY f.distinct_id, k.kind, f.value, f.property LIMIT ");
    query.push_bind(rows(limit));
    query
        .build()
        .fetch_all(connection)
        .await
        .map_err(sql)?
        .iter()
        .map(decode_fact)
        .collect()
}

/// Reads a row of [`Owner::facts`].
pub(super) fn decode_fact(row: &SqliteRow) -> Result<Placed> {
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
