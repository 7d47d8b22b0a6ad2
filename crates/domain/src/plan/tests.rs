use super::*;

#[test]
fn starter_and_above_are_eligible() {
    for (label, plan) in [
        ("starter", Plan::Starter),
        ("growth", Plan::Growth),
        ("scale", Plan::Scale),
    ] {
        let standing = PlanStanding::of_label(Some(label));
        assert_eq!(standing, PlanStanding::Eligible { plan });
        assert!(standing.is_eligible());
    }
}

#[test]
fn free_is_too_low() {
    let standing = PlanStanding::of_label(Some("free"));
    assert_eq!(standing, PlanStanding::TooLow { plan: Plan::Free });
    assert!(!standing.is_eligible());
}

#[test]
fn a_missing_or_unknown_label_is_not_taken_for_a_plan() {
    for label in [
        None,
        Some(""),
        Some("Starter"),
        Some("enterprise"),
        Some(" starter"),
    ] {
        let standing = PlanStanding::of_label(label);
        let label = label.map(str::to_owned);
        assert_eq!(standing, PlanStanding::Unknown { label });
        assert!(!standing.is_eligible());
    }
}

#[test]
fn plans_are_ordered_from_free_to_scale() {
    assert!([Plan::Free, Plan::Starter, Plan::Growth, Plan::Scale].is_sorted());
    assert_eq!(Plan::Starter.to_string(), "starter");
}
