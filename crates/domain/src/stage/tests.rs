use super::*;

#[test]
fn stored_numbers_lead_back_to_their_stage_and_never_to_an_order() {
    for stage in PostHogStage::ALL {
        assert_eq!(PostHogStage::from_number(stage.number()), Some(stage));
        assert_ne!(FunnelStage::from(stage), FunnelStage::OrderCompleted);
    }
    for number in [-1, 0, 4] {
        assert_eq!(PostHogStage::from_number(number), None);
    }
}

#[test]
fn stages_are_in_funnel_order_and_named_as_in_the_spec() {
    assert!(PostHogStage::ALL.is_sorted());
    let fields: Vec<&str> = PostHogStage::ALL
        .into_iter()
        .map(PostHogStage::field)
        .collect();
    assert_eq!(fields, ["productViewed", "addedToCart", "checkoutStarted"]);
}

#[test]
fn order_completed_cannot_be_read_as_a_posthog_stage() {
    assert!(serde_json::from_str::<PostHogStage>("\"orderCompleted\"").is_err());
    assert!(serde_json::from_str::<FunnelStage>("\"orderCompleted\"").is_ok());
}
