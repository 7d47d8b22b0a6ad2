//! The API as callers see it: the generated client, over TCP, against a server on a store that
//! the tests can change, slow down and break.

// clippy.toml allows these in tests, but does not take their helpers for tests.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod clickmaps;
mod cohorts;
mod connections;
mod counts;
mod deadlines;
mod erasures;
mod funnel;
mod health;
mod identities;
mod identity_streams;
mod memory;
mod metrics;
mod mutual_tls;
mod pages;
mod reflection;
mod refusals;
mod resolving;
mod shop;
mod stored;
mod streams;
mod tokens;
mod trails;
