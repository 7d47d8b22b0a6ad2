//! A store whose process dies at a write, for tests of what the next process makes of what is there then.

mod fated;

pub use self::fated::{Fate, FatedStore};
