use super::*;

fn review(scopes: &[&str]) -> ScopeReview {
    let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    ScopeReview::of(&scopes)
}

#[test]
fn a_key_of_exactly_what_is_needed_has_nothing_to_report() {
    let review = review(&[
        "query:read",
        "project:read",
        "event_definition:read",
        "cohort:read",
        "batch_export:write",
    ]);
    assert_eq!(review.missing_required, Vec::<&str>::new());
    assert_eq!(review.missing_optional, vec![]);
    assert_eq!(review.too_broad, Vec::<String>::new());
}

#[test]
fn a_key_without_scopes_misses_all_of_them() {
    let review = review(&[]);
    assert_eq!(review.missing_required, REQUIRED_SCOPES);
    assert_eq!(review.missing_optional, OptionalScope::ALL);
    assert_eq!(review.too_broad, Vec::<String>::new());
}

#[test]
fn a_star_grants_all_and_is_too_broad() {
    let review = review(&["*"]);
    assert_eq!(review.missing_required, Vec::<&str>::new());
    assert_eq!(review.missing_optional, vec![]);
    assert_eq!(review.too_broad, ["*"]);
}

#[test]
fn write_grants_read_of_the_same_object_and_is_too_broad() {
    let review = review(&[
        "query:write",
        "project:read",
        "feature_flag:write",
        "insight:read",
    ]);
    assert_eq!(review.missing_required, Vec::<&str>::new());
    assert_eq!(review.too_broad, ["query:write", "feature_flag:write"]);
}

#[test]
fn read_does_not_grant_write_and_another_object_grants_nothing() {
    let review = review(&[
        "batch_export:read",
        "querying:write",
        "project:reader",
        "person:read",
    ]);
    assert_eq!(review.missing_required, REQUIRED_SCOPES);
    assert_eq!(
        review.missing_optional,
        [
            OptionalScope::EventDefinitionRead,
            OptionalScope::CohortRead,
            OptionalScope::BatchExportWrite
        ]
    );
}

#[test]
fn every_optional_scope_has_its_own_name_and_loss() {
    let names: std::collections::BTreeSet<_> = OptionalScope::ALL
        .iter()
        .map(|scope| (scope.as_str(), scope.loss()))
        .collect();
    assert_eq!(names.len(), OptionalScope::ALL.len());
    assert!(
        names
            .iter()
            .all(|(name, loss)| name.contains(':') && !loss.is_empty())
    );
}

#[test]
fn a_check_kept_from_before_hosts_were_noted_is_still_read() {
    let kept = r#"{"checked_at":"2026-03-20T10:30:00Z",
        "project":{"id":7,"name":"Shop","time_zone":"UTC","event_retention_months":null},
        "key":{"masked_value":"phx_...","label":"","scopes":[],"missing_scopes":[],"too_broad":[]},
        "latest_event":null}"#;
    let check: CheckSummary = serde_json::from_str(kept).unwrap();
    assert_eq!(check.host, None);
}

#[test]
fn a_scope_that_an_earlier_version_missed_is_passed_over() {
    let noted = r#"{"masked_value": "phx_...77c2", "label": "", "scopes": [],
        "missing_scopes": ["PersonRead", "CohortRead"], "too_broad": []}"#;
    let key: KeySummary = serde_json::from_str(noted).unwrap();
    assert_eq!(key.missing_scopes, [OptionalScope::CohortRead]);
}

#[test]
fn posthog_keeps_no_day_for_sure_that_any_reading_of_its_months_may_have_dropped() {
    let now = "2026-03-10T12:00:00Z".parse().unwrap();
    for (months, first) in [
        (None, Date::MIN),
        (Some(1), jiff::civil::date(2026, 2, 12)),
        (Some(12), jiff::civil::date(2025, 3, 17)),
        (Some(u32::MAX), Date::MIN),
    ] {
        assert_eq!(posthog_keeps_from(months, now), first, "{months:?}");
    }
}
