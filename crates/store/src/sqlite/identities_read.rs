//! Reading links: person mappings and identity facts side by side, in one order.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use domain::ConnectionId;
use domain::identity::{IdProperty, IdentityKey, IdentityLink};
use domain::storage::{FactChanges, IdentityReader, LinkKey, PersonChange, Result};
use sqlx::sqlite::SqliteRow;
use sqlx::{Encode, QueryBuilder, Sqlite, SqliteConnection, Type};
use uuid::Uuid;

use super::errors::{corrupt, sql};
use super::rows::batches;
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
        let found = epoch.touching(&mut tx, &Asked::of(keys), limit).await?;
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
        let asked: BTreeSet<&str> = distinct_ids.iter().map(String::as_str).collect();
        let asked: Vec<&str> = asked.into_iter().collect();
        let found = epoch.carried(&mut tx, &asked, limit).await?;
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

/// Keys by what is looked up for them, each once: what comes twice would take the place of others.
#[derive(Default)]
struct Asked<'a> {
    distinct_ids: BTreeSet<&'a str>,
    persons: BTreeSet<Uuid>,
    /// The values of facts, by their kind.
    values: BTreeMap<i64, BTreeSet<&'a str>>,
}

impl<'a> Asked<'a> {
    fn of(keys: &'a [IdentityKey]) -> Self {
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

/// Ids looked up with one statement.
const ROWS: usize = 256;

const PERSONS: &str =
    "SELECT link, distinct_id, person_id, valid_from, valid_to, last_seen, change_seq FROM";

const FACTS: &str =
    "SELECT f.distinct_id, k.kind, f.value, f.property, f.first_seen, f.last_seen FROM";

// Whatever is asked for is looked up one by one, in an index that is named: left to itself the planner
// reads all rows of the epoch, to save the few that are found from being put in order.

/// Links of distinct ids.
const LINKS_OF_ID: &str =
    "person_links INDEXED BY person_links_current ON distinct_id = asked.id";
/// Links to persons.
const LINKS_OF_PERSON: &str =
    "person_links INDEXED BY person_links_of_person ON person_id = asked.id";
/// Facts of distinct ids.
const FACTS_OF_ID: &str = "identity_facts AS f ON f.distinct_id = asked.id";
/// Facts of values.
const FACTS_OF_VALUE: &str =
    "identity_facts AS f INDEXED BY identity_facts_by_value ON f.value = asked.id";

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

    /// The first current links, in order, that touch what is asked for; some may come twice.
    async fn touching(
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
    async fn carried(
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

    /// Facts of these ids, by distinct id or by value.
    fn facts_asked(&self, asked: &[&str], of: &str) -> QueryBuilder<Sqlite> {
        let mut query = self.kinds_named();
        query.push("), asked (id) AS (");
        query.push_values(asked, |mut row, id| {
            row.push_bind(*id);
        });
        self.facts_in(query, &format!("asked CROSS JOIN {of}"))
    }

    /// The beginning of a statement that knows what properties name.
    fn kinds_named(&self) -> QueryBuilder<Sqlite> {
        let mut query = QueryBuilder::new("WITH kinds (property, kind) AS (");
        query.push_values(&self.kinds, |mut row, (property, kind)| {
            row.push_bind(property).push_bind(kind);
        });
        query
    }

    fn facts_in(&self, mut query: QueryBuilder<Sqlite>, table: &str) -> QueryBuilder<Sqlite> {
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
