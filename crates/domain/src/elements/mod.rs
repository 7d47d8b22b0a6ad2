//! The element that an autocapture event tells of, read from PostHog's `elements_chain`, and a
//! selector that names it the same way click after click: what clickmaps are counted by.

mod chain;
mod fault;
mod header;
mod pairs;

pub use self::chain::{Element, ElementsChain};
pub use self::fault::{BrokenChain, Fault};
pub use self::pairs::Quoted;

#[cfg(test)]
mod tests;
