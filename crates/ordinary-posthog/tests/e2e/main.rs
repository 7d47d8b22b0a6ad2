//! The program as a user runs it: against a stand-in PostHog over HTTP, asked over gRPC, judged by
//! what it prints, answers, stores and exits with. One test binary, so that it is linked once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy allows them in test functions, and what those call is test code too"
)]

mod admin;
mod answers;
mod check;
mod demo;
mod erase;
mod interruption;
mod job;
mod kills;
mod operator;
mod probe;
mod purge;
mod release_finalizers;
mod serve;
mod stores;
mod support;
mod sync;
mod up;
mod usage;
