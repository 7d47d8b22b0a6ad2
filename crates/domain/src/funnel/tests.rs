use jiff::civil::date;

use super::*;
use crate::mapping::StageRule;

const DAY: Date = date(2026, 11, 1);
const NEXT: Date = date(2026, 11, 2);

fn mapping(source: StageSource, checkout_source: CheckoutSource) -> Mapping {
    let stage = |stage, source, names: &[&str]| StageMapping {
        stage,
        source,
        rules: names
            .iter()
            .map(|name| StageRule {
                name: EventName::from(*name),
                url_path: None,
            })
            .collect(),
    };
    let checkout = match checkout_source {
        CheckoutSource::Shopify => stage(PostHogStage::CheckoutStarted, StageSource::Shopify, &[]),
        _ => stage(PostHogStage::CheckoutStarted, source, &["checkout"]),
    };
    Mapping {
        stages: vec![
            stage(PostHogStage::ProductViewed, source, &["old", "new"]),
            stage(PostHogStage::AddedToCart, StageSource::Default, &[]),
            checkout,
        ],
        checkout_source,
    }
}

fn count(day: Date, stage: PostHogStage, name: &str, events: u64) -> DailyStageCount {
    DailyStageCount {
        day,
        stage,
        name: EventName::from(name),
        events,
    }
}

fn viewed(day: Date, name: &str, events: u64) -> DailyStageCount {
    count(day, PostHogStage::ProductViewed, name, events)
}

/// Events and flags of Product viewed on each of two days.
fn product_viewed(
    source: StageSource,
    counts: &[DailyStageCount],
) -> Vec<(Option<u64>, Vec<FunnelFlag>, String)> {
    let mapping = mapping(source, CheckoutSource::Auto);
    funnel(&mapping, counts, Feed::Shopify, [DAY, NEXT])
        .into_iter()
        .map(|day| {
            let [cell, ..] = day.stages;
            let names: Vec<&str> = cell.counted.iter().map(EventName::as_str).collect();
            (cell.events, cell.flags, names.join(","))
        })
        .collect()
}

#[test]
fn names_that_the_merchant_chose_are_added_up() {
    let counts = [viewed(DAY, "new", 5), viewed(DAY, "old", 3)];
    assert_eq!(
        product_viewed(StageSource::Override, &counts),
        [
            (Some(8), vec![], "new,old".into()),
            (Some(0), vec![], String::new())
        ]
    );
}

#[test]
fn of_two_default_names_on_one_day_the_larger_counts_and_is_flagged() {
    let counts = [
        viewed(DAY, "old", 3),
        viewed(DAY, "new", 5),
        viewed(DAY, "zero", 0),
    ];
    assert_eq!(
        product_viewed(StageSource::Default, &counts)[0],
        (Some(5), vec![FunnelFlag::DoubleTracked], "new".into())
    );
    let equal = [viewed(DAY, "old", 3), viewed(DAY, "new", 3)];
    assert_eq!(product_viewed(StageSource::Default, &equal)[0].2, "new");
}

#[test]
fn a_switch_of_names_over_time_is_followed_without_a_flag() {
    let counts = [viewed(DAY, "old", 3), viewed(NEXT, "new", 5)];
    assert_eq!(
        product_viewed(StageSource::Default, &counts),
        [
            (Some(3), vec![], "old".into()),
            (Some(5), vec![], "new".into())
        ]
    );
}

#[test]
fn a_stage_without_rules_has_no_number_and_says_why() {
    let mapping = mapping(StageSource::Default, CheckoutSource::Auto);
    let [day] = &funnel(&mapping, &[], Feed::PostHog, [DAY])[..] else {
        panic!("one day was asked for")
    };
    let cart = &day.stages[1];
    assert_eq!(
        (cart.events, &cart.flags[..]),
        (None, &[FunnelFlag::NotMapped][..])
    );
    assert_eq!(cart.feed, Feed::PostHog);
}

#[test]
fn orders_are_always_shopifys_and_never_a_number() {
    let mapping = mapping(StageSource::Default, CheckoutSource::PostHog);
    for day in funnel(
        &mapping,
        &[viewed(DAY, "old", 3)],
        Feed::PostHog,
        [DAY, NEXT],
    ) {
        let order = &day.stages[3];
        assert_eq!(
            (order.stage, order.feed, order.events),
            (FunnelStage::OrderCompleted, Feed::Shopify, None)
        );
    }
}

#[test]
fn checkout_has_a_number_only_when_posthog_feeds_it() {
    let checkouts = [count(DAY, PostHogStage::CheckoutStarted, "checkout", 4)];
    let auto = mapping(StageSource::Default, CheckoutSource::Auto);
    let cell = |feed| funnel(&auto, &checkouts, feed, [DAY])[0].stages[2].clone();
    assert_eq!(cell(Feed::PostHog).events, Some(4));
    assert_eq!(
        (cell(Feed::Shopify).events, cell(Feed::Shopify).feed),
        (None, Feed::Shopify)
    );
}

#[test]
fn auto_takes_posthog_only_after_a_checkout_was_seen() {
    let checkouts = [count(DAY, PostHogStage::CheckoutStarted, "checkout", 4)];
    let zero = [count(DAY, PostHogStage::CheckoutStarted, "checkout", 0)];
    let other = [viewed(DAY, "old", 3)];
    for (source, recent, feed) in [
        (CheckoutSource::Auto, &checkouts, Feed::PostHog),
        (CheckoutSource::Auto, &zero, Feed::Shopify),
        (CheckoutSource::Auto, &other, Feed::Shopify),
        (CheckoutSource::PostHog, &other, Feed::PostHog),
        (CheckoutSource::Shopify, &checkouts, Feed::Shopify),
    ] {
        assert_eq!(
            checkout_feed(&mapping(StageSource::Default, source), recent),
            feed
        );
    }
}
