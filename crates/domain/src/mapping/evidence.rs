//! What stored events say for a suggestion: whether the candidate's events keep the funnel's order.
//! Bounded, so that it may be asked at any time (docs/decisions/0012-suggestions-are-judged-when-they-are-read.md).

use jiff::{SignedDuration, Timestamp};

use super::{SUGGESTION_DAYS, StageRule, Suggestion};
use crate::stage::PostHogStage;

/// The most candidates that are looked into at once: the most frequent ones.
pub const MOST_CANDIDATES: usize = 16;
/// Where a rule asks for a page, the newest so many events of its name are looked at for those that it
/// takes: a name of which so many hold no handful feeds no stage.
pub const NEWEST_LOOKED_AT: usize = 10_000;
/// Of a candidate's events the newest so many are looked at.
pub const SAMPLED_EVENTS: usize = 200;
/// On either side of an event so many of its distinct id are looked at, the nearest first.
pub const NEIGHBOURS: usize = 50;
/// Events further away from each other are not of one visit to the funnel.
pub const ORDER_WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// What could feed a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Which events.
    pub rule: StageRule,
    /// The stage.
    pub stage: PostHogStage,
}

/// How many of a candidate's events can be judged by the funnel's order, and how many keep it.
///
/// Of the name's newest [`SAMPLED_EVENTS`] events (where the rule asks for a page, of those that it takes
/// among the newest [`NEWEST_LOOKED_AT`]), each is held against the nearest [`NEIGHBOURS`]
/// events of its distinct id that came up to [`ORDER_WITHIN`] before it and as many that came after
/// it, by (timestamp, created_at, uuid); events of the same instant are neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OrderEvidence {
    /// Events with one of another stage among those.
    pub judged: u64,
    /// Of these: events with one of an earlier stage before them, or of a later stage after them.
    pub in_order: u64,
}

/// From when on a candidate's events are looked at.
pub fn evidence_since(now: Timestamp) -> Timestamp {
    now.saturating_sub(SignedDuration::from_hours(24 * i64::from(SUGGESTION_DAYS)))
        .unwrap_or(Timestamp::MIN)
}

/// Those of `suggestions` that have events, the most frequent first, [`MOST_CANDIDATES`] at most.
pub fn candidates<'a>(suggestions: impl IntoIterator<Item = &'a Suggestion>) -> Vec<Candidate> {
    let mut seen: Vec<&Suggestion> = suggestions.into_iter().filter(|it| it.events > 0).collect();
    seen.sort_by(|a, b| (b.events, &a.name).cmp(&(a.events, &b.name)));
    seen.truncate(MOST_CANDIDATES);
    seen.into_iter()
        .map(|it| Candidate {
            rule: StageRule {
                name: it.name.clone(),
                url_path: it.url_path.clone(),
            },
            stage: it.stage,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventName;
    use crate::page_path::PathPattern;

    #[test]
    fn the_most_frequent_candidates_are_looked_into_and_none_without_events() {
        let suggestion = |number: u64| Suggestion {
            stage: PostHogStage::AddedToCart,
            name: EventName::new(format!("n{number:02}")),
            url_path: PathPattern::parse("/products/*").ok(),
            reason: String::new(),
            events: number / 2,
        };
        let suggestions: Vec<Suggestion> = (0..40).map(suggestion).collect();
        let names: Vec<String> = candidates(&suggestions)
            .into_iter()
            .map(|it| it.rule.name.to_string())
            .collect();
        assert_eq!(names.len(), MOST_CANDIDATES);
        assert_eq!(names[..3], ["n38", "n39", "n36"]);
        assert!(candidates(&suggestions[..2]).is_empty());
    }
}
