//! Reads what a user gives with `-f`: the same `PostHogConnection`, `Secret` and `Namespace`
//! documents that a cluster would take, with every problem of every file told at once.

mod connection;
mod document;
mod found;
mod input;
mod key;
mod loader;
mod missing_key;
mod namespace;
mod node;
mod problem;
mod schema;
mod secret;
mod shape;
mod suggestion;
mod watch;
mod yaml;

pub use self::key::{API_KEY_VARIABLE, KeySource};
pub use self::loader::{Documents, LoadedConnection, Loader};
pub use self::problem::{Problem, ProblemClass, Refused};
pub use self::watch::{Watcher, watch};
