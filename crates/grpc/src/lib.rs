//! The `ordinary.posthog.v1` services over the domain's traits: what is stored, page by page,
//! with deadlines, signed tokens and errors that name the fix. [`serve`] is the way in.

mod access;
mod answer;
mod check;
mod clickmaps;
mod cohorts;
mod connections;
mod deadline;
mod erasures;
mod errors;
mod events;
mod exposure;
mod following;
mod graphs;
mod health;
mod identities;
mod measured;
mod metrics;
mod paging;
pub mod proto;
mod reads;
mod server;
mod settings;
mod token;
mod trails;

pub use self::errors::{ApiError, ERROR_DOMAIN};
pub use self::exposure::{MutualTls, check_exposure};
pub use self::metrics::GrpcMetrics;
pub use self::reads::ReadStore;
pub use self::server::{ServeConfig, ServeError, serve};
pub use self::settings::Settings;
