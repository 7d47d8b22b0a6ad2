//! Resource names.

use domain::ConnectionName;

use crate::errors::ApiError;

/// The longest name of a Kubernetes namespace or object (DNS subdomain, RFC 1123).
const MAX_PART: usize = 253;

/// `namespaces/{namespace}/connections/{connection}`.
pub(crate) fn check_connection(field: &str, value: &str) -> Result<ConnectionName, ApiError> {
    let parts: Vec<&str> = value.split('/').collect();
    match parts[..] {
        ["namespaces", namespace, "connections", name] if is_part(namespace) && is_part(name) => {
            Ok(ConnectionName::new(namespace, name))
        }
        _ => Err(ApiError::field(
            field,
            format!(
                "is {:?}: write namespaces/{{namespace}}/connections/{{connection}}, such as namespaces/acme/connections/storefront",
                shortened(value)
            ),
        )),
    }
}

/// `namespaces/{namespace}`; `namespaces/-` is all of them, `None`.
pub(crate) fn check_namespace(field: &str, value: &str) -> Result<Option<String>, ApiError> {
    match value.split_once('/') {
        Some(("namespaces", "-")) => Ok(None),
        Some(("namespaces", namespace)) if is_part(namespace) => Ok(Some(namespace.to_owned())),
        _ => Err(ApiError::field(
            field,
            format!(
                "is {:?}: write namespaces/{{namespace}}, or namespaces/- for all of them",
                shortened(value)
            ),
        )),
    }
}

fn is_part(part: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    part.len() <= MAX_PART
        && part.bytes().next().is_some_and(inner)
        && part.bytes().next_back().is_some_and(inner)
        && part
            .bytes()
            .all(|byte| inner(byte) || byte == b'-' || byte == b'.')
}

/// Enough of a value to recognise it by: messages travel in headers.
pub(super) fn shortened(value: &str) -> String {
    const KEPT: usize = 100;
    match value.char_indices().nth(KEPT) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_named_by_namespace_and_name() {
        assert_eq!(
            check_connection("name", "namespaces/acme/connections/storefront"),
            Ok(ConnectionName::new("acme", "storefront"))
        );
    }

    #[test]
    fn anything_else_is_refused() {
        for value in [
            "",
            "acme/storefront",
            "namespaces//connections/storefront",
            "namespaces/acme/connections/",
            "namespaces/acme/connections/a/b",
            "namespaces/-/connections/storefront",
            "namespaces/acme/connections/Store front",
            "namespaces/acme/connections/store\nfront",
        ] {
            assert!(check_connection("name", value).is_err(), "{value:?}");
        }
    }

    #[test]
    fn a_dash_means_every_namespace() {
        assert_eq!(check_namespace("parent", "namespaces/-"), Ok(None));
        assert_eq!(
            check_namespace("parent", "namespaces/acme"),
            Ok(Some("acme".to_owned()))
        );
        assert!(check_namespace("parent", "namespaces/acme/connections/x").is_err());
        assert!(check_namespace("parent", "").is_err());
    }

    #[test]
    fn a_message_quotes_no_more_than_the_start_of_a_value() {
        let long = "é".repeat(5_000);
        let error = check_connection("name", &long).unwrap_err().to_string();
        assert!(error.len() < 500, "{} bytes", error.len());
    }
}
