//! JSON patches (RFC 6902): each names what it expects, so that it never lands on another object or
//! on one that has changed meanwhile.

use kube::api::Patch;
use serde_json::Value;

use crate::error::Error;

/// A patch of these operations.
pub(crate) fn json(operations: Value) -> Result<Patch<Value>, Error> {
    serde_json::from_value(operations)
        .map(Patch::Json)
        .map_err(|error| Error::Unwritable {
            what: "patch",
            reason: error.to_string(),
        })
}
