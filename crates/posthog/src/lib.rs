//! PostHog's private API as this product uses it: one client for a project, strict about what an
//! answer must hold and lenient about what else it holds.

mod answer;
mod clickhouse_text;
pub mod client;
mod clock_skew;
mod cost;
pub mod error;
mod event_row;
mod exchange;
mod export;
pub mod gate;
pub mod http;
mod instant;
pub mod queries;
mod refusal;
pub mod region;
mod request;
mod retry;
mod transport;

pub use client::{
    Cell, Client, ClientConfig, CohortList, EventPage, ExportFile, ExportState, KeyInfo, MAX_ROWS,
    MappingPage, MemberPage, UuidPage,
};
pub use error::{Error, ThrottleKind};
pub use export::ExportColumns;
pub use gate::{Gate, GatePass, LocalGate};
pub use http::{Http, HttpConfig};
