//! What a run needs to know of a connection, and whether a mapping still says what was asked.

use domain::ConnectionId;
use domain::backfill_way::BackfillVia;
use domain::cohorts::CohortSelection;
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
    /// Which cohorts are kept.
    pub cohorts: CohortSelection,
    /// `spec.backfill.via`: by which way a backfill reads.
    pub backfill_via: BackfillVia,
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

impl MappingPolicy {
    /// Whether `mapping` may stay in force.
    pub(crate) fn accepts(&self, mapping: &Mapping) -> bool {
        match self {
            Self::Spec(spec) => conforms(mapping, spec),
            Self::Fixed(fixed) => fixed == mapping,
        }
    }
}

/// Whether `mapping` is one that `spec` could have resolved to, so that it stays in force
/// although names have come or gone in the project.
fn conforms(mapping: &Mapping, spec: &MappingSpec) -> bool {
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

#[cfg(test)]
mod tests {
    use domain::event::EventName;
    use domain::mapping::{KnownEvent, StageRule, StageSpec, resolve};

    use super::*;

    fn spec(written: &[(PostHogStage, &str)], source: CheckoutSource) -> MappingSpec {
        let stages = written.iter().map(|&(stage, name)| StageSpec {
            stage,
            rules: vec![StageRule {
                name: EventName::from(name),
                url_path: None,
            }],
        });
        MappingSpec::new(stages.collect(), source).unwrap()
    }

    #[test]
    fn a_resolved_mapping_conforms_to_its_own_spec_and_to_no_other() {
        use PostHogStage::{AddedToCart, CheckoutStarted, ProductViewed};
        let specs = [
            spec(&[], CheckoutSource::Auto),
            spec(&[], CheckoutSource::PostHog),
            spec(&[], CheckoutSource::Shopify),
            spec(&[(AddedToCart, "Product Added")], CheckoutSource::Auto),
            spec(&[(AddedToCart, "in the bag")], CheckoutSource::Auto),
            spec(&[(CheckoutStarted, "Product Added")], CheckoutSource::Auto),
            spec(
                &[(ProductViewed, "seen"), (AddedToCart, "bag")],
                CheckoutSource::Auto,
            ),
        ];
        let known = [KnownEvent {
            name: EventName::from("Product Added"),
            events: 12,
        }];
        for (index, one) in specs.iter().enumerate() {
            let mapping = resolve(one, &known, true).mapping;
            for (other, another) in specs.iter().enumerate() {
                assert_eq!(
                    conforms(&mapping, another),
                    index == other,
                    "{index} {other}"
                );
            }
            assert!(MappingPolicy::Fixed(mapping.clone()).accepts(&mapping));
        }
    }

    #[test]
    fn a_default_stays_although_the_project_would_now_give_another() {
        let spec = spec(&[], CheckoutSource::Auto);
        let before = resolve(&spec, &[], false).mapping;
        assert!(conforms(&before, &spec));
    }
}
