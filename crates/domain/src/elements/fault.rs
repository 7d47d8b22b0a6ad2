//! Why a text is not an elements chain, and where.

/// A text that is not what PostHog's SDKs write, so that nothing of it is used. Such chains are
/// counted as unparsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("elements_chain is broken at byte {at}: {fault}")]
pub struct BrokenChain {
    /// The byte, counted from 0, at which it is certain.
    pub at: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong with a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
pub enum Fault {
    /// Two semicolons in a row, or one at an end.
    #[error("an element is empty")]
    EmptyElement,
    /// An element that is only a tag and classes. PostHog's web SDK always writes a position; that of
    /// iOS writes views without any, which stand on no web page.
    #[error("an element has no attributes")]
    NoAttributes,
    /// A tag with white space or a control character, or a quote in it or in the classes.
    #[error("an element's tag or classes hold what none can")]
    BadTag,
    /// A quote that neither opens nor closes a value and is not escaped.
    #[error("a quote stands outside of a value")]
    StrayQuote,
    /// An attribute whose name is missing, has white space or has no value.
    #[error("an attribute has no name or no value")]
    BadAttribute,
    /// The text ends within a value.
    #[error("a value is not closed")]
    OpenValue,
    /// `nth-child` or `nth-of-type` is no number.
    #[error("an element's position is not a number")]
    BadPosition,
    /// One of the attributes that PostHog writes once is there twice.
    #[error("an attribute is there twice")]
    RepeatedAttribute,
}

impl Fault {
    pub(super) fn at(self, at: usize) -> BrokenChain {
        BrokenChain { at, fault: self }
    }
}
