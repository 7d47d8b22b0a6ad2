//! Which events are clicks for a clickmap, and which of them tell of a click that another event tells
//! of already: each click is counted once, as a plain, a rage or a dead one.

mod doubles;
mod kind;

pub use self::doubles::{Click, OWN_CLICK_WITHIN, doubles};
pub use self::kind::ClickKind;

#[cfg(test)]
mod tests;
