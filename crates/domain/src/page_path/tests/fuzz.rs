//! Addresses written in every way that shops and browsers write them, for as long as `FUZZ_SECONDS` says.

use proptest::prelude::*;

use super::oracle::oracle;
use super::*;
use crate::fuzzing::fuzz;

/// One character of a path, as it is, in the other case, or percent-encoded.
fn spelled(of: char, how: u8) -> String {
    match how % 4 {
        0 => of.to_ascii_uppercase().to_string(),
        1 => format!("%{:02x}", u32::from(of)),
        2 => format!("%{:02X}", u32::from(of.to_ascii_uppercase())),
        _ => of.to_string(),
    }
}

/// A path in another spelling of the same.
fn respelled(path: &[String], hows: &[u8]) -> String {
    let mut hows = hows.iter().copied().cycle();
    let mut how = || hows.next().unwrap_or_default();
    let mut text = String::new();
    for segment in path {
        text.push_str(&"/".repeat(usize::from(how() % 3) + 1));
        text.extend(segment.chars().map(|it| spelled(it, how())));
    }
    text
}

#[test]
fn a_page_is_matched_alike_however_its_address_is_written() {
    let word = || {
        prop::sample::select(vec![
            "a", "cart", "products", "shirt-2", "x.json", "*", "**",
        ])
    };
    let segment = prop_oneof![
        4 => prop::sample::select(vec!["a", "cart", "products", "shirt-2", "x.json"]).prop_map(str::to_owned),
        1 => "[b-z]{3,6}(-[0-9]{1,3})?",
    ];
    let values = (
        prop::collection::vec(word(), 0..5),
        prop::collection::vec(segment, 0..6),
        prop::collection::vec(any::<u8>(), 1..40),
        "(\\?[a-z=/%&]{0,9})?(#[a-z/?]{0,5})?",
    );
    fuzz(values, |(wanted, path, hows, rest)| {
        let wanted_text = format!("/{}", wanted.join("/"));
        let url = respelled(&path, &hows) + &rest;
        let expected = oracle(&wanted, &path);
        prop_assert_eq!(
            pattern(&wanted_text).matches(&url),
            expected,
            "{} {}",
            wanted_text,
            url
        );
        let whole = format!("https://shop.example{url}");
        let (host, found) = page_of(Some(&whole), None, None);
        prop_assert_eq!(host.as_deref(), Some("shop.example"));
        let found = found.unwrap_or_default();
        prop_assert_eq!(
            pattern(&wanted_text).matches(&found),
            expected,
            "{} {}",
            wanted_text,
            whole
        );
        Ok(())
    });
}

#[test]
fn no_text_makes_anything_panic() {
    let text = || {
        prop_oneof![
            "\\PC{0,80}",
            "(https?:)?[a-z@:/?#. %*\\[\\]]{0,40}",
            ".{0,40}"
        ]
    };
    fuzz((text(), text()), |(text, other)| {
        let _ = page_of(Some(&text), Some(&other), Some(&text));
        let _ = normalise(&text).to_string();
        if let Ok(pattern) = PathPattern::parse(&other) {
            let _ = pattern.matches(&text);
        }
        Ok(())
    });
}
