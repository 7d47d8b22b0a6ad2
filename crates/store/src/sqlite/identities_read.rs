//! Reading links: person mappings and identity facts side by side, in one order.

use std::collections::BTreeSet;

use async_trait::async_trait;
use domain::ConnectionId;
use domain::identity::{IdentityKey, IdentityLink};
use domain::storage::{FactChanges, IdentityReader, LinkKey, PersonChange, Result};
use uuid::Uuid;

use super::links::Owner;
use super::links_asked::Asked;
use super::{SqliteStore, conflicts, fact_changes};
use crate::link_rows::{Place, customer_properties, first_links};

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
