//! v
#[derive(Debug)]
pub(crate) enum Value {}
