//! URL paths of shop pages: one normal form, and patterns over it (DESIGN.md "What counts as a
//! product page").

mod error;
mod normal;
mod page_of;
mod pattern;
mod template;

pub use self::error::PathPatternError;
pub use self::normal::{NormalPath, normalise};
pub use self::page_of::page_of;
pub use self::pattern::PathPattern;
pub use self::template::{PageTemplate, PageTemplates, PageTemplatesError};

#[cfg(test)]
mod tests;
