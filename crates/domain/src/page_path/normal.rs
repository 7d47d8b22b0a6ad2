//! The normal form in which paths are compared: a product is one page, whatever language,
//! collection or spelling led to it.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// A page's path in normal form; shown as `/products/red-shirt`, the home page as `/`.
#[derive(Debug, Clone)]
pub struct NormalPath<'a> {
    text: Cow<'a, str>,
    /// Where the part begins that is not dropped.
    start: usize,
}

/// Brings a path to its normal form: query and fragment dropped, percent-decoded once, repeated
/// and trailing slashes removed, a Shopify locale prefix (`/fr`, `/en-ca`) dropped where it is the
/// first segment, then `/collections/{handle}` dropped where it stands before `/products`.
/// Takes any text; bytes that are not UTF-8 become U+FFFD. Letters keep their case.
pub fn normalise(path: &str) -> NormalPath<'_> {
    let bare = path.split(['?', '#']).next().unwrap_or_default();
    let text = percent_decode_str(bare).decode_utf8_lossy();
    let mut start = 0;
    if let Some((locale, end)) = segment_at(&text, start)
        && is_locale(locale)
    {
        start = end;
    }
    if let Some((collections, end)) = segment_at(&text, start)
        && is_collections(collections)
        && let Some((_handle, end)) = segment_at(&text, end)
        && let Some((products, _)) = segment_at(&text, end)
        && products.eq_ignore_ascii_case("products")
    {
        start = end;
    }
    NormalPath { text, start }
}

impl NormalPath<'_> {
    /// The segments between slashes, none of them empty.
    pub fn segments(&self) -> impl Iterator<Item = &str> + Clone {
        self.text[self.start..]
            .split('/')
            .filter(|segment| !segment.is_empty())
    }
}

impl std::fmt::Display for NormalPath<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.segments().next().is_none() {
            return f.write_str("/");
        }
        self.segments()
            .try_for_each(|segment| write!(f, "/{segment}"))
    }
}

/// The first segment at or after `from`, and where it ends.
fn segment_at(text: &str, from: usize) -> Option<(&str, usize)> {
    let rest = text[from..].trim_start_matches('/');
    let segment = rest
        .split('/')
        .next()
        .filter(|segment| !segment.is_empty())?;
    Some((segment, text.len() - rest.len() + segment.len()))
}

pub(super) fn is_collections(segment: &str) -> bool {
    segment.eq_ignore_ascii_case("collections")
}

/// Whether a segment has the form of a Shopify locale: a language of two letters, then perhaps a
/// country (`en-ca`), a script (`zh-hant`) or a region number (`es-419`).
pub(super) fn is_locale(segment: &str) -> bool {
    let letters = |part: &str, length| {
        part.len() == length && part.bytes().all(|byte| byte.is_ascii_alphabetic())
    };
    match segment.split_once('-') {
        None => letters(segment, 2),
        Some((language, place)) => {
            letters(language, 2)
                && (letters(place, 2)
                    || letters(place, 4)
                    || (place.len() == 3 && place.bytes().all(|byte| byte.is_ascii_digit())))
        }
    }
}
