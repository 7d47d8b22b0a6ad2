//! What a clickmap keeps of the element that was clicked.

use super::chain::{Element, ElementsChain};
use super::data_attributes::DataAttributes;
use super::selector::Selector;
use crate::masking::MaskedText;

/// What PostHog's toolbar takes for the target of a click on something within it (`CLICK_TARGETS` in
/// its `actions.ts`).
const CLICK_TARGETS: [&str; 5] = ["a", "button", "input", "select", "textarea"];

/// The clicked element, without anything that a visitor might have typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClickedElement {
    /// Names it on its page.
    pub selector: Selector,
    /// Its tag in lower case, masked too, for nothing says what a page calls its elements.
    pub tag: Option<MaskedText<'static>>,
    /// Its text.
    pub text: Option<MaskedText<'static>>,
    /// Where it leads, without query and fragment, which may hold tokens.
    pub href: Option<MaskedText<'static>>,
}

impl ClickedElement {
    /// The element that a click was meant for: a click on the icon or the words within a button is one
    /// on the button. It is the innermost link, button or field around the click, or an element that
    /// has a data attribute before that; without any of them what was hit. `None` for an empty chain.
    pub fn of(chain: &ElementsChain<'_>, names: &DataAttributes) -> Option<Self> {
        let is_target = |element: &Element<'_>| {
            element
                .tag()
                .is_some_and(|tag| CLICK_TARGETS.contains(&tag))
                || names.of(element).is_some()
        };
        let target = chain.elements().iter().position(is_target).unwrap_or(0);
        let element = chain.elements().get(target)?;
        let kept = |text: &str| {
            Some(MaskedText::new(text).into_owned()).filter(|text| !text.as_str().is_empty())
        };
        let href = element.href().map(|href| href.text().into_owned());
        let address = href
            .as_deref()
            .and_then(|href| href.split(['?', '#']).next());
        Some(Self {
            selector: Selector::of(chain, target, names)?,
            tag: element.tag().and_then(kept),
            text: element.text().and_then(|text| kept(text.text().trim())),
            href: address.and_then(kept),
        })
    }
}
