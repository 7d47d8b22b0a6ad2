//! How connections go, on a real API server: what stops, what is forgotten, what stays, and that nothing
//! hangs whoever is away.

#![allow(
    clippy::unwrap_used,
    reason = "clippy allows it in test functions, and what those call is test code too"
)]

mod crash;
mod order;
mod release;
mod secrets;
mod support;
mod sweeping;
