//! What looks like the number of a payment card.

use std::borrow::Cow;
use std::ops::Range;

use super::Rewrite;

/// What stands in the place of one.
pub(super) const MASK: &str = "[card]";

/// How many digits a card's number has (ISO/IEC 7812-1; the shortest in use have 13).
const DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

/// The most characters between two groups of digits.
const SEPARATORS: usize = 3;

/// Replaces each card-like number by `[card]`.
pub(super) fn mask(text: &str) -> Cow<'_, str> {
    let mut rewrite = Rewrite::of(text);
    let mut groups = Groups { text, from: 0 }.peekable();
    // The groups that a number may begin with, and end in.
    let mut near: Vec<Range<usize>> = Vec::new();
    while let Some(group) = groups.next() {
        near.push(group);
        let ends = groups
            .peek()
            .is_none_or(|next| near.last().is_none_or(|last| !joined(text, last, next)));
        if ends {
            mask_run(text, &near, &mut rewrite);
            near.clear();
        }
    }
    rewrite.finish()
}

/// Masks the numbers in groups of digits that stand close together: from each group on, the longest
/// number that ends with a group.
fn mask_run(text: &str, groups: &[Range<usize>], rewrite: &mut Rewrite<'_>) {
    let enough = groups.iter().map(Range::len).sum::<usize>() >= *DIGITS.start();
    let mut first = 0;
    while enough && first < groups.len() {
        match longest_number(text, &groups[first..]) {
            Some(last) => {
                rewrite.replace(groups[first].start..groups[first + last].end, MASK);
                first += last + 1;
            }
            None => first += 1,
        }
    }
}

/// In which group the longest number ends that begins with the first.
fn longest_number(text: &str, groups: &[Range<usize>]) -> Option<usize> {
    let mut longest = None;
    let mut digits = 0;
    // The Luhn sum needs to know from the right which digit is doubled: both ways are kept.
    let (mut plain, mut doubled) = (0, 0);
    for (last, group) in groups.iter().enumerate() {
        digits += group.len();
        if digits > *DIGITS.end() {
            break;
        }
        for digit in text.as_bytes()[group.clone()]
            .iter()
            .map(|byte| u32::from(byte - b'0'))
        {
            let twice = digit * 2 / 10 + digit * 2 % 10;
            (plain, doubled) = (doubled + digit, plain + twice);
        }
        if DIGITS.contains(&digits) && plain % 10 == 0 {
            longest = Some(last);
        }
    }
    longest
}

fn joined(text: &str, before: &Range<usize>, after: &Range<usize>) -> bool {
    let between = &text[before.end..after.start];
    between.chars().count() <= SEPARATORS && between.chars().all(separates)
}

/// Spaces, hyphens and dots, in whatever form a keyboard or a page has them.
fn separates(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '-' | '.' | '_' | '+' | '\u{2010}'..='\u{2015}' | '\u{2212}'
        )
}

/// Each run of digits.
struct Groups<'a> {
    text: &'a str,
    from: usize,
}

impl Iterator for Groups<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let bytes = self.text.as_bytes();
        let digit = |byte: &u8| byte.is_ascii_digit();
        let start = self.from + bytes[self.from..].iter().position(digit)?;
        let rest = &bytes[start..];
        let end = start
            + rest
                .iter()
                .position(|byte| !digit(byte))
                .unwrap_or(rest.len());
        self.from = end;
        Some(start..end)
    }
}
