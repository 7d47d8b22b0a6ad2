//! By which way a backfill reads: what `spec.backfill.via` asks for, what the key allows, what pays.

use serde::{Deserialize, Serialize};

use crate::check::{OptionalScope, ScopeReview};

/// With so many events or more, `Auto` takes file exports: fewer come in a handful of queries, sooner
/// than PostHog has an export ready, which takes it a minute at least.
pub const EXPORTS_PAY_FROM: u64 = 50_000;

/// What `spec.backfill.via` asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BackfillVia {
    /// File exports where the key consents to them and they pay, else queries.
    #[default]
    Auto,
    /// PostHog's query API.
    Query,
    /// PostHog's file exports, which it bills.
    FileExport,
}

/// The way that is taken.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::IntoStaticStr,
)]
pub enum Via {
    /// PostHog's query API.
    Query,
    /// PostHog's file exports.
    FileExport,
}

/// The way that a backfill takes, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// Which.
    pub via: Via,
    /// Why, in one sentence without its stop.
    #[serde(rename = "viaReason")]
    pub why: String,
}

impl Way {
    /// Chooses for a key with these scopes, as PostHog lists them, and about so many events.
    ///
    /// `Auto` takes the scope `batch_export:write` for consent to what PostHog bills, but only where it is
    /// granted by its name: whoever made a key that may do everything was not asked.
    #[must_use]
    pub fn choose(asked: BackfillVia, scopes: &[String], events: u64) -> Self {
        let scope = OptionalScope::BatchExportWrite;
        let is_granted = !ScopeReview::of(scopes).missing_optional.contains(&scope);
        let is_named = scopes.iter().any(|held| held == scope.as_str());
        let scope = scope.as_str();
        match asked {
            BackfillVia::Query => Self::query("spec.backfill.via is Query".to_owned()),
            BackfillVia::FileExport | BackfillVia::Auto if !is_granted => Self::query(format!(
                "the API key lacks the scope {scope}, which file exports need"
            )),
            BackfillVia::FileExport => Self {
                via: Via::FileExport,
                why: "spec.backfill.via is FileExport".to_owned(),
            },
            BackfillVia::Auto if !is_named => Self::query(format!(
                "the API key may do everything, which is no consent to file exports, for PostHog bills \
                 them: grant {scope} by its name, or set spec.backfill.via to FileExport"
            )),
            BackfillVia::Auto if events < EXPORTS_PAY_FROM => Self::query(format!(
                "PostHog has {events} events, and below {EXPORTS_PAY_FROM} queries are faster than file exports"
            )),
            BackfillVia::Auto => Self {
                via: Via::FileExport,
                why: format!("the API key has the scope {scope}, and PostHog has {events} events"),
            },
        }
    }

    /// What a backfill would do, before it is known how many events there are; in one sentence without
    /// its stop.
    #[must_use]
    pub fn prospect(asked: BackfillVia, scopes: &[String]) -> String {
        let way = Self::choose(asked, scopes, EXPORTS_PAY_FROM);
        let scope = OptionalScope::BatchExportWrite.as_str();
        match (way.via, asked) {
            (Via::Query, _) => format!("by queries: {}", way.why),
            (Via::FileExport, BackfillVia::Auto) => format!(
                "by file exports, which PostHog bills, from {EXPORTS_PAY_FROM} events on, else by queries: \
                 the API key has the scope {scope}"
            ),
            (Via::FileExport, _) => {
                format!("by file exports, which PostHog bills: {}", way.why)
            }
        }
    }

    /// Queries, because file exports came to nothing for this reason.
    #[must_use]
    pub fn instead_of_exports(reason: &str) -> Self {
        Self::query(format!("file exports were given up: {reason}"))
    }

    fn query(why: String) -> Self {
        Self {
            via: Via::Query,
            why,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(asked: BackfillVia, scopes: &[&str], events: u64) -> (Via, String) {
        let scopes: Vec<String> = scopes.iter().map(|&scope| scope.to_owned()).collect();
        let way = Way::choose(asked, &scopes, events);
        (way.via, way.why)
    }

    #[test]
    fn auto_takes_exports_with_consent_by_name_and_enough_events() {
        let reads = ["query:read", "project:read"];
        let named = ["query:read", "project:read", "batch_export:write"];
        for (scopes, events, via, part) in [
            (
                named.as_slice(),
                EXPORTS_PAY_FROM,
                Via::FileExport,
                "batch_export:write",
            ),
            (&named, EXPORTS_PAY_FROM - 1, Via::Query, "49999 events"),
            (&reads, 1_000_000, Via::Query, "lacks the scope"),
            (&["*"], 1_000_000, Via::Query, "no consent"),
        ] {
            let (chosen, why) = chosen(BackfillVia::Auto, scopes, events);
            assert_eq!(chosen, via, "{scopes:?} {events}");
            assert!(why.contains(part), "{why}");
        }
    }

    #[test]
    fn a_check_says_what_a_backfill_would_do() {
        let named = ["batch_export:write".to_owned()];
        for (asked, scopes, parts) in [
            (
                BackfillVia::Auto,
                named.as_slice(),
                ["by file exports", "50000 events"],
            ),
            (
                BackfillVia::FileExport,
                &named,
                ["by file exports", "spec.backfill.via"],
            ),
            (BackfillVia::Auto, &[], ["by queries", "lacks the scope"]),
            (
                BackfillVia::Query,
                &named,
                ["by queries", "spec.backfill.via"],
            ),
        ] {
            let text = Way::prospect(asked, scopes);
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        }
    }

    #[test]
    fn what_is_asked_for_is_taken_where_the_key_allows_it() {
        for (asked, scopes, via) in [
            (
                BackfillVia::FileExport,
                ["batch_export:write"],
                Via::FileExport,
            ),
            (BackfillVia::FileExport, ["*"], Via::FileExport),
            (BackfillVia::FileExport, ["query:read"], Via::Query),
            (BackfillVia::Query, ["batch_export:write"], Via::Query),
        ] {
            assert_eq!(chosen(asked, &scopes, 1).0, via, "{asked:?} {scopes:?}");
        }
    }
}
