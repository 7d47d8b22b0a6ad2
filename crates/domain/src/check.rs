//! What "Save and test" found: the parts of a connection's status that PostHog answers.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};
use serde::{Deserialize, Deserializer, Serialize};

use crate::day::day_of;
use crate::host::ApiHost;

/// The outcome of a successful check, as status, reports and gRPC show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckSummary {
    /// When PostHog was asked.
    pub checked_at: Timestamp,
    /// Which PostHog was asked: project numbers mean nothing on another host. Absent in checks kept
    /// from before this was noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<ApiHost>,
    /// The project as PostHog describes it.
    pub project: ProjectSummary,
    /// The key as PostHog describes it; never its value.
    pub key: KeySummary,
    /// The most recent event not in the future; none when the project has no events yet.
    pub latest_event: Option<LatestEvent>,
}

/// The project behind a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectSummary {
    /// Its number.
    pub id: i64,
    /// Its display name.
    pub name: String,
    /// Its IANA time zone.
    pub time_zone: String,
    /// How many months PostHog keeps events, where it enforces that.
    pub event_retention_months: Option<u32>,
}

/// The first UTC day of which PostHog surely still has every event, where it keeps them for so many months.
/// What it dropped of earlier days must not look deleted, so they are not counted any more.
#[must_use]
pub fn posthog_keeps_from(months: Option<u32>, now: Timestamp) -> Date {
    // The shorter of two readings of a month, and two days more: when exactly PostHog drops a day is not
    // documented.
    let bound = |months: i64| {
        let today = day_of(now, &TimeZone::UTC);
        let by_calendar = Span::new().try_months(months).ok()?;
        let by_calendar = today.checked_sub(by_calendar).ok()?;
        let by_days = Span::new().try_days(30 * months).ok()?;
        let by_days = today.checked_sub(by_days).ok()?;
        by_calendar.max(by_days).checked_add(2.days()).ok()
    };
    months
        .and_then(|months| bound(months.into()))
        .unwrap_or(Date::MIN)
}

/// The personal API key behind a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySummary {
    /// PostHog's own masked form, such as `phx_...abcd`.
    pub masked_value: String,
    /// The label its owner gave it.
    pub label: String,
    /// Scopes as PostHog lists them; `*` for all.
    pub scopes: Vec<String>,
    /// Optional scopes that are missing.
    #[serde(deserialize_with = "known_scopes")]
    pub missing_scopes: Vec<OptionalScope>,
    /// Scopes broader than reading: `*` and every `:write` but `batch_export:write`.
    pub too_broad: Vec<String>,
}

/// Reads scopes, but for those that another version asked for and this one does not.
fn known_scopes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<OptionalScope>, D::Error> {
    let scopes = Vec::<serde_json::Value>::deserialize(from)?.into_iter();
    Ok(scopes
        .filter_map(|scope| serde_json::from_value(scope).ok())
        .collect())
}

/// The most recent event that PostHog has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatestEvent {
    /// Its name.
    pub name: String,
    /// When it happened.
    pub timestamp: Timestamp,
}

/// Scopes without which a connection cannot work.
pub const REQUIRED_SCOPES: [&str; 2] = ["query:read", "project:read"];

/// A scope that a connection works without, at a named loss.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::EnumIter,
)]
pub enum OptionalScope {
    /// `event_definition:read`.
    #[strum(serialize = "event_definition:read")]
    EventDefinitionRead,
    /// `cohort:read`.
    #[strum(serialize = "cohort:read")]
    CohortRead,
    /// `batch_export:write`.
    #[strum(serialize = "batch_export:write")]
    BatchExportWrite,
}

impl OptionalScope {
    /// Every optional scope.
    pub const ALL: [Self; 3] = [
        Self::EventDefinitionRead,
        Self::CohortRead,
        Self::BatchExportWrite,
    ];

    /// The scope as PostHog spells it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// What is lost without it, to be read after "without it".
    pub fn loss(self) -> &'static str {
        match self {
            Self::EventDefinitionRead => {
                "events that have not occurred in the window are not listed or suggested, and of the others nobody knows \
                 when PostHog first and last saw them"
            }
            Self::CohortRead => "cohorts are not shown",
            Self::BatchExportWrite => {
                "the backfill uses PostHog's query API instead of file exports"
            }
        }
    }
}

/// Splits a key's scopes into what a connection misses and what is broader than needed.
/// `x:write` satisfies `x:read`; `*` satisfies all; an empty list satisfies nothing (POSTHOG.md 2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeReview {
    /// Required scopes that are not granted.
    pub missing_required: Vec<&'static str>,
    /// Optional scopes that are not granted.
    pub missing_optional: Vec<OptionalScope>,
    /// Granted scopes that are broader than reading.
    pub too_broad: Vec<String>,
}

impl ScopeReview {
    /// Reviews the scopes that PostHog lists for a key.
    pub fn of(scopes: &[String]) -> Self {
        let granted = |wanted: &str| {
            scopes.iter().any(|scope| {
                scope == "*"
                    || scope == wanted
                    || wanted
                        .strip_suffix(":read")
                        .is_some_and(|object| scope.strip_suffix(":write") == Some(object))
            })
        };
        Self {
            missing_required: REQUIRED_SCOPES
                .into_iter()
                .filter(|scope| !granted(scope))
                .collect(),
            missing_optional: OptionalScope::ALL
                .into_iter()
                .filter(|scope| !granted(scope.as_str()))
                .collect(),
            too_broad: scopes
                .iter()
                .filter(|scope| {
                    *scope == "*"
                        || (scope.ends_with(":write")
                            && *scope != OptionalScope::BatchExportWrite.as_str())
                })
                .cloned()
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests;
