//! How many of a name's newest events are of the pages that a rule asks for, against a look at each.

use std::cmp::Reverse;

use domain::mapping::StageRule;
use domain::page_path::PathPattern;
use domain::{Event, EventName};
use proptest::prelude::*;

use super::Database;
use super::fixtures::{Site, any_history, event, hours};
use super::oracle::Oracle;

const PATHS: [Option<&str>; 10] = [
    Some("/products/red-shirt"),
    Some("/fr/products/red-shirt/"),
    Some("/en-ca/collections/sale/products/red-shirt"),
    Some("/PRODUCTS/Red%20Shirt"),
    Some("/%70roducts/x"),
    Some("/products"),
    Some("/products/red-shirt/reviews"),
    Some("/products/red-shirt.json"),
    Some("/"),
    None,
];

fn any_event() -> impl Strategy<Value = Event> {
    (0_u128..60, 0_i64..30, 0_usize..4, 0..PATHS.len()).prop_map(|(uuid, stamped, name, path)| {
        let names = ["$pageview", "$pageview", "$Pageview", "search"];
        let mut row = event(uuid, names[name], "a", hours(stamped));
        row.path = PATHS[path].map(str::to_owned);
        row
    })
}

pub(crate) async fn the_newest_events_of_a_name_are_counted_by_the_page_that_a_rule_asks_for(
    database: &dyn Database,
) {
    let products = PathPattern::parse("/products/*").unwrap();
    let strategy = (
        prop::collection::vec(any_event(), 0..60),
        0_i64..30,
        0_usize..40,
    );
    any_history(strategy, async |name, (events, since, newest)| {
        let mut site = Site::named(database.open().await, &name).await;
        site.store(&events).await;
        let mut oracle = Oracle::default();
        oracle.apply(&events);
        let since = hours(since);
        let mut rows: Vec<&Event> = oracle
            .rows
            .values()
            .filter(|it| it.event.as_str() == "$pageview" && it.timestamp >= since)
            .collect();
        rows.sort_by_key(|it| Reverse((it.timestamp, it.uuid)));
        rows.truncate(newest);
        let is_product = |it: &&&Event| {
            it.path
                .as_deref()
                .is_some_and(|path| products.matches(path))
        };
        let of_products = rows.iter().filter(is_product).count() as u64;
        for (url_path, expected) in [
            (Some(products.clone()), of_products),
            (None, rows.len() as u64),
        ] {
            let rule = StageRule {
                name: EventName::from("$pageview"),
                url_path,
            };
            let counted = site.store.count_taken(site.id, &rule, since, newest).await;
            assert_eq!(counted.unwrap(), expected, "{rule:?}");
        }
    });
}
