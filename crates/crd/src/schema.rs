//! Pieces of OpenAPI schema that several parts of the resource use.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// A duration of hours, minutes and seconds in this order, at least one of them: `1h30m`.
/// Go's `time.ParseDuration`, which CEL's `duration()` is, takes every text that matches.
pub const DURATION_PATTERN: &str =
    "^([0-9]{1,5}h([0-9]{1,7}m)?([0-9]{1,9}s)?|[0-9]{1,7}m([0-9]{1,9}s)?|[0-9]{1,9}s)$";

/// A rule in the Common Expression Language and what an API server says when it does not hold.
pub(crate) fn rule(expression: &str, message: &str) -> Value {
    json!({"rule": expression, "message": message})
}

/// The schema of an instant.
pub(crate) fn instant(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "date-time"})
}

/// The schema of something that must not be written: it is declared so that pruning of unknown
/// fields does not hide it from the rule that refuses it. Rules take a null for absent, so it is
/// nullable, lest the null be dropped without a word, and then refused by an enumeration that
/// nothing is in: its one entry is what the API server says instead, the fix.
pub(crate) fn refused(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "nullable": true,
        "enum": ["nothing: remove mapping.orderCompleted, orders come from Shopify's orders/create webhook"],
        "x-kubernetes-preserve-unknown-fields": true,
    })
}
