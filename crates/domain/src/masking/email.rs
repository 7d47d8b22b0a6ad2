//! What looks like an e-mail address.

use std::borrow::Cow;

use super::Rewrite;

/// What stands in the place of one.
pub(super) const MASK: &str = "[email]";

/// Replaces each run of address characters that has an address in it by `[email]`.
pub(super) fn mask(text: &str) -> Cow<'_, str> {
    // Most texts have neither, and that is quickly seen.
    if memchr::memchr2(b'@', b'%', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut rewrite = Rewrite::of(text);
    let mut from = 0;
    while from < text.len() {
        let rest = &text[from..];
        let run = rest.find(|c| !is_of_an_address(c)).unwrap_or(rest.len());
        if has_address(&rest[..run]) {
            rewrite.replace(from..from + run, MASK);
        }
        from += run;
        from += text[from..].chars().next().map_or(0, char::len_utf8);
    }
    rewrite.finish()
}

/// RFC 5322's atext in any script, dots and at signs, without what separates the parts of a URL.
fn is_of_an_address(c: char) -> bool {
    is_of_a_word(c) || "@.!#$%'*+-^_`{|}~".contains(c)
}

/// A letter or digit of any script, or the accent of one before it.
fn is_of_a_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '\u{300}'..='\u{36f}')
}

/// Whether a run of such characters holds `x@y.zz`, the at sign perhaps percent-encoded, however
/// often.
fn has_address(run: &str) -> bool {
    let mut rest = run;
    let mut before = false;
    while let Some(at) = memchr::memchr2(b'@', b'%', rest.as_bytes()) {
        before |= at > 0;
        rest = &rest[at..];
        match after_at_sign(rest) {
            Some(domain) if before && begins_with_domain(domain) => return true,
            Some(domain) => {
                before = false;
                rest = domain;
            }
            None => {
                before = true;
                rest = &rest[1..];
            }
        }
    }
    false
}

/// What follows `@`, `%40`, `%2540`, …
fn after_at_sign(text: &str) -> Option<&str> {
    if let Some(domain) = text.strip_prefix('@') {
        return Some(domain);
    }
    let mut encoded = text.strip_prefix('%')?;
    while let Some(again) = encoded.strip_prefix("25") {
        encoded = again;
    }
    encoded.strip_prefix("40")
}

/// Whether a text begins with a name that has a dot and, in one of its labels behind the first, begins
/// with two letters: no version number, such as in `react@18.2.0`, does.
fn begins_with_domain(text: &str) -> bool {
    let end = text
        .find(|c: char| !(is_of_a_word(c) || c == '-' || c == '.'))
        .unwrap_or(text.len());
    let mut labels = text[..end].split('.');
    labels.next().is_some_and(|first| !first.is_empty())
        && labels.any(|label| {
            let mut letters = label.chars().take(2);
            label.chars().nth(1).is_some() && letters.all(char::is_alphabetic)
        })
}
