//! From a validated spec to what a run is asked for, and the mark by which a Job's settings are known.

use crd::{PostHogConnectionSpec, ValidConnection};
use domain::plan::PlanStanding;
use jiff::SignedDuration;
use serde_json::json;
use sha2::{Digest, Sha256};
use sync::{MappingPolicy, RefreshPolicy, Settings};

/// What a run of the connection is asked for.
pub(crate) fn settings(valid: &ValidConnection, plan: PlanStanding) -> Settings {
    // Validation bounds both to a day, far from what cannot be converted.
    let signed =
        |length| SignedDuration::try_from(length).unwrap_or(SignedDuration::from_hours(24));
    Settings {
        mapping: MappingPolicy::Spec(valid.mapping.clone()),
        time_zone: valid
            .time_zone
            .as_ref()
            .and_then(|zone| zone.iana_name())
            .map(str::to_owned),
        refresh: RefreshPolicy {
            interval: signed(valid.refresh.interval),
            lookback: signed(valid.refresh.lookback),
        },
        cohorts: valid.cohorts,
        backfill_via: valid.backfill.via,
        desired: valid.clone().into_desired(plan),
    }
}

/// The mark of what a Job works by: one with another mark reads or assigns something else than is
/// wanted now. When and how far refreshes look back is not in it: that counts from the next one on.
pub(crate) fn fingerprint(spec: &PostHogConnectionSpec, valid: &ValidConnection) -> String {
    let what = json!([
        valid.epoch,
        spec.mapping,
        spec.identity,
        spec.time_zone,
        spec.backfill,
        spec.retention_days,
        spec.cohorts,
    ]);
    let hash = Sha256::digest(what.to_string().as_bytes());
    hash.iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
