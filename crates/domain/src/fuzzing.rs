//! For how long tests try what comes at random: as long as `FUZZ_SECONDS` says, or one second.

use std::time::{Duration, Instant};

use proptest::strategy::Strategy;
use proptest::test_runner::{TestCaseResult, TestRunner};

/// Tries a property with ever new values, at least as often as proptest does once.
pub(crate) fn fuzz<S: Strategy>(values: S, property: impl Fn(S::Value) -> TestCaseResult) {
    let seconds = std::env::var("FUZZ_SECONDS").map_or(1, |seconds| seconds.parse().unwrap());
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        TestRunner::default().run(&values, &property).unwrap();
        if Instant::now() >= end {
            break;
        }
    }
}
