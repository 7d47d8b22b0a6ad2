//! The store in a PostgreSQL database, 14 or later, which any number of processes share.
//!
//! Every statement runs within a transaction, unnamed, and every setting is local to one: nothing
//! is left in a session, so that a pooler may hand each transaction to another one.

mod belonging;
mod budget;
mod clickmaps_erase;
mod clickmaps_make;
mod clickmaps_read;
mod clickmaps_remove;
mod cohorts_erase;
mod cohorts_read;
mod cohorts_write;
mod completeness;
mod conflicts;
mod connections;
mod copy;
mod counts;
mod definitions;
mod epochs;
mod erasing;
mod erasures;
mod errors;
mod event_columns;
mod events_list;
mod events_read;
mod events_remove;
mod events_write;
mod evidence;
mod fact_changes;
mod fact_losses;
mod facts;
mod growing;
mod identities_read;
mod identities_write;
mod leases;
mod left_epochs;
mod links;
mod links_asked;
mod open;
mod persons_reading;
mod purge;
mod refusals;
mod remap;
mod rollups;
mod runs;
mod schema;
mod seen_ids;
mod server;
mod slices;
mod statement;
#[cfg(test)]
mod tests;
mod transaction;
mod utc_days;
mod values;

use std::sync::Arc;

use sqlx::PgPool;

pub(crate) use self::open::open;

/// A store in a PostgreSQL database.
#[derive(Debug, Clone)]
pub(crate) struct PostgresStore {
    /// Connections that write, few: a run has one page at a time.
    writers: PgPool,
    /// Connections that only read, apart from the others, so that neither wait for the other.
    readers: PgPool,
    /// How a transaction that writes begins.
    begin_write: Arc<str>,
    /// How a transaction that reads begins.
    begin_read: Arc<str>,
    /// How one begins that reads for upkeep.
    begin_upkeep: Arc<str>,
}

crate::sync_store::sync_store!(PostgresStore);
