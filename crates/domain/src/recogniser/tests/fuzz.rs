//! Names at random, for as long as `FUZZ_SECONDS` says, or one second.

use proptest::prelude::*;

use super::*;
use crate::fuzzing::fuzz;

/// Words of which shops make names, and others.
fn any_words() -> impl Strategy<Value = Vec<String>> {
    let word = prop_oneof![
        6 => prop::sample::select(vec![
            "product", "products", "viewed", "view", "item", "added", "add", "to", "cart", "removed",
            "checkout", "started", "begin", "completed", "order", "orders", "placed", "paid", "refund",
            "purchase", "payment", "info", "step", "cancelled", "updated", "search", "list", "pre",
        ]).prop_map(str::to_owned),
        1 => "[a-z]{1,8}[0-9]{0,2}",
    ];
    prop::collection::vec(word, 1..6)
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// One name in the styles of several houses.
fn spelled(words: &[String]) -> Vec<String> {
    let capitals: Vec<String> = words.iter().map(|word| capital(word)).collect();
    vec![
        words.join("_"),
        words.join("-"),
        words.join(" ").to_uppercase(),
        format!("  {} ", capitals.join(" ")),
        format!("{}.", capitals.join(": ")),
    ]
}

fn means_the_same(words: &[String]) -> Result<(), TestCaseError> {
    let all = spelled(words);
    let meaning = recognise(&all[0]);
    for name in &all {
        prop_assert_eq!(recognise(name), meaning, "{:?}", name);
        prop_assert_eq!(is_order_like(name), meaning.is_some_and(Meaning::is_order));
        // What is PostHog's own means nothing here.
        prop_assert_eq!(recognise(&format!("${name}")), None);
    }
    Ok(())
}

#[test]
fn a_name_means_the_same_in_every_style() {
    fuzz(any_words(), |words| means_the_same(&words));
}

#[test]
fn white_space_is_the_same_as_an_underscore() {
    fuzz("\\PC{0,400}", |name| {
        let folded = recognise(&name.replace(['\n', '\t', ' '], "_"));
        prop_assert_eq!(recognise(&name), folded);
        Ok(())
    });
}
