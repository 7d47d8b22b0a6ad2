//! Whether the value of an attribute names its element for good.

use crate::masking::{has_mask, is_harmless};

/// The longest value that somebody gave as a name, in bytes.
const LONGEST: usize = 128;

/// The shortest run of digits that is a product's or a variant's id rather than a counter.
const ID_DIGITS: usize = 6;

/// Whether a value is the same at the next visit, on the next page of the same template, and may be
/// kept. React's `useId` makes ids that are not (PostHog's toolbar leaves out `:r5:` and `«r5»`;
/// React 19.2 writes `_r_5_`); one with a long number names one product of a page that all have.
pub(super) fn is_name(value: &str) -> bool {
    !value.trim().is_empty()
        && value.len() <= LONGEST
        && !value.contains(char::is_control)
        && !has_long_number(value)
        && !is_generated(value)
        && is_harmless(value)
        && !has_mask(value)
}

fn has_long_number(value: &str) -> bool {
    value
        .split(|c: char| !c.is_ascii_digit())
        .any(|digits| digits.len() >= ID_DIGITS)
}

fn is_generated(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    [(":r", ":"), ("«r", "»"), ("_r_", "_")]
        .into_iter()
        .any(|(open, close)| {
            value.match_indices(open).any(|(at, _)| {
                let counter = value[at + open.len()..]
                    .trim_start_matches(|c: char| c.is_ascii_alphanumeric());
                counter.starts_with(close)
            })
        })
}
