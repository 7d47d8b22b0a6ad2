//! The whole of a run against a stand-in PostHog over HTTP and the real SQLite store.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod backfills;
mod checks;
mod clickmaps;
mod cohorts;
mod erasures;
mod exact;
mod exports;
mod gates;
mod identities;
mod interruptions;
mod mappings;
mod oracle;
mod persons;
mod recounts;
mod refreshes;
mod registered;
mod scheduling;
mod shop;
mod trouble;
