//! A chain as it may be kept: without what a visitor might have typed, and read as before.

use std::borrow::Cow;

use super::chain::{Element, ElementsChain};
use crate::masking::{MaskedText, is_harmless};

/// Masks what the elements of a chain say: texts, values of attributes, classes. Tags and the names of
/// attributes stay, for a chain is read by them, and `@click.prevent` looks like an address. A text that
/// is not a whole chain is masked as one text. One without anything to mask is not copied.
pub fn masked(chain: &str) -> Cow<'_, str> {
    if is_harmless(chain) {
        return Cow::Borrowed(chain);
    }
    let Ok(elements) = ElementsChain::parse(chain) else {
        return Cow::Owned(MaskedText::new(chain).to_string());
    };
    let mut kept = String::with_capacity(chain.len());
    for element in elements.elements() {
        if !kept.is_empty() {
            kept.push(';');
        }
        kept.push_str(element.tag().unwrap_or_default());
        kept.push_str(&classes(element));
        kept.push(':');
        for (key, value) in element.pairs() {
            let value = MaskedText::new(value.raw());
            kept.extend([key, "=\"", value.as_str(), "\""]);
        }
    }
    Cow::Owned(kept)
}

/// The classes that stand before the colon. Where the `class` attribute tells them apart each is masked by
/// itself: together, with dots between, `flex @container mx-auto` looks like an address.
fn classes(element: &Element<'_>) -> String {
    let dotted = element.dotted_classes();
    let class = element.attribute("class");
    let Some(class) = class.filter(|_| element.has_dotted_what_it_has()) else {
        let rest = dotted.strip_prefix('.').map(MaskedText::new);
        return rest.map(|rest| format!(".{rest}")).unwrap_or_default();
    };
    let mut kept = dotted.to_owned();
    for class in class.text().split_whitespace() {
        // The writer leaves quotes out before the colon.
        let bare = class.replace('"', "");
        let masked = MaskedText::new(&bare);
        if masked.as_str() != bare {
            kept = kept.replace(&bare, masked.as_str());
        }
    }
    kept
}
