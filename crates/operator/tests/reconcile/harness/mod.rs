//! What these tests work with.

mod changes;
mod clock;
mod corner;
mod kubelet;
mod late;
mod observed;
mod running;
mod shop;
mod timetable;
mod waiting;

pub(crate) use self::clock::OffsetClock;
pub(crate) use self::corner::{Corner, condition, message};
pub(crate) use self::kubelet::Pods;
pub(crate) use self::observed::Observed;
pub(crate) use self::running::Running;
pub(crate) use self::shop::{KEY, PROJECT, shop};
pub(crate) use self::timetable::{LIFETIME, tick_after};
pub(crate) use self::waiting::{PATIENCE, PAUSE, eventually};
