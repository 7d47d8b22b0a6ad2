use super::*;
use crate::event::EventName;
use crate::page_path::PathPattern;

fn rule(name: &str, path: Option<&str>) -> StageRule {
    StageRule {
        name: EventName::from(name),
        url_path: path.map(|path| PathPattern::parse(path).unwrap()),
    }
}

fn refused(stages: &[(PostHogStage, &[&str])]) -> String {
    let stages = stages
        .iter()
        .map(|(stage, names)| StageSpec {
            stage: *stage,
            rules: names.iter().map(|name| rule(name, None)).collect(),
        })
        .collect();
    MappingSpec::new(stages, CheckoutSource::Auto)
        .unwrap_err()
        .to_string()
}

const CART: PostHogStage = PostHogStage::AddedToCart;
const VIEWED: PostHogStage = PostHogStage::ProductViewed;

#[test]
fn an_order_cannot_be_mapped_to_any_stage() {
    for stage in PostHogStage::ALL {
        for name in [
            "order completed",
            "checkout_completed",
            "Purchase",
            "Order Refunded",
        ] {
            assert_eq!(
                refused(&[(stage, &[name])]),
                format!(
                    "mapping.{}.events names {name:?}, which means an order: orders come from Shopify's orders/create webhook and are never counted from PostHog, remove it",
                    stage.field()
                )
            );
        }
    }
}

#[test]
fn one_event_belongs_to_one_stage() {
    assert_eq!(
        refused(&[(VIEWED, &["a", "b"]), (CART, &["b"])]),
        "mapping.addedToCart.events names \"b\", which mapping.productViewed.events already has: one event belongs to one stage, remove it from one of them"
    );
    assert_eq!(
        refused(&[(VIEWED, &["a", "a"])]),
        "mapping.productViewed.events lists \"a\" twice: remove one of them"
    );
}

#[test]
fn names_and_rules_have_limits() {
    let long = "x".repeat(401);
    assert_eq!(
        refused(&[(CART, &[&long])]),
        "mapping.addedToCart.events has a name of 401 characters: PostHog's event names have 1 to 400"
    );
    assert!(refused(&[(CART, &[""])]).contains("a name of 0 characters"));
    assert!(refused(&[(CART, &[])]).contains("has 0 entries"));
    let names: Vec<String> = (0..33).map(|number| number.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert!(refused(&[(CART, &names)]).contains("has 33 entries: write 1 to 32"));
}

#[test]
fn the_limits_themselves_and_one_name_on_two_pages_are_accepted() {
    let mut rules: Vec<StageRule> = (0..30)
        .map(|number| rule(&number.to_string(), None))
        .collect();
    rules.push(rule(&"ü".repeat(400), None));
    rules.push(rule("$pageview", Some("/products/*")));
    let again = vec![
        rule("a", Some("/x")),
        rule("a", Some("/y")),
        rule("A", None),
    ];
    let stages = vec![
        StageSpec {
            stage: VIEWED,
            rules,
        },
        StageSpec {
            stage: CART,
            rules: again,
        },
    ];
    let spec = MappingSpec::new(stages.clone(), CheckoutSource::Shopify).unwrap();
    assert_eq!(spec.stages(), stages);
    assert_eq!(spec.checkout_source(), CheckoutSource::Shopify);
}
