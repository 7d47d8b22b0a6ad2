//! Reading links: person mappings and identity facts side by side, in one order.

use async_trait::async_trait;
use domain::ConnectionId;
use domain::identity::{IdProperty, IdentityKey, IdentityLink};
use domain::storage::{FactChanges, IdentityReader, LinkKey, PersonChange, Result};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};
use uuid::Uuid;

use super::errors::{corrupt, sql};
use super::values::{from_json, get, limit as rows};
use super::{SqliteStore, conflicts, fact_changes};
use crate::link_rows::{
    FactRow, PersonRow, Place, Placed, customer_properties, first_links, kind, kinds_of,
    no_such_place,
};

#[async_trait]
impl IdentityReader for SqliteStore {
    async fn links_of(
        &self,
        connection: ConnectionId,
        keys: &[IdentityKey],
        limit: usize,
    ) -> Result<Vec<IdentityLink>> {
        let mut tx = self.read().await?;
        let Some(epoch) = Owner::find(&mut tx, connection).await? else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for key in keys {
            found.extend(epoch.touching(&mut tx, key, limit).await?);
        }
        Ok(first_links(found, limit))
    }

    async fn links_carried(
        &self,
        connection: ConnectionId,
        distinct_ids: &[String],
        limit: usize,
    ) -> Result<Vec<IdentityLink>> {
        let mut tx = self.read().await?;
        let Some(epoch) = Owner::find(&mut tx, connection).await? else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for distinct_id in distinct_ids {
            found.extend(epoch.carried(&mut tx, distinct_id, limit).await?);
        }
        Ok(first_links(found, limit))
    }

    async fn links(
        &self,
        connection: ConnectionId,
        history: bool,
        after: Option<&LinkKey>,
        limit: usize,
    ) -> Result<Vec<(LinkKey, IdentityLink)>> {
        let mut after = after.map(Place::of).transpose()?;
        let mut tx = self.read().await?;
        let Some(owner) = Owner::find(&mut tx, connection).await? else {
            return Ok(Vec::new());
        };
        if let Some(place) = after.as_mut().filter(|place| place.lacks_id()) {
            place.distinct_id = owner.id_of_link(&mut tx, place.link).await?;
        }
        let mut found = owner
            .persons_after(&mut tx, history, after.as_ref(), limit)
            .await?;
        found.extend(owner.facts_after(&mut tx, after.as_ref(), limit).await?);
        found.sort();
        found.truncate(limit);
        found
            .into_iter()
            .map(|(place, link)| Ok((place.key()?, link)))
            .collect()
    }

    async fn persons_of_several_customers(
        &self,
        connection: ConnectionId,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Uuid>> {
        let mut tx = self.read().await?;
        let Some(owner) = Owner::find(&mut tx, connection).await? else {
            return Ok(Vec::new());
        };
        let customers = customer_properties(&owner.kinds);
        conflicts::list(&mut tx, owner.epoch, &customers, after, limit).await
    }

    async fn person_changes(
        &self,
        connection: ConnectionId,
        seq: i64,
        limit: usize,
    ) -> Result<Vec<PersonChange>> {
        let mut tx = self.read().await?;
        let Some(owner) = Owner::find(&mut tx, connection).await? else {
            return Ok(Vec::new());
        };
        owner.changes_after(&mut tx, seq, limit).await
    }

    async fn fact_changes(
        &self,
        connection: ConnectionId,
        seq: i64,
        limit: usize,
    ) -> Result<FactChanges> {
        let mut tx = self.read().await?;
        let Some(owner) = Owner::find(&mut tx, connection).await? else {
            return Ok(FactChanges::default());
        };
        fact_changes::after(&mut tx, &owner, seq, limit).await
    }
}

/// The epoch whose links are read.
pub(super) struct Owner {
    pub(super) epoch: i64,
    /// The last change number given to its events.
    pub(super) change_seq: i64,
    /// When every mapping was last read: the last sight of each current link.
    persons_read_at: Option<i64>,
    /// What each property names. One property may name both.
    pub(super) kinds: Vec<(String, i64)>,
}

const PERSONS: &str = "SELECT link, distinct_id, person_id, valid_from, valid_to, last_seen, change_seq FROM person_links";

const FACTS: &str =
    "SELECT f.distinct_id, k.kind, f.value, f.property, f.first_seen, f.last_seen FROM";

/// All facts, in their own order.
const IN_ORDER: &str = "identity_facts AS f";

/// Facts of one value. Left to itself the planner reads all of the epoch's, to save the few that are
/// found from being put in order.
const OF_VALUE: &str = "identity_facts AS f INDEXED BY identity_facts_by_value";

impl Owner {
    async fn find(connection: &mut SqliteConnection, id: ConnectionId) -> Result<Option<Self>> {
        let Some(row) = sqlx::query(
            "SELECT number, change_seq, persons_read_at, id_properties FROM epochs WHERE id = ?",
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
            persons_read_at: get(&row, "persons_read_at")?,
            kinds: kinds_of(properties),
        }))
    }

    /// The first current links, in order, that touch `key`.
    async fn touching(
        &self,
        connection: &mut SqliteConnection,
        key: &IdentityKey,
        limit: usize,
    ) -> Result<Vec<Placed>> {
        match key {
            IdentityKey::DistinctId(distinct_id) => {
                let mut query = self.persons(false);
                query.push(" AND distinct_id = ").push_bind(distinct_id);
                let mut found = self.fetch_persons(connection, query, limit).await?;
                found.extend(self.carried(connection, distinct_id, limit).await?);
                Ok(found)
            }
            IdentityKey::Person(person_id) => {
                let mut query = self.persons(false);
                query.push(" AND person_id = ").push_bind(*person_id);
                self.fetch_persons(connection, query, limit).await
            }
            IdentityKey::CustomerId(value) => {
                self.facts_to(connection, kind::CUSTOMER, value, limit)
                    .await
            }
            IdentityKey::AnonymousId(value) => {
                self.facts_to(connection, kind::ANONYMOUS, value, limit)
                    .await
            }
            IdentityKey::Email(value) => self.facts_to(connection, kind::EMAIL, value, limit).await,
        }
    }

    /// The first links that events of a distinct id carry, and those by which others name it.
    async fn carried(
        &self,
        connection: &mut SqliteConnection,
        distinct_id: &str,
        limit: usize,
    ) -> Result<Vec<Placed>> {
        let mut query = self.facts();
        query.push(" AND f.distinct_id = ").push_bind(distinct_id);
        let mut found = fetch_facts(connection, query, limit).await?;
        let kind = kind::DISTINCT_ID;
        found.extend(self.facts_to(connection, kind, distinct_id, limit).await?);
        Ok(found)
    }

    async fn facts_to(
        &self,
        connection: &mut SqliteConnection,
        kind: i64,
        value: &str,
        limit: usize,
    ) -> Result<Vec<Placed>> {
        let mut query = self.facts_in(OF_VALUE);
        query.push(" AND f.value = ").push_bind(value);
        query.push(" AND k.kind = ").push_bind(kind);
        fetch_facts(connection, query, limit).await
    }

    async fn persons_after(
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

    async fn facts_after(
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

    async fn id_of_link(&self, connection: &mut SqliteConnection, link: i64) -> Result<String> {
        sqlx::query_scalar("SELECT distinct_id FROM person_links WHERE link = ? AND epoch = ?")
            .bind(link)
            .bind(self.epoch)
            .fetch_optional(connection)
            .await
            .map_err(sql)?
            .ok_or_else(no_such_place)
    }

    async fn changes_after(
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

    fn persons(&self, history: bool) -> QueryBuilder<Sqlite> {
        let mut query = QueryBuilder::new(PERSONS);
        query.push(" WHERE epoch = ").push_bind(self.epoch);
        if !history {
            query.push(" AND valid_to IS NULL");
        }
        query
    }

    /// All facts, with what their properties name.
    pub(super) fn facts(&self) -> QueryBuilder<Sqlite> {
        self.facts_in(IN_ORDER)
    }

    fn facts_in(&self, table: &str) -> QueryBuilder<Sqlite> {
        let mut query = QueryBuilder::new("WITH kinds (property, kind) AS (");
        query.push_values(&self.kinds, |mut row, (property, kind)| {
            row.push_bind(property).push_bind(kind);
        });
        query.push(format!(
            ") {FACTS} {table} CROSS JOIN kinds AS k ON k.property = f.property WHERE f.epoch = "
        ));
        query.push_bind(self.epoch);
        query
    }

    async fn fetch_persons(
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

async fn fetch_facts(
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
