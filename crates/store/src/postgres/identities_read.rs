//! Reading links: person mappings and identity facts side by side, in one order.

use async_trait::async_trait;
use domain::ConnectionId;
use domain::identity::{IdProperty, IdentityKey, IdentityLink};
use domain::storage::{FactChanges, IdentityReader, LinkKey, PersonChange, Result};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Postgres, QueryBuilder};
use std::borrow::Cow;
use uuid::Uuid;

use super::errors::sql;
use super::statement::{built, query, query_scalar};
use super::values::{from_json, get, limit as rows, text, texts};
use super::{PostgresStore, conflicts, fact_changes};
use crate::failures::corrupt;
use crate::link_rows::{
    FactRow, PersonRow, Place, Placed, customer_properties, first_links, kind, kinds_of,
    no_such_place,
};

#[async_trait]
impl IdentityReader for PostgresStore {
    async fn links_of(
        &self,
        connection: ConnectionId,
        keys: &[IdentityKey],
        limit: usize,
    ) -> Result<Vec<IdentityLink>> {
        let mut tx = self.read().await?;
        let Some(owner) = Owner::find(&mut tx, connection).await? else {
            tx.end().await?;
            return Ok(Vec::new());
        };
        let found = owner.touching(&mut tx, &Asked::of(keys), limit).await?;
        tx.end().await?;
        Ok(first_links(found, limit))
    }

    async fn links_carried(
        &self,
        connection: ConnectionId,
        distinct_ids: &[String],
        limit: usize,
    ) -> Result<Vec<IdentityLink>> {
        let mut tx = self.read().await?;
        let Some(owner) = Owner::find(&mut tx, connection).await? else {
            tx.end().await?;
            return Ok(Vec::new());
        };
        let asked = texts(distinct_ids.iter().map(String::as_str));
        let found = owner.carried(&mut tx, &asked, limit).await?;
        tx.end().await?;
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
            tx.end().await?;
            return Ok(Vec::new());
        };
        if let Some(place) = after.as_mut().filter(|place| place.lacks_id()) {
            place.distinct_id = owner.id_of_link(&mut tx, place.link).await?;
        }
        let mut found = owner
            .persons_after(&mut tx, history, after.as_ref(), limit)
            .await?;
        found.extend(owner.facts_after(&mut tx, after.as_ref(), limit).await?);
        tx.end().await?;
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
            tx.end().await?;
            return Ok(Vec::new());
        };
        let customers = customer_properties(&owner.kinds);
        let found = conflicts::list(&mut tx, owner.epoch, &customers, after, limit).await?;
        tx.end().await?;
        Ok(found)
    }

    async fn person_changes(
        &self,
        connection: ConnectionId,
        seq: i64,
        limit: usize,
    ) -> Result<Vec<PersonChange>> {
        let mut tx = self.read().await?;
        let found = match Owner::find(&mut tx, connection).await? {
            Some(owner) => owner.changes_after(&mut tx, seq, limit).await?,
            None => Vec::new(),
        };
        tx.end().await?;
        Ok(found)
    }

    async fn fact_changes(
        &self,
        connection: ConnectionId,
        seq: i64,
        limit: usize,
    ) -> Result<FactChanges> {
        let mut tx = self.read().await?;
        let found = match Owner::find(&mut tx, connection).await? {
            Some(owner) => fact_changes::after(&mut tx, &owner, seq, limit).await?,
            None => FactChanges::default(),
        };
        tx.end().await?;
        Ok(found)
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

/// Keys by what is looked up for them.
#[derive(Default)]
struct Asked<'a> {
    distinct_ids: Vec<Cow<'a, str>>,
    persons: Vec<Uuid>,
    /// The values of facts and what kind each is.
    values: Vec<Cow<'a, str>>,
    kinds: Vec<i64>,
}

impl<'a> Asked<'a> {
    fn of(keys: &'a [IdentityKey]) -> Self {
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

const PERSONS: &str = "SELECT link, distinct_id, person_id, valid_from, valid_to, last_seen, change_seq FROM person_links";

/// Facts that lead to another distinct id, as the index of them says it.
const IS_MERGE: &str = "f.property IN (E'\\x01$identify', E'\\x01alias')";

/// The columns that [`decode_fact`] reads, of `identity_facts AS f` and the kinds of properties.
pub(super) const FACT: &str =
    "SELECT f.distinct_id, k.kind, f.value, f.property, f.first_seen, f.last_seen";

impl Owner {
    async fn find(connection: &mut PgConnection, id: ConnectionId) -> Result<Option<Self>> {
        let Some(row) = query(
            "SELECT number, change_seq, persons_read_at, id_properties FROM epochs WHERE id = $1",
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
    async fn carried(
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

    async fn persons_after(
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

    async fn facts_after(
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

    async fn id_of_link(&self, connection: &mut PgConnection, link: i64) -> Result<String> {
        query_scalar("SELECT distinct_id FROM person_links WHERE link = $1 AND epoch = $2")
            .bind(link)
            .bind(self.epoch)
            .fetch_optional(connection)
            .await
            .map_err(sql)?
            .ok_or_else(no_such_place)
    }

    async fn changes_after(
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

    fn persons(&self, history: bool) -> QueryBuilder<Postgres> {
        let mut query = QueryBuilder::new(PERSONS);
        query.push(" WHERE epoch = ").push_bind(self.epoch);
        if !history {
            query.push(" AND valid_to IS NULL");
        }
        query
    }

    fn facts(&self) -> QueryBuilder<Postgres> {
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

    async fn fetch_persons(
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

async fn fetch_facts(
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
