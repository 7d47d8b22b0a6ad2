mod properties;

use super::*;
use crate::mapping::{StageRule, StageSpec};
use crate::page_path::PathPattern;

fn known(events: &[(&str, u64)]) -> Vec<KnownEvent> {
    events
        .iter()
        .map(|(name, events)| KnownEvent {
            name: EventName::from(*name),
            events: *events,
        })
        .collect()
}

fn rule(name: &str) -> StageRule {
    StageRule {
        name: EventName::from(name),
        url_path: None,
    }
}

fn spec(stages: &[(PostHogStage, &[&str])], source: CheckoutSource) -> MappingSpec {
    let stages = stages
        .iter()
        .map(|(stage, names)| StageSpec {
            stage: *stage,
            rules: names.iter().map(|name| rule(name)).collect(),
        })
        .collect();
    MappingSpec::new(stages, source).unwrap()
}

/// `$pageview@/products/* | a, b | -`, in funnel order.
fn shown(resolution: &Resolution) -> String {
    let stages = &resolution.mapping.stages;
    let stage = |mapped: &StageMapping| {
        let rules: Vec<String> = mapped
            .rules
            .iter()
            .map(|rule| match &rule.url_path {
                None => rule.name.to_string(),
                Some(path) => format!("{}@{}", rule.name, path.as_str()),
            })
            .collect();
        if rules.is_empty() {
            "-".to_owned()
        } else {
            rules.join(", ")
        }
    };
    stages.iter().map(stage).collect::<Vec<_>>().join(" | ")
}

/// What is suggested with so many product pageviews, each with the reason.
fn suggested(
    resolution: &Resolution,
    known: &[KnownEvent],
    product_pageviews: u64,
) -> Vec<(String, String)> {
    suggest(&resolution.mapping, known, product_pageviews)
        .into_iter()
        .map(|suggestion| (suggestion.name.to_string(), suggestion.reason))
        .collect()
}

fn reasons(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, reason): &(&str, &str)| ((*name).to_owned(), (*reason).to_owned());
    expected.iter().map(owned).collect()
}

const AUTO: CheckoutSource = CheckoutSource::Auto;

#[test]
fn a_project_without_events_gets_the_canonical_names() {
    let resolution = resolve(&MappingSpec::default(), &[], false);
    assert_eq!(
        shown(&resolution),
        "$pageview@/products/* | product added to cart | checkout started"
    );
    assert!(
        resolution
            .mapping
            .stages
            .iter()
            .all(|stage| stage.source == StageSource::Default)
    );
    assert!(suggested(&resolution, &[], 0).is_empty() && resolution.notes.is_empty());
}

#[test]
fn canonical_names_that_exist_are_taken_alone_and_the_rest_is_suggested() {
    let known = known(&[
        ("Product Viewed", 90),
        ("product added to cart", 1),
        ("Product Added", 1000),
        ("add_to_cart", 0),
    ]);
    let resolution = resolve(&MappingSpec::default(), &known, true);
    assert_eq!(
        shown(&resolution),
        "$pageview@/products/* | product added to cart | checkout started"
    );
    assert_eq!(
        suggested(&resolution, &known, 90),
        reasons(&[
            (
                "Product Viewed",
                "its name means Product viewed, which \"$pageview\" feeds"
            ),
            (
                "Product Added",
                "its name means Added to cart, which \"product added to cart\" feeds"
            ),
            (
                "add_to_cart",
                "its name means Added to cart, though none was seen in the last 30 days"
            ),
        ])
    );
}

#[test]
fn recognised_names_that_have_events_feed_a_stage_together_the_most_frequent_first() {
    let known = known(&[
        ("Checkout Started", 3),
        ("checkout_started", 7),
        ("Product Viewed", 5),
        ("begin_checkout", 0),
        ("checkout started", 0),
        ("Order Completed", 50),
    ]);
    let resolution = resolve(&MappingSpec::default(), &known, false);
    assert_eq!(
        shown(&resolution),
        "Product Viewed | product added to cart | checkout_started, Checkout Started"
    );
}

#[test]
fn an_override_takes_its_names_from_other_defaults_and_says_so() {
    let spec = spec(
        &[(PostHogStage::AddedToCart, &["$pageview", "Product Viewed"])],
        AUTO,
    );
    let known = known(&[("Product Viewed", 9), ("view_item", 4)]);
    let resolution = resolve(&spec, &known, true);
    assert_eq!(
        shown(&resolution),
        "view_item | $pageview, Product Viewed | checkout started"
    );
    assert_eq!(
        resolution.notes,
        [
            "mapping.addedToCart names \"$pageview\", so it is not counted for productViewed by default."
        ]
    );
}

#[test]
fn a_stage_whose_only_names_were_taken_has_none() {
    let spec = spec(
        &[(PostHogStage::ProductViewed, &["checkout started"])],
        AUTO,
    );
    assert_eq!(
        shown(&resolve(&spec, &[], false)),
        "checkout started | product added to cart | -"
    );
}

#[test]
fn an_override_is_taken_as_written_and_better_names_are_suggested() {
    let spec = spec(&[(PostHogStage::ProductViewed, &["product viewed"])], AUTO);
    let known = known(&[("$pageview", 70), ("Product Viewed", 9)]);
    let resolution = resolve(&spec, &known, true);
    assert_eq!(
        shown(&resolution),
        "product viewed | product added to cart | checkout started"
    );
    assert_eq!(resolution.mapping.stages[0].source, StageSource::Override);
    assert_eq!(
        suggested(&resolution, &known, 40),
        reasons(&[
            (
                "$pageview",
                "it was seen on /products/* in the last 30 days"
            ),
            (
                "Product Viewed",
                "its name means Product viewed, but mapping.productViewed does not name it"
            ),
        ])
    );
    // Those of other pages do not count.
    assert_eq!(suggest(&resolution.mapping, &known, 40)[0].events, 40);
    assert_eq!(suggested(&resolution, &known, 0).len(), 1);
}

#[test]
fn shopify_feeds_checkout_without_rules_or_suggestions() {
    let known = known(&[("checkout_started", 7)]);
    let plain = resolve(&spec(&[], CheckoutSource::Shopify), &known, false);
    assert_eq!(plain.mapping.stages[2].source, StageSource::Shopify);
    assert_eq!(
        shown(&plain),
        "$pageview@/products/* | product added to cart | -"
    );
    let suggested = suggested(&plain, &known, 0);
    assert_eq!((suggested, &plain.notes), (vec![], &vec![]));
    let written = spec(
        &[(PostHogStage::CheckoutStarted, &["checkout_started"])],
        CheckoutSource::Shopify,
    );
    let resolution = resolve(&written, &known, false);
    assert_eq!(resolution.mapping, plain.mapping);
    assert_eq!(
        resolution.notes,
        [
            "mapping.checkoutStarted.events is not counted, for mapping.checkoutStarted.source is Shopify."
        ]
    );
}

#[test]
fn an_event_belongs_to_the_stage_whose_rule_takes_its_page() {
    let mapping = resolve(&MappingSpec::default(), &[], true).mapping;
    let stage = |name, path| mapping.stage_of(name, path);
    assert_eq!(
        stage("$pageview", Some("/fr/products/x/")),
        Some(PostHogStage::ProductViewed)
    );
    assert_eq!(stage("$pageview", Some("/cart")), None);
    assert_eq!(stage("$pageview", None), None);
    assert_eq!(
        stage("checkout started", None),
        Some(PostHogStage::CheckoutStarted)
    );
    assert_eq!(stage("Checkout started", None), None);
}

#[test]
fn a_mapping_survives_being_written_and_read() {
    let mapping = resolve(&MappingSpec::default(), &[], true).mapping;
    let text = serde_json::to_string(&mapping).unwrap();
    assert_eq!(serde_json::from_str::<Mapping>(&text).unwrap(), mapping);
}

#[test]
fn a_rule_with_a_page_is_kept_as_written() {
    let mut page = rule("$pageview");
    page.url_path = Some(PathPattern::parse("/shop/**").unwrap());
    let written = StageSpec {
        stage: PostHogStage::ProductViewed,
        rules: vec![page],
    };
    let spec = MappingSpec::new(vec![written], AUTO).unwrap();
    assert_eq!(
        shown(&resolve(&spec, &[], true)),
        "$pageview@/shop/** | product added to cart | checkout started"
    );
}

#[test]
fn a_mapped_name_tells_why_it_is_mapped() {
    let written = spec(&[(PostHogStage::AddedToCart, &["basket"])], AUTO);
    let known = known(&[("begin_checkout", 5)]);
    let mapping = resolve(&written, &known, true).mapping;
    let why = |name| mapped_reason(&mapping, name);
    assert_eq!(why("basket").unwrap(), "mapping.addedToCart names it");
    assert_eq!(
        why("$pageview").unwrap(),
        "Product viewed has this name by default"
    );
    assert_eq!(
        why("begin_checkout").unwrap(),
        "its name means Checkout started, and mapping.checkoutStarted is not written"
    );
    assert_eq!(why("Product Added"), None);
}

#[test]
fn a_suggestion_has_its_events_and_changes_no_mapping() {
    let before = resolve(&MappingSpec::default(), &[], false).mapping;
    let found = suggest(
        &before,
        &known(&[("Product Added", 4), ("Product Added", 3)]),
        0,
    );
    assert_eq!((found.len(), found[0].events), (1, 7));
    assert_eq!(found[0].stage, PostHogStage::AddedToCart);
}
