use proptest::prelude::*;

use super::*;

fn masked(text: &str) -> String {
    MaskedText::new(text).to_string()
}

#[test]
fn addresses_are_masked_in_whatever_form_a_page_has_them() {
    assert_eq!(masked("Hello ada.l@mail.example.org!"), "Hello [email]");
    assert_eq!(
        masked("mailto:ada@x.de?subject=a"),
        "mailto:[email]?subject=a"
    );
    assert_eq!(
        masked("/login?email=ada%40x.de&a=b"),
        "/login?email=[email]&a=b"
    );
    assert_eq!(masked("/r?to=%2Fl%3Fe%3Dada%2540x.de"), "/r?to=[email]");
    assert_eq!(
        masked("o'brien+shop@exämple.de, 李@例子.公司"),
        "[email], [email]"
    );
    assert_eq!(masked("andre\u{301}@cafe\u{301}.fr"), "[email]");
    assert_eq!(masked("a@b@c.de"), "[email]");
    assert_eq!(masked("<ada@x.de>"), "<[email]>");
    assert_eq!(
        masked("text=\"ada@x.de\"nth-child=\"1\""),
        "text=\"[email]\"nth-child=\"1\""
    );
}

#[test]
fn what_only_has_an_at_sign_is_left() {
    for text in [
        "@ada.example",
        "ada@localhost",
        "react@18.2.0",
        "@click.prevent",
        "a @ b.de",
        "50% off",
        "@",
        "%40",
        "ada@",
        "ada@.de",
        "ada@x.d",
        "/%E7%BA%A2.html",
        "100%25 wool",
        "@md:flex",
    ] {
        assert_eq!(masked(text), text);
        assert!(is_harmless(text), "{text}");
    }
}

#[test]
fn cards_are_masked_in_whatever_form_a_page_has_them() {
    assert_eq!(masked("4111111111111111"), "[card]");
    assert_eq!(
        masked("pay with 4111 1111 1111 1111, 12/29"),
        "pay with [card], 12/29"
    );
    assert_eq!(masked("3782-822463-10005"), "[card]");
    assert_eq!(masked("4111\u{a0}1111 – 1111.1111 123"), "[card] 123");
    assert_eq!(masked("5019717010103742 5019717010103742"), "[card] [card]");
    assert_eq!(masked("nr4111111111111111x"), "nr[card]x");
}

#[test]
fn other_numbers_are_left() {
    for text in [
        "4111111111111112",
        "0",
        "+49 30 1234567",
        "2024-05-12",
        "411111111111111",
        "7982374623984",
    ] {
        assert_eq!(masked(text), text);
    }
    let ones = "1".repeat(64);
    assert_eq!(masked(&ones), ones);
}

/// The Luhn check as the standard words it.
fn passes_luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte - b'0') * if place % 2 == 1 { 2 } else { 1 };
            if digit > 9 { digit - 9 } else { digit }
        })
        .sum();
    sum.is_multiple_of(10)
}

fn card() -> impl Strategy<Value = String> {
    "[0-9]{12,18}".prop_map(|digits| {
        let whole = (0..10).map(|check| format!("{digits}{check}"));
        whole
            .into_iter()
            .find(|number| passes_luhn(number))
            .unwrap()
    })
}

/// Every number in groups that is left in a text, found by trying all.
fn number_left(text: &str) -> Option<String> {
    let group = regex::Regex::new("[0-9]+").unwrap();
    let between = regex::Regex::new(r"^[\s._+\-\u{2010}-\u{2015}\u{2212}]{1,3}$").unwrap();
    let groups: Vec<_> = group.find_iter(text).map(|group| group.range()).collect();
    for first in 0..groups.len() {
        let mut number = String::new();
        for (place, group) in groups[first..].iter().enumerate() {
            let close =
                place == 0 || between.is_match(&text[groups[first + place - 1].end..group.start]);
            if !close {
                break;
            }
            number.push_str(&text[group.clone()]);
            if (13..=19).contains(&number.len()) && passes_luhn(&number) {
                return Some(number);
            }
        }
    }
    None
}

proptest! {
    #[test]
    fn no_card_survives(
        card in card(),
        (before, after) in ("([^0-9]{0,8}[a-z:=\"])?", "([a-z;\"][^0-9]{0,8})?"),
        cuts in prop::collection::vec((1_usize..5, prop::sample::select(vec![" ", "-", ".", "\u{a0}", " - "])), 0..5),
    ) {
        let mut written = String::new();
        let mut rest = &card[..];
        for (length, separator) in cuts {
            let (group, left) = rest.split_at(length.min(rest.len()));
            written += group;
            if !left.is_empty() {
                written += separator;
            }
            rest = left;
        }
        written += rest;
        let text = masked(&format!("{before}{written}{after}"));
        prop_assert!(!text.contains(|c: char| c.is_ascii_digit()), "{}", text);
        prop_assert!(text.contains("[card]"));
    }

    #[test]
    fn no_number_that_passes_is_left_and_none_else_is_masked(text in "([0-9]{1,5}|[0-9]{12,20}|[ .a-]{1,4}){0,12}") {
        let result = masked(&text);
        prop_assert_eq!(number_left(&result), None);
        prop_assert_eq!(result == text, number_left(&text).is_none(), "{}", result);
    }

    #[test]
    fn no_address_survives(
        local in "[a-z0-9é][a-z0-9.+_'-]{0,30}",
        domain in "[a-z0-9ü]([a-z0-9-]{0,8}[a-z0-9])?(\\.[a-z]{2,8}){1,3}",
        sign in prop::sample::select(vec!["@", "%40", "%2540"]),
        (before, after) in ("\\PC{0,12}", "\\PC{0,12}"),
    ) {
        let address = format!("{local}{sign}{domain}");
        let text = masked(&format!("{before}{address}{after}"));
        prop_assert!(!text.contains(&address), "{}", text);
        prop_assert!(text.contains("[email]"), "{}", text);
    }

    #[test]
    fn masking_twice_changes_nothing(text in "(\\PC|[0-9]{4}[ -]?|@|%40|[a-z.]{1,3}){0,40}") {
        let once = masked(&text);
        prop_assert_eq!(masked(&once), once.clone());
        prop_assert_eq!(is_harmless(&text), once == text);
    }

    #[test]
    fn a_text_without_at_signs_and_thirteen_digits_is_left(text in "[^0-9@%]{0,60}[0-9]{0,12}[^0-9@%]{0,60}") {
        prop_assert!(is_harmless(&text));
    }
}
