//! A stand-in PostHog: the private API that a personal API key sees, a small HogQL
//! interpreter over a world in memory, faults on demand, and a generator of a realistic shop.
//!
//! It shares no code with the client, so that a misreading of PostHog's contract cannot cancel
//! itself out. Start one server a "region":
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use posthog_stub::{Endpoint, Event, Fault, Key, Project, Stub, World};
//!
//! let mut project = Project::new(4242, "Shop").timezone("Europe/Berlin");
//! project.capture(Event::new("$pageview", "anon-1", "2026-01-01T10:00:00Z".parse().unwrap())
//!     .property("$current_url", "https://shop.example/products/red-shirt"));
//! let stub = Stub::start(World::new().with_project(project).with_key(Key::new("phx_test"))).await?;
//! stub.faults().push(Endpoint::Query, Fault::Throttle { retry_after: Some(2) });
//! println!("{}", stub.url());
//! stub.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod hogql;
mod http;
pub mod shop;
mod stub;
mod world;

pub use http::exports::{ExportOutcome, ExportPolicy};
pub use http::fault::{Endpoint, Fault, Faults};
pub use http::limits::{BytesBudget, Limits, TooMuch};
pub use http::log::LoggedRequest;
pub use stub::{Stub, StubHandle};
pub use world::cohort::Cohort;
pub use world::definition::EventDefinition;
pub use world::event::Event;
pub use world::key::Key;
pub use world::person::{Person, PersonLink};
pub use world::project::{Project, PropertyType};
pub use world::property::{Name, Properties, Property};
pub use world::{Clock, World};
