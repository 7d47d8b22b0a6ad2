//! Around every reconciliation: a span that names the connection, and what is measured of it.

use std::sync::Arc;

use domain::ConnectionName;
use kube::Resource;
use kube::runtime::controller::Action;
use tracing::Instrument;

use crate::context::{Context, Guarded};
use crate::error::Error;
use crate::reconcile::reconcile;

/// Reconciles a connection and measures it.
pub(crate) async fn measured(connection: Arc<Guarded>, ctx: Arc<Context>) -> Result<Action, Error> {
    let name = named(&connection);
    let measured = ctx.metrics.begin_reconcile(name.clone());
    // A root of its own: kube's span names the same object in a form of its own.
    let span = tracing::info_span!(parent: None, "reconcile", connection = %name);
    let outcome = reconcile(Arc::clone(&connection), ctx)
        .instrument(span)
        .await;
    measured.ended(&outcome);
    outcome
}

/// Its namespace and name.
pub(crate) fn named(connection: &Guarded) -> ConnectionName {
    let meta = connection.meta();
    ConnectionName::new(
        meta.namespace.clone().unwrap_or_default(),
        meta.name.clone().unwrap_or_default(),
    )
}
