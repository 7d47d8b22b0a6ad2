//! An object that does not fit this version of the type, such as one of an older definition: it harms
//! nobody else, and whoever looks at it is told.

use kube::core::ObjectMeta;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::controller::Action;

use crate::context::Context;
use crate::error::Error;

/// Tells that the object cannot be read, and waits until it changes.
pub(crate) async fn tell(_ctx: &Context, invalid: &InvalidObject) -> Result<Action, Error> {
    let ObjectMeta {
        namespace, name, ..
    } = &invalid.metadata;
    tracing::warn!(
        namespace,
        name,
        error = invalid.error,
        "A PostHogConnection cannot be read: it does not fit this version's definition."
    );
    Ok(Action::await_change())
}
