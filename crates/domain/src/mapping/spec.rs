//! What a merchant may write under `spec.mapping`, refused where a rule of the product forbids it.

use serde::{Deserialize, Serialize};

use super::StageRule;
use crate::stage::PostHogStage;

/// Who feeds Checkout started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum CheckoutSource {
    /// PostHog if a mapped event was seen in the last 30 days, else Shopify.
    #[default]
    Auto,
    /// PostHog, whatever was seen.
    PostHog,
    /// Shopify, always.
    Shopify,
}

/// The rules that a merchant wrote for one stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageSpec {
    /// The stage.
    pub stage: PostHogStage,
    /// Its rules, 1 to 32.
    pub rules: Vec<StageRule>,
}

/// A checked `spec.mapping`: stages that are absent get defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MappingSpec {
    stages: Vec<StageSpec>,
    checkout_source: CheckoutSource,
}

/// Why a mapping cannot be accepted; each message names the field and the fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
pub enum MappingError {
    /// One name under two stages.
    #[error(
        "mapping.{second}.events names {name:?}, which mapping.{first}.events already has: one event belongs to one stage, remove it from one of them"
    )]
    ClaimedTwice {
        /// The event name.
        name: String,
        /// The stage that named it first, as its field.
        first: &'static str,
        /// The stage that named it again, as its field.
        second: &'static str,
    },
    /// The same rule twice within one stage.
    #[error("mapping.{field}.events lists {name:?} twice: remove one of them")]
    ListedTwice {
        /// The event name.
        name: String,
        /// The stage's field.
        field: &'static str,
    },
    /// A name that means an order.
    #[error(
        "mapping.{field}.events names {name:?}, which means an order: orders come from Shopify's orders/create webhook and are never counted from PostHog, remove it"
    )]
    OrderLike {
        /// The event name.
        name: String,
        /// The stage's field.
        field: &'static str,
    },
    /// A name of no or too many characters.
    #[error(
        "mapping.{field}.events has a name of {length} characters: PostHog's event names have 1 to 400"
    )]
    NameLength {
        /// The stage's field.
        field: &'static str,
        /// Characters found.
        length: usize,
    },
    /// A stage with no or too many rules.
    #[error(
        "mapping.{field}.events has {count} entries: write 1 to 32, or leave mapping.{field} out for the default"
    )]
    RuleCount {
        /// The stage's field.
        field: &'static str,
        /// Rules found.
        count: usize,
    },
}

/// The most rules that one stage may have.
pub const MAX_RULES: usize = 32;
/// The most characters that PostHog gives an event name.
pub const MAX_NAME_LENGTH: usize = 400;

impl MappingSpec {
    /// Checks what was written.
    ///
    /// # Errors
    /// The first [`MappingError`] found, in the order of the stages.
    pub fn new(
        stages: Vec<StageSpec>,
        checkout_source: CheckoutSource,
    ) -> Result<Self, MappingError> {
        let mut seen: Vec<(&str, PostHogStage)> = Vec::new();
        for StageSpec { stage, rules } in &stages {
            let field = stage.field();
            if rules.is_empty() || rules.len() > MAX_RULES {
                return Err(MappingError::RuleCount {
                    field,
                    count: rules.len(),
                });
            }
            for (index, rule) in rules.iter().enumerate() {
                let name = rule.name.as_str();
                let length = name.chars().count();
                if length == 0 || length > MAX_NAME_LENGTH {
                    return Err(MappingError::NameLength { field, length });
                }
                if crate::recogniser::is_order_like(name) {
                    return Err(MappingError::OrderLike {
                        name: name.to_owned(),
                        field,
                    });
                }
                if rules[..index].contains(rule) {
                    return Err(MappingError::ListedTwice {
                        name: name.to_owned(),
                        field,
                    });
                }
                if let Some((_, first)) = seen
                    .iter()
                    .find(|(other, first)| *other == name && first != stage)
                {
                    return Err(MappingError::ClaimedTwice {
                        name: name.to_owned(),
                        first: first.field(),
                        second: field,
                    });
                }
                seen.push((name, *stage));
            }
        }
        Ok(Self {
            stages,
            checkout_source,
        })
    }

    /// The stages that were written, in the order given.
    pub fn stages(&self) -> &[StageSpec] {
        &self.stages
    }

    /// Who feeds Checkout started.
    pub fn checkout_source(&self) -> CheckoutSource {
        self.checkout_source
    }
}

#[cfg(test)]
mod tests;
