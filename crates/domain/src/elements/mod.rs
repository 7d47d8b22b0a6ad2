//! The element that an autocapture event tells of, read from PostHog's `elements_chain`, and a
//! selector that names it the same way click after click: what clickmaps are counted by.

mod chain;
mod clicked;
mod data_attributes;
mod fault;
mod header;
mod masked;
mod name;
mod pairs;
mod selector;

pub use self::chain::{Element, ElementsChain};
pub use self::clicked::ClickedElement;
pub use self::data_attributes::{DataAttributes, DataAttributesError};
pub use self::fault::{BrokenChain, Fault};
pub use self::masked::masked;
pub use self::pairs::Quoted;
pub use self::selector::{Basis, Selector};

#[cfg(test)]
mod tests;
