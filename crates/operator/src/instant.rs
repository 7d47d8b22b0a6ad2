//! Instants as Kubernetes has them: of an earlier jiff than ours, in whole seconds.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// The same instant.
pub(crate) fn instant(time: &Time) -> Timestamp {
    Timestamp::from_second(time.0.as_second()).unwrap_or(Timestamp::MIN)
}
