//! Backfill, refresh and recount: from PostHog through the domain's rules into the store.
//! Everything here can be killed at any moment and goes on where it stopped.

mod ask;
pub mod backoff;
pub mod check;
mod clickmaps;
mod clock;
mod cohorts;
mod context;
mod definitions;
mod error;
pub mod gate;
mod halves;
mod history;
mod lease;
mod mapping;
mod outlook;
mod pace;
mod pass;
mod persons;
mod plan;
pub mod progress;
mod project;
mod read;
mod recount;
mod registered;
mod remap;
mod run;
pub mod scheduler;
mod session;
mod settings;
mod summary;

pub use check::{CheckError, CheckReport, CheckWarning, RegionProbe, check};
pub use clock::{Clock, SystemClock};
pub use context::{Context, RetryPolicy};
pub use error::SyncError;
pub use gate::{Share, StoreGate};
pub use lease::LEASE_TTL;
pub use outlook::{Outlook, outlook};
pub use progress::Progress;
pub use registered::registered;
pub use remap::{RemapSummary, remap};
pub use run::{admit, run};
pub use scheduler::{DEFAULT_CONCURRENT_SYNCS, Scheduled, Scheduler, SchedulerConfig};
pub use settings::{MappingPolicy, RefreshPolicy, Settings};
pub use summary::{CohortSummary, Completeness, RunSummary, WorstDay};
