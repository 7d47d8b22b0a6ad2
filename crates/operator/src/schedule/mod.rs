//! The timetable: which run a connection needs next, when it is due, and who may run now.

mod due;
mod slots;
mod tick;

pub(crate) use self::due::{Due, Facts, due};
pub(crate) use self::slots::{Creating, Slots};
pub(crate) use self::tick::Tick;
