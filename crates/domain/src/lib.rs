//! The nouns and rules of the PostHog integration, without any I/O: stages, mappings,
//! windows, identities, plans, and the traits that storage must keep.

pub mod api_key;
pub mod backfill_way;
pub mod check;
pub mod clickmap;
pub mod clicks;
pub mod cohorts;
pub mod connection;
pub mod day;
pub mod elements;
pub mod erasure;
pub mod event;
pub mod exports;
pub mod funnel;
#[cfg(test)]
mod fuzzing;
pub mod host;
pub mod identity;
pub mod mapping;
pub mod masking;
pub mod merge;
pub mod page_path;
pub mod plan;
pub mod recogniser;
pub mod slices;
pub mod stage;
pub mod storage;
pub mod sync;
pub mod window;

pub use api_key::{ApiKey, ApiKeyError};
pub use connection::{ConnectionId, ConnectionName, Epoch, ProjectId};
pub use event::{Event, EventName};
pub use host::ApiHost;
pub use mapping::Mapping;
pub use plan::Plan;
pub use stage::{FunnelStage, PostHogStage};
