//! Reading links: person mappings and identity facts side by side, in one order.

use async_trait::async_trait;
use domain::ConnectionId;
use domain::identity::{IdentityKey, IdentityLink};
use domain::storage::{FactChanges, IdentityReader, LinkKey, PersonChange, Result};
use uuid::Uuid;

use super::links::Owner;
use super::links_asked::Asked;
use super::values::texts;
use super::{PostgresStore, conflicts, fact_changes};
use crate::link_rows::{Place, customer_properties, first_links};

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
