//! Watches connections, the Jobs of the operator's namespace and the labels of Namespaces, and has
//! whatever they concern reconciled, a bounded number at once.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use domain::ConnectionName;
use futures_util::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::controller::{Config, Controller, Error as ControllerError};
use kube::runtime::reflector::{self, ObjectRef};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource, ResourceExt};
use tokio::sync::{SetOnce, mpsc};
use tokio::task::JoinSet;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;

use crate::Parts;
use crate::annotations::{FIELD_MANAGER, labels};
use crate::context::{Context, Guarded};
use crate::departed;
use crate::disconnect;
use crate::error::Error;
use crate::events::Events;
use crate::first_looks::FirstLooks;
use crate::identity::Identity;
use crate::jobs::{self, Jobs, RunJob};
use crate::measured::{measured, named};
use crate::metrics::Metrics;
use crate::namespaces::{self, Namespaces, Workspace};
use crate::provisioned::Provisioned;
use crate::readiness::Readiness;
use crate::reconcile::error_policy;
use crate::requests::Requests;
use crate::retries::Retries;
use crate::schedule::Slots;
use crate::update_status::StatusWrites;

/// Asks for connections to be reconciled.
pub(crate) type Wake = mpsc::UnboundedSender<ObjectRef<Guarded>>;

/// Reconciles until `cancel`; then starts nothing new and lets what is under way end.
pub(crate) async fn run(parts: Parts, cancel: CancellationToken) -> Result<(), Error> {
    let (reader, writer) = reflector::store::<Guarded>();
    let (wake, woken) = mpsc::unbounded_channel();
    let slots = Slots::new(parts.config.max_concurrent_syncs, {
        let wake = wake.clone();
        move |connection| {
            if let Some((namespace, name)) = connection.split_once('/') {
                let _ = wake.send(ObjectRef::new(name).within(namespace));
            }
        }
    });
    let ctx = Arc::new(Context {
        slots,
        provisioned: Provisioned::default(),
        first_looks: FirstLooks::default(),
        requests: Requests::default(),
        writes: StatusWrites::default(),
        retries: Retries::default(),
        events: Events::new(parts.client.clone(), &parts.config, parts.metrics.clone()),
        config: parts.config,
        client: parts.client,
        store: parts.store,
        http: parts.http,
        metrics: parts.metrics,
        clock: parts.clock,
        connections: reader.clone(),
        listed: SetOnce::new(),
        namespaces: Arc::new(Namespaces::default()),
        jobs: Arc::new(Jobs::default()),
        wake,
    });
    // They end with this function, also when it is dropped.
    let mut beside = JoinSet::new();
    ctx.metrics
        .may_reconcile(ctx.config.max_concurrent_reconciles);
    ctx.metrics.watch(reader.clone());
    beside.spawn(tell_when_listed(Arc::clone(&ctx), parts.readiness));
    beside.spawn(watch_namespaces(Arc::clone(&ctx)));
    beside.spawn(watch_jobs(Arc::clone(&ctx)));
    beside.spawn(disconnect::sweeper::sweep_forever(Arc::clone(&ctx)));
    tokio::select! {
        () = cancel.cancelled() => {}
        () = both_ready(&ctx) => {
            let watching = Arc::clone(&ctx);
            let (changed, asked) = (ctx.metrics.clone(), ctx.metrics.clone());
            let selected = watcher::Config {
                label_selector: ctx.config.connection_selector.clone(),
                ..watcher::Config::default()
            };
            let connections = watcher(Api::<Guarded>::all(ctx.client.clone()), selected)
                .default_backoff()
                .inspect_ok(first_listing(Arc::clone(&ctx)))
                .modify(slim)
                .reflect(writer)
                .inspect_ok(move |event| note(&watching, event))
                .applied_objects()
                .predicate_filter(what_matters, kube::runtime::PredicateConfig::default())
                .inspect_ok(move |connection| changed.triggered(named(connection)));
            let woken = UnboundedReceiverStream::new(woken)
                .inspect(move |woken| asked.triggered(name_of(woken)));
            let work = Controller::for_stream(connections, reader)
                .with_config(Config::default().concurrency(ctx.config.max_concurrent_reconciles.max(1)))
                .reconcile_on(woken)
                .graceful_shutdown_on(cancel.clone().cancelled_owned())
                .run(measured, error_policy, Arc::clone(&ctx))
                .for_each(|outcome| {
                    log(&ctx.metrics, outcome);
                    std::future::ready(())
                });
            tokio::select! {
                () = work => {}
                () = stopped_before_listed(&ctx, &cancel) => {}
            }
        }
    }
    beside.shutdown().await;
    ctx.events.drained().await;
    Ok(())
}

async fn tell_when_listed(ctx: Arc<Context>, readiness: Readiness) {
    ctx.listed.wait().await;
    tracing::info!(
        connections = ctx.connections.len(),
        "Every connection is listed; reconciling."
    );
    readiness.has_listed();
}

/// Decisions without the Jobs and plan labels that exist would be wrong.
async fn both_ready(ctx: &Context) {
    ctx.namespaces.ready().await;
    ctx.jobs.ready().await;
}

/// Told to stop, kube's controller follows its watch no more, and still waits for the first list before it
/// ends (kube 5.0). Before that list it has reconciled nothing, so it can be dropped.
async fn stopped_before_listed(ctx: &Context, cancel: &CancellationToken) {
    cancel.cancelled().await;
    if ctx.listed.initialized() {
        std::future::pending::<()>().await;
    }
}

/// Takes note of what the cache has by now; not sooner, or a reconciliation in between would find neither
/// the old nor the new status.
fn note(ctx: &Context, event: &Event<Guarded>) {
    match event {
        Event::Apply(connection) => ctx.writes.seen(connection.meta()),
        Event::InitDone => {
            for connection in ctx.connections.state() {
                ctx.writes.seen(connection.meta());
            }
        }
        Event::Init | Event::InitApply(_) | Event::Delete(_) => {}
    }
    departed::note(ctx, event);
}

async fn watch_namespaces(ctx: Arc<Context>) {
    let api: Api<PartialObjectMeta<Namespace>> = Api::all(ctx.client.clone());
    let events = watcher(api, watcher::Config::default()).default_backoff();
    let changed = |_: Option<&Workspace>, new: Option<&Workspace>| {
        // Also of one that is new here: this watch may tell of it later than the other of its connections.
        // Of the first list nobody is woken, for no connection is known before it.
        if let Some(new) = new {
            let within = |object: &Guarded| object.meta().namespace.as_ref() == Some(&new.name);
            for connection in ctx.connections.state_filter(within) {
                let _ = ctx.wake.send(ObjectRef::from_obj(&*connection));
            }
        }
    };
    ctx.namespaces
        .follow(events, namespaces::reduce, changed, "Namespaces")
        .await;
}

async fn watch_jobs(ctx: Arc<Context>) {
    let api: Api<Job> = Api::namespaced(ctx.client.clone(), &ctx.config.namespace);
    let ours = format!("{}={FIELD_MANAGER}", labels::MANAGED_BY);
    let config = watcher::Config::default().labels(&ours);
    let events = watcher(api, config).default_backoff();
    let changed = |old: Option<&RunJob>, new: Option<&RunJob>| {
        if let Some(job) = new.or(old) {
            let name = &job.connection;
            let _ = ctx
                .wake
                .send(ObjectRef::new(&name.name).within(&name.namespace));
            if old.is_some_and(RunJob::takes_place) && !new.is_some_and(RunJob::takes_place) {
                ctx.provisioned.remove(&job.name);
                ctx.slots.freed(|creating| ctx.places_taken(creating));
            }
        }
    };
    ctx.jobs.follow(events, jobs::reduce, changed, "Jobs").await;
}

/// Queues the connections of the first listing by when they are due, ahead of their reconciliations: else
/// those would get places first that come first.
fn first_listing(ctx: Arc<Context>) -> impl FnMut(&Event<Guarded>) {
    let mut is_over = false;
    move |event| match event {
        Event::InitApply(connection) if !is_over => {
            if let Some((name, due)) = due_by_status(connection, ctx.clock.now()) {
                ctx.slots.expect(&name.to_string(), due);
            }
        }
        Event::InitDone => is_over = true,
        _ => {}
    }
}

/// When a connection is due by what its status says, if that is by now.
fn due_by_status(connection: &Guarded, now: Timestamp) -> Option<(ConnectionName, Timestamp)> {
    let connection = connection.0.as_ref().ok()?;
    let identity = Identity::of(&connection.metadata).ok()?;
    let status = connection.status.as_ref();
    let due = match status {
        None => Some(identity.created_at),
        Some(status) => status.next_sync_time,
    };
    let due = due.filter(|due| *due <= now && !connection.spec.suspend)?;
    Some((identity.name, due))
}

/// Takes off what nobody here reads, so that thousands of connections stay small.
fn slim(connection: &mut Guarded) {
    connection.meta_mut().managed_fields = None;
    if let Some(annotations) = connection.meta_mut().annotations.as_mut() {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
}

/// Changes of anything else, such as the status that we write, are no reason to reconcile.
fn what_matters(connection: &Guarded) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    let meta = connection.meta();
    (&meta.uid, meta.generation, &meta.finalizers).hash(&mut hasher);
    meta.deletion_timestamp.is_some().hash(&mut hasher);
    connection
        .annotations()
        .get(crd::REFRESH_REQUESTED_ANNOTATION)
        .hash(&mut hasher);
    Some(hasher.finish())
}

fn name_of<K: reflector::Lookup>(object: &ObjectRef<K>) -> ConnectionName {
    ConnectionName::new(
        object.namespace.clone().unwrap_or_default(),
        object.name.clone(),
    )
}

fn log<T>(metrics: &Metrics, outcome: Result<T, ControllerError<Error, watcher::Error>>) {
    match outcome {
        Ok(_) => {}
        Err(ControllerError::ObjectNotFound(object)) => metrics.gone(&name_of(&object)),
        Err(ControllerError::ReconcilerFailed(error, connection)) => {
            tracing::warn!(%connection, reason = error.reason(), %error, "A connection could not be reconciled; trying again.");
        }
        Err(error) => {
            tracing::warn!(%error, "The watch of connections broke off; starting it again.");
        }
    }
}
