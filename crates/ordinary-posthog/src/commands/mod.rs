//! One file a command: its arguments and what it does.

pub(crate) mod check;
pub(crate) mod crds;
pub(crate) mod demo;
pub(crate) mod erase;
pub(crate) mod operator;
pub(crate) mod probe;
pub(crate) mod purge;
pub(crate) mod release_finalizers;
pub(crate) mod serve;
pub(crate) mod sync;
pub(crate) mod up;
