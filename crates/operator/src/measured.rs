//! Around every reconciliation: a span that names the connection, and what is measured of it.

use std::sync::Arc;

use kube::Resource;
use kube::runtime::controller::Action;
use tracing::Instrument;

use crate::context::{Context, Guarded};
use crate::error::Error;
use crate::reconcile::reconcile;

/// Reconciles a connection and measures it.
pub(crate) async fn measured(connection: Arc<Guarded>, ctx: Arc<Context>) -> Result<Action, Error> {
    let measured = ctx.metrics.begin_reconcile();
    let meta = connection.meta();
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    let name = meta.name.as_deref().unwrap_or_default();
    // A root of its own: kube's span names the same object in a form of its own.
    let span = tracing::info_span!(parent: None, "reconcile", connection = format_args!("{namespace}/{name}"));
    let outcome = reconcile(Arc::clone(&connection), ctx)
        .instrument(span)
        .await;
    measured.ended(&outcome);
    outcome
}
