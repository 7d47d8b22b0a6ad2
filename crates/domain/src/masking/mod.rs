//! Text that people might have typed about themselves, masked before anything of it is kept:
//! e-mail addresses and card numbers.

mod card;
mod email;

use std::borrow::Cow;
use std::fmt;

/// A text without anything e-mail-like or card-like. There is no other way to make one, so that what
/// asks for it cannot be given what was captured.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MaskedText<'a>(Cow<'a, str>);

impl<'a> MaskedText<'a> {
    /// Masks a text in one pass for each rule; one without anything to mask is not copied.
    ///
    /// What was e-mail-like reads `[email]`: the whole run of letters, digits and such around an `@`
    /// (or its `%40`) that has something before it and a name with a dot behind it. What was card-like
    /// reads `[card]`: 13 to 19 digits that pass the Luhn check (ISO/IEC 7812-1), together or in groups
    /// with up to three spaces, hyphens or dots between; a tenth of all other such numbers pass it too.
    /// Neither mask has a quote, a colon or a semicolon.
    pub fn new(text: &'a str) -> Self {
        Self(match email::mask(text) {
            Cow::Borrowed(text) => card::mask(text),
            Cow::Owned(text) => match card::mask(&text) {
                Cow::Owned(text) => Cow::Owned(text),
                Cow::Borrowed(_) => Cow::Owned(text),
            },
        })
    }

    /// The text as it may be kept.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text by itself.
    pub fn into_owned(self) -> MaskedText<'static> {
        MaskedText(Cow::Owned(self.0.into_owned()))
    }
}

impl fmt::Display for MaskedText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether nothing in a text is e-mail-like or card-like.
pub fn is_harmless(text: &str) -> bool {
    matches!(MaskedText::new(text).0, Cow::Borrowed(_))
}

/// Whether a text has a mask in it: what stood there is not known any more, and was not the same for all.
pub fn has_mask(text: &str) -> bool {
    [email::MASK, card::MASK]
        .iter()
        .any(|mask| text.contains(mask))
}

/// Collects a text of which some parts are replaced; nothing is copied before the first.
struct Rewrite<'a> {
    text: &'a str,
    done: usize,
    written: String,
}

impl<'a> Rewrite<'a> {
    fn of(text: &'a str) -> Self {
        Self {
            text,
            done: 0,
            written: String::new(),
        }
    }

    /// The ranges must come in order.
    fn replace(&mut self, range: std::ops::Range<usize>, mask: &str) {
        self.written.push_str(&self.text[self.done..range.start]);
        self.written.push_str(mask);
        self.done = range.end;
    }

    fn finish(mut self) -> Cow<'a, str> {
        if self.done == 0 {
            return Cow::Borrowed(self.text);
        }
        self.written.push_str(&self.text[self.done..]);
        Cow::Owned(self.written)
    }
}

#[cfg(test)]
mod tests;
