//! The operator against a real API server, with the stand-in PostHog and a store on disk. No node runs
//! pods; the harness plays the kubelet and runs what a pod would.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod bad_input;
mod connect;
mod control;
mod harness;
mod timetable;
