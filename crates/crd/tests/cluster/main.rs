//! The CustomResourceDefinition, as a real API server enforces, prunes, defaults and shows it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod applied_by_several;
mod changes;
mod connections;
mod defaults;
mod examples;
mod refusals;
mod shown;
mod status;
