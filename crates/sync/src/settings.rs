//! What a run needs to know of a connection, and whether a mapping still says what was asked.

use domain::ConnectionId;
use domain::mapping::{CheckoutSource, Mapping, MappingSpec, StageSource};
use domain::stage::PostHogStage;
use domain::storage::DesiredConnection;
use jiff::SignedDuration;

/// A connection as a run is asked to pull it, after validation.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// What the store knows as wanted.
    pub desired: DesiredConnection,
    /// Which events feed the stages.
    pub mapping: MappingPolicy,
    /// `spec.timeZone` (IANA); the project's own when absent.
    pub time_zone: Option<String>,
    /// How often, and how far back.
    pub refresh: RefreshPolicy,
}

/// `spec.refresh`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshPolicy {
    /// From one refresh to the next: 5 minutes to 24 hours.
    pub interval: SignedDuration,
    /// How far back each looks by event time; not shorter than the interval.
    pub lookback: SignedDuration,
}

impl Default for RefreshPolicy {
    fn default() -> Self {
        Self {
            interval: SignedDuration::from_hours(1),
            lookback: SignedDuration::from_hours(6),
        }
    }
}

/// Where the mapping in force comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum MappingPolicy {
    /// Resolved from `spec.mapping` and the project's events when there is none yet, or when the
    /// one in force no longer says what the spec says; kept otherwise.
    Spec(MappingSpec),
    /// Resolved elsewhere.
    Fixed(Mapping),
}

impl Settings {
    /// The owner of the rows.
    pub fn connection_id(&self) -> ConnectionId {
        ConnectionId::of(&self.desired.name, &self.desired.epoch)
    }
}

/// Whether `mapping` is one that `spec` could have resolved to, so that it stays in force
/// although names have come or gone in the project.
pub(crate) fn conforms(mapping: &Mapping, spec: &MappingSpec) -> bool {
    mapping.checkout_source == spec.checkout_source()
        && PostHogStage::ALL.into_iter().all(|stage| {
            let Some(mapped) = mapping.stage(stage) else {
                return false;
            };
            let shopify = stage == PostHogStage::CheckoutStarted
                && spec.checkout_source() == CheckoutSource::Shopify;
            if shopify {
                return mapped.source == StageSource::Shopify;
            }
            match spec.stages().iter().find(|written| written.stage == stage) {
                Some(written) => {
                    mapped.source == StageSource::Override && mapped.rules == written.rules
                }
                None => {
                    // A name that another stage's override has taken since cannot stay a default.
                    let taken = mapped.rules.iter().any(|rule| {
                        spec.stages()
                            .iter()
                            .any(|other| other.rules.iter().any(|r| r.name == rule.name))
                    });
                    mapped.source == StageSource::Default && !taken
                }
            }
        })
}
