//! A folder and the servers that a test runs in it: gone with the process that started them,
//! whether that ends, panics or is killed.

mod folder;
mod supervised;

pub use self::folder::Folder;
pub use self::supervised::{Ending, Supervised};
