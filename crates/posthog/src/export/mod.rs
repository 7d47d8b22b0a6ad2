//! The files of PostHog's exports: lines of JSON, each an event with all its properties, from which
//! the same columns are derived that a query selects.

mod columns;
mod file;
mod line;
mod value;

pub use self::columns::ExportColumns;
pub(crate) use self::columns::types_of;
pub(crate) use self::file::{File, MOST_ROWS, Reached};

#[cfg(test)]
mod tests;
