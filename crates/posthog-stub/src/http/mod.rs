//! The HTTP face: one handler that logs, applies faults, authenticates and routes as PostHog's routers do
//! (the trailing slash is optional, unknown paths get PostHog's JSON 404).

pub(crate) mod answer;
mod auth;
pub(crate) mod cache;
mod cohorts;
pub(crate) mod connection;
mod definitions;
mod exchange;
pub(crate) mod fault;
mod key;
pub(crate) mod limits;
pub(crate) mod log;
mod meter;
mod page;
mod project;
mod query;
mod request;
mod route;
mod sabotage;

use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, RwLock};

use axum::Router;

use crate::world::World;

/// Everything that requests share.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) world: RwLock<World>,
    pub(crate) site: String,
    pub(crate) faults: fault::Faults,
    pub(crate) meter: meter::Meter,
    pub(crate) log: log::RequestLog,
    pub(crate) cache: cache::Cache,
    pub(crate) running: AtomicUsize,
    pub(crate) peak: AtomicUsize,
    pub(crate) closed: AtomicBool,
}

impl Server {
    pub(crate) fn new(world: World, site: String) -> Self {
        Self {
            world: RwLock::new(world),
            site,
            faults: fault::Faults::default(),
            meter: meter::Meter::default(),
            log: log::RequestLog::default(),
            cache: cache::Cache::default(),
            running: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        }
    }
}

/// Serves until the task is aborted.
pub(crate) async fn serve(listener: connection::CuttableListener, server: Arc<Server>) {
    let router = Router::new().fallback(exchange::handle).with_state(server);
    let service = router.into_make_service_with_connect_info::<connection::Peer>();
    // The only error would come from the listener, which never gives up.
    let _ = axum::serve(listener, service).await;
}
