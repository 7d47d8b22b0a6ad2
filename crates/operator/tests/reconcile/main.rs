//! The operator against a real API server, with the stand-in PostHog and a store on disk. No node runs
//! pods; the harness plays the kubelet and runs what a pod would.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod away;
mod calm;
mod cohorts;
mod connect;
mod crash;
mod harness;
mod key;
mod mapping;
mod older_definition;
mod persons;
mod places;
mod plan;
mod pods;
mod project;
mod quota;
mod replicas;
mod request;
mod scale;
mod suspension;
mod terminating;
mod timetable;
