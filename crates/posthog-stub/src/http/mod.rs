//! The HTTP face: one handler that logs, applies faults, authenticates and routes as PostHog's routers do
//! (the trailing slash is optional, unknown paths get PostHog's JSON 404).

pub(crate) mod answer;
mod auth;
mod bucket;
pub(crate) mod cache;
mod cohorts;
pub(crate) mod connection;
mod definitions;
mod exchange;
mod export_rows;
pub(crate) mod exports;
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
    /// Where the files of exports are kept.
    pub(crate) bucket: String,
    pub(crate) exports: exports::Exports,
    pub(crate) faults: fault::Faults,
    pub(crate) meter: meter::Meter,
    pub(crate) log: log::RequestLog,
    pub(crate) cache: cache::Cache,
    pub(crate) running: AtomicUsize,
    pub(crate) peak: AtomicUsize,
    pub(crate) closed: AtomicBool,
}

impl Server {
    pub(crate) fn new(world: World, site: String, bucket: String) -> Self {
        Self {
            world: RwLock::new(world),
            site,
            bucket,
            exports: exports::Exports::default(),
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

/// Serves the files of exports until the task is aborted.
pub(crate) async fn serve_bucket(listener: connection::CuttableListener, server: Arc<Server>) {
    let router = Router::new().fallback(bucket::handle).with_state(server);
    let service = router.into_make_service_with_connect_info::<connection::Peer>();
    // The only error would come from the listener, which never gives up.
    let _ = axum::serve(listener, service).await;
}

/// Serves until the task is aborted.
pub(crate) async fn serve(listener: connection::CuttableListener, server: Arc<Server>) {
    let router = Router::new().fallback(exchange::handle).with_state(server);
    let service = router.into_make_service_with_connect_info::<connection::Peer>();
    // The only error would come from the listener, which never gives up.
    let _ = axum::serve(listener, service).await;
}
