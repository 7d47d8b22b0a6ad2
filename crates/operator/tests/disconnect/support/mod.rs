//! What these tests work with.

mod eventually;
mod objects;
mod site;

pub(crate) use self::eventually::{PATIENCE, eventually, eventually_some};
pub(crate) use self::objects::Connection;
pub(crate) use self::site::Site;
