//! PostHog's reader: the regular expressions of `posthog/models/element/element.py`.

use std::sync::LazyLock;

use proptest::prelude::*;
use regex::Regex;

use super::written::{Captured, plain, write};
use super::*;

static ELEMENTS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"(?:[^\s;"]|"(?:\\.|[^"])*")+"#).unwrap());
static HEADER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(.*?)($|:([a-zA-Z\-_0-9]*=.*))").unwrap());
static PAIRS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"(.*?)="((?:[^"\\]|\\.)*)""#).unwrap());

/// Tag with classes, and pairs, of each element that they find.
pub(super) fn read(chain: &str) -> Vec<(&str, Vec<(&str, &str)>)> {
    let group =
        |found: &regex::Captures<'_>, group| found.get(group).map_or(0..0, |found| found.range());
    ELEMENTS
        .find_iter(chain)
        .map(|element| {
            let element = element.as_str();
            let header = HEADER.captures(element).unwrap();
            let attributes = &element[group(&header, 3)];
            let pairs = PAIRS
                .captures_iter(attributes)
                .map(|pair| (&attributes[group(&pair, 1)], &attributes[group(&pair, 2)]))
                .filter(|(key, _)| !key.is_empty());
            (&element[group(&header, 1)], pairs.collect())
        })
        .collect()
}

/// What they found, written again.
pub(super) fn again(chain: &str) -> String {
    let element = |(header, pairs): (&str, Vec<(&str, &str)>)| {
        let pairs = pairs
            .iter()
            .map(|(key, value)| format!("{key}=\"{value}\""));
        format!("{header}:{}", pairs.collect::<String>())
    };
    read(chain)
        .into_iter()
        .map(element)
        .collect::<Vec<_>>()
        .join(";")
}

fn agree(text: &str) {
    let chain = ElementsChain::parse(text).unwrap();
    let ours: Vec<(String, Vec<(&str, &str)>)> = chain
        .elements()
        .iter()
        .map(|element| {
            let header = format!(
                "{}{}",
                element.tag().unwrap_or_default(),
                element.dotted_classes()
            );
            (
                header,
                element
                    .pairs()
                    .map(|(key, value)| (key, value.raw()))
                    .collect(),
            )
        })
        .collect();
    let theirs: Vec<(String, Vec<(&str, &str)>)> = read(text)
        .into_iter()
        .map(|(header, pairs)| (header.to_owned(), pairs))
        .collect();
    assert_eq!(ours, theirs, "{text}");
}

#[test]
fn posthogs_own_examples_are_read_as_posthog_reads_them() {
    corpus::WHOLE.into_iter().for_each(agree);
}

#[test]
fn posthog_loses_a_part_of_what_is_refused() {
    for (text, at) in corpus::BROKEN {
        assert_eq!(
            ElementsChain::parse(text).map_err(|fault| fault.at),
            Err(at),
            "{text}"
        );
        assert_ne!(again(text), text);
    }
}

#[test]
fn where_posthog_loses_something_ours_does_not() {
    for text in [
        "a:nth-child=\"1\"text=\"two\nlines\"",
        "a.x\n.y:nth-child=\"1\"",
        r#"a.btn;:attr__class="btn;"nth-child="1""#,
        r#"a:attr__:class="x"nth-child="1""#,
        r#"a:attr__\"="x"nth-child="1""#,
        r#"a.data-[x:y=z]:attr__class="data-[x:y=z]"nth-child="1""#,
    ] {
        let chain = ElementsChain::parse(text).unwrap();
        assert_eq!(super::again(&chain), text);
        let tags: Vec<_> = read(text).iter().map(|(header, _)| *header).collect();
        let ours: Vec<_> = chain
            .elements()
            .iter()
            .map(|element| {
                format!(
                    "{}{}",
                    element.tag().unwrap_or_default(),
                    element.dotted_classes()
                )
            })
            .collect();
        assert!(again(text) != text || tags != ours, "{text}");
    }
}

proptest! {
    #[test]
    fn both_read_the_same_where_posthog_loses_nothing(elements in plain()) {
        prop_assume!(elements.iter().all(Captured::is_clear));
        agree(&write(&elements).0);
    }
}
