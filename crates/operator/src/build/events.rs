//! Which changes of conditions are news: told once each, when they happen.

use crd::{Condition, ConditionStatus, PostHogConnectionStatus, reasons};
use kube::runtime::events::EventType;

use crate::events::Event;

/// The news between two statuses.
pub(crate) fn events(
    before: Option<&PostHogConnectionStatus>,
    after: &PostHogConnectionStatus,
) -> Vec<Event> {
    let find = |status: Option<&PostHogConnectionStatus>, kind: &str| -> Option<Condition> {
        status?.conditions.iter().find(|c| c.kind == kind).cloned()
    };
    let mut news = Vec::new();
    for kind in [crd::READY, crd::BACKFILL_COMPLETE, crd::SYNCED] {
        let Some(now) = find(Some(after), kind) else {
            continue;
        };
        let old = find(before, kind);
        let is_same = old
            .as_ref()
            .is_some_and(|old| (old.status, &old.reason) == (now.status, &now.reason));
        if is_same || !is_news(kind, old.as_ref(), &now) {
            continue;
        }
        // One failure may show in several conditions; it is told once.
        let told = news.iter().any(|told: &Event| told.reason == now.reason);
        news.extend(event(kind, &now).filter(|_| !told));
    }
    news
}

fn is_news(kind: &str, old: Option<&Condition>, now: &Condition) -> bool {
    match kind {
        crd::READY => now.status != ConditionStatus::Unknown,
        crd::BACKFILL_COMPLETE => now.status == ConditionStatus::True,
        // A refresh that succeeds is no news, but the first after a failure is.
        _ => match now.status {
            ConditionStatus::False => true,
            ConditionStatus::True => old.is_some_and(|old| old.status == ConditionStatus::False),
            ConditionStatus::Unknown => false,
        },
    }
}

fn event(kind: &str, condition: &Condition) -> Option<Event> {
    let reason = reasons::ALL
        .iter()
        .find(|reason| **reason == condition.reason)?;
    let is_good = condition.status == ConditionStatus::True;
    Some(Event {
        kind: if is_good {
            EventType::Normal
        } else {
            EventType::Warning
        },
        reason,
        action: match kind {
            crd::READY => "Check",
            crd::BACKFILL_COMPLETE => "Backfill",
            _ => "Sync",
        },
        note: condition.message.clone(),
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn status(conditions: &[(&str, ConditionStatus, &str)]) -> PostHogConnectionStatus {
        let conditions = conditions.iter().map(|(kind, status, reason)| Condition {
            kind: (*kind).to_owned(),
            status: *status,
            observed_generation: Some(1),
            last_transition_time: Timestamp::UNIX_EPOCH,
            reason: (*reason).to_owned(),
            message: "A sentence.".to_owned(),
        });
        PostHogConnectionStatus {
            conditions: conditions.collect(),
            ..PostHogConnectionStatus::default()
        }
    }

    #[test]
    fn a_failure_that_shows_in_several_conditions_is_told_once_whatever_else_is_news() {
        let now = status(&[
            (crd::READY, ConditionStatus::False, reasons::INVALID_API_KEY),
            (
                crd::BACKFILL_COMPLETE,
                ConditionStatus::True,
                reasons::BACKFILL_DONE,
            ),
            (
                crd::SYNCED,
                ConditionStatus::False,
                reasons::INVALID_API_KEY,
            ),
        ]);
        let told: Vec<_> = events(None, &now).iter().map(|news| news.reason).collect();
        assert_eq!(told, [reasons::INVALID_API_KEY, reasons::BACKFILL_DONE]);
        assert!(events(Some(&now), &now).is_empty());
    }
}
