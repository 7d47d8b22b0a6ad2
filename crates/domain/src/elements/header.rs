//! What stands before an element's attributes: its tag, then `.class` for each class, then a colon.

use super::fault::{BrokenChain, Fault};
use super::pairs::value_after;

/// The tag and classes of one element, and where its first key begins.
pub(super) struct Header<'a> {
    pub(super) tag: &'a str,
    /// `.btn.btn-primary`, as written.
    pub(super) classes: &'a str,
    /// The first semicolon in `classes`, which is right only if a class has it.
    pub(super) semicolon: Option<usize>,
    pub(super) end: usize,
}

/// The header that begins at `from`.
pub(super) fn header_at(chain: &str, from: usize) -> Result<Header<'_>, BrokenChain> {
    let bytes = chain.as_bytes();
    if matches!(bytes.get(from), None | Some(b';')) {
        return Err(Fault::EmptyElement.at(from));
    }
    let value = value_after(chain, from)?.ok_or(Fault::NoAttributes.at(from))?;
    let colon = colon_before_key(&bytes[from..value - 2]).ok_or(Fault::NoAttributes.at(from))?;
    let (head, end) = (&chain[from..from + colon], from + colon + 1);
    let dot = memchr::memchr(b'.', head.as_bytes()).unwrap_or(head.len());
    let (tag, classes) = head.split_at(dot);
    if let Some(odd) = tag.bytes().position(|byte| byte <= b' ' || byte == b'"') {
        return Err(Fault::BadTag.at(from + odd));
    }
    if let Some(semicolon) = memchr::memchr(b';', tag.as_bytes()) {
        return Err(Fault::NoAttributes.at(from + semicolon));
    }
    // The writer leaves quotes out of classes.
    if let Some(quote) = memchr::memchr(b'"', classes.as_bytes()) {
        return Err(Fault::BadTag.at(from + dot + quote));
    }
    Ok(Header {
        tag,
        classes,
        semicolon: memchr::memchr(b';', classes.as_bytes()).map(|place| from + dot + place),
        end,
    })
}

/// The colon that ends the classes, in a text that ends where the first key does. Classes may hold
/// colons (`md:flex`), and so may the names of HTML attributes (`:class`, `xlink:href`), but those
/// are all written after `attr__`.
fn colon_before_key(text: &[u8]) -> Option<usize> {
    let mut last = None;
    for colon in memchr::memchr_iter(b':', text) {
        last = Some(colon);
        if text[colon + 1..].starts_with(b"attr__") {
            break;
        }
    }
    last
}
