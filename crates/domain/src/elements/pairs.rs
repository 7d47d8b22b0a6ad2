//! The `key="value"` pairs of an element, which stand one after another with nothing between.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use super::fault::{BrokenChain, Fault};

/// A value as it stands between its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quoted<'a>(pub(super) &'a str);

impl<'a> Quoted<'a> {
    /// The text with its escapes.
    pub fn raw(self) -> &'a str {
        self.0
    }

    /// The text that was captured. PostHog's writer puts a backslash before each quote that has
    /// none yet, and leaves backslashes alone (`escapeQuotes` in posthog-js), so that is what is
    /// undone here; PostHog's own readers leave the backslashes in.
    pub fn text(self) -> Cow<'a, str> {
        if self.0.contains(r#"\""#) {
            Cow::Owned(self.0.replace(r#"\""#, "\""))
        } else {
            Cow::Borrowed(self.0)
        }
    }
}

/// One pair, and where the next begins.
pub(super) struct Pair<'a> {
    pub(super) key: &'a str,
    pub(super) value: Quoted<'a>,
    pub(super) value_at: usize,
    pub(super) end: usize,
}

/// The pair whose key begins at `from`.
pub(super) fn pair_at(chain: &str, from: usize) -> Result<Pair<'_>, BrokenChain> {
    let value_at = value_after(chain, from)?.ok_or(Fault::BadAttribute.at(from))?;
    let key = &chain[from..value_at - 2];
    // Names of HTML attributes hold anything but white space, even quotes: `<a href="x"">` has one
    // named `"`.
    if key.is_empty() {
        return Err(Fault::BadAttribute.at(from));
    }
    if let Some(blank) = key.bytes().position(|byte| byte <= b' ') {
        return Err(Fault::BadAttribute.at(from + blank));
    }
    let (value, end) = value_from(chain, value_at)?;
    Ok(Pair {
        key,
        value,
        value_at,
        end,
    })
}

/// Where the next value begins, after its `="`; `None` if there is no quote any more.
pub(super) fn value_after(chain: &str, from: usize) -> Result<Option<usize>, BrokenChain> {
    let bytes = chain.as_bytes();
    let mut search = from;
    while let Some(found) = memchr(b'"', &bytes[search..]) {
        let quote = search + found;
        match bytes[from..quote].last() {
            Some(b'=') => return Ok(Some(quote + 1)),
            // An escaped quote of a key.
            Some(b'\\') => search = quote + 1,
            _ => return Err(Fault::StrayQuote.at(quote)),
        }
    }
    Ok(None)
}

/// The value that begins at `from`, after its opening quote, and where its closing quote ends. A
/// backslash keeps what follows it from closing, as in PostHog's readers.
pub(super) fn value_from(chain: &str, from: usize) -> Result<(Quoted<'_>, usize), BrokenChain> {
    let bytes = chain.as_bytes();
    let mut search = from;
    loop {
        let left = bytes.get(search..).unwrap_or_default();
        match memchr2(b'"', b'\\', left) {
            None => return Err(Fault::OpenValue.at(chain.len())),
            Some(found) if left[found] == b'"' => {
                let close = search + found;
                return Ok((Quoted(&chain[from..close]), close + 1));
            }
            Some(found) => search += found + 2,
        }
    }
}
