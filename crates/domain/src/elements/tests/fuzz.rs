//! PostHog's own examples, changed at random for as long as `FUZZ_SECONDS` says, or one second.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::fuzzing::fuzz;

/// A piece is put in the place of some bytes.
type Change = (Index, usize, String);

fn change(text: &str, (at, removed, piece): &Change) -> String {
    let places: Vec<usize> = text
        .char_indices()
        .map(|(at, _)| at)
        .chain([text.len()])
        .collect();
    let from = at.index(places.len());
    let to = (from + removed).min(places.len() - 1);
    format!("{}{piece}{}", &text[..places[from]], &text[places[to]..])
}

fn changed() -> impl Strategy<Value = String> {
    let broken = corpus::BROKEN.map(|(text, _)| text);
    let seed = prop::sample::select([&corpus::WHOLE[..], &broken].concat());
    let piece = prop_oneof![
        4 => r#"[";:=.\\ \na0]{0,3}"#,
        1 => prop::sample::select(vec![
            r#"="x""#, r#"";a:b=""#, r#"\\""#, "attr__", ":attr__", "nth-child", r#"text="y""#, "é", "\u{a0}",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,4}",
    ];
    let change_of = (any::<Index>(), 0_usize..4, piece);
    (seed, prop::collection::vec(change_of, 1..6)).prop_map(|(seed, changes)| {
        changes
            .iter()
            .fold(seed.to_owned(), |text, one| change(&text, one))
    })
}

/// A chain is read whole, so that it can be written again byte for byte; or it is refused, and then
/// PostHog's rules lose a part of it, or find a tag or key that nobody writes, or the fault is one that
/// they do not look for.
fn read_whole_or_not_at_all(text: &str) -> Result<(), TestCaseError> {
    match ElementsChain::parse(text) {
        Ok(chain) => prop_assert_eq!(again(&chain), text),
        Err(broken) => {
            prop_assert!(broken.at <= text.len() && text.is_char_boundary(broken.at));
            let unlooked_for = matches!(
                broken.fault,
                Fault::StrayQuote | Fault::BadPosition | Fault::RepeatedAttribute
            ) || text.contains(|c: char| c < ' ');
            let unwritten = posthog_regexps::read(text)
                .iter()
                .any(|(header, pairs)| header.contains('"') || pairs.iter().any(is_unwritten));
            let loses = posthog_regexps::again(text) != text;
            prop_assert!(unlooked_for || unwritten || loses, "{}: {}", broken, text);
        }
    }
    Ok(())
}

/// Names of HTML attributes, which stand after `attr__`, hold anything but white space and, past their
/// first letter, `=`; other keys only letters, hyphens and lines.
fn is_unwritten((key, _): &(&str, &str)) -> bool {
    match key.strip_prefix("attr__") {
        Some(name) => name.contains(char::is_whitespace) || name.chars().skip(1).any(|c| c == '='),
        None => !key
            .chars()
            .all(|c| c.is_ascii_alphabetic() || "-_".contains(c)),
    }
}

#[test]
fn no_change_of_a_real_chain_is_half_read() {
    fuzz(changed(), |text| read_whole_or_not_at_all(&text));
}
