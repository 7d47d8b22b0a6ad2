//! Names as Kubernetes allows them (RFC 1123), so that a file takes what a cluster takes.

use super::Problems;
use crate::quoted::{looks_like_key, quoted};
use crate::spec::ApiKeySecretRef;

/// Whether a text is a DNS label of RFC 1123, as a namespace's name must be: 1 to 63 characters.
pub fn is_dns_label(text: &str) -> bool {
    text.len() <= 63
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && text.bytes().next().is_some_and(|b| b != b'-')
        && !text.ends_with('-')
}

/// Whether a text is a DNS subdomain of RFC 1123, as most objects' names must be: labels joined
/// by dots, at most 253 characters.
pub fn is_dns_subdomain(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|part| {
            // Kubernetes does not hold the parts to 63 characters, only the whole to 253.
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !part.starts_with('-')
                && !part.ends_with('-')
        })
}

/// Whether a text can be a key within a Secret's data.
pub fn is_secret_key(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}

pub(super) fn check_name(problems: &mut Problems, name: &str) {
    if name.is_empty() {
        problems.add("metadata.name", "is missing: give the connection a name");
    } else if !is_dns_subdomain(name) {
        problems.add(
            "metadata.name",
            format_args!("{} is not a name that Kubernetes takes: write lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit", quoted(name)),
        );
    }
}

pub(super) fn check_namespace(problems: &mut Problems, namespace: &str) {
    if !is_dns_label(namespace) {
        problems.add(
            "metadata.namespace",
            format_args!("{} is not a namespace that Kubernetes takes: write up to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit", quoted(namespace)),
        );
    }
}

pub(super) fn check_secret_ref(problems: &mut Problems, reference: &ApiKeySecretRef) {
    let name = "spec.apiKeySecretRef.name";
    if looks_like_key(&reference.name) {
        problems.add(
            name,
            "holds what looks like an API key: put the key into a Secret and write that Secret's name here",
        );
    } else if !is_dns_subdomain(&reference.name) {
        problems.add(
            name,
            format_args!(
                "{} cannot be a Secret's name: write the name of a Secret in the connection's namespace",
                quoted(&reference.name)
            ),
        );
    }
    let key = "spec.apiKeySecretRef.key";
    if looks_like_key(&reference.key) {
        problems.add(
            key,
            "holds what looks like an API key: write the name of the entry in the Secret, such as apiKey",
        );
    } else if !is_secret_key(&reference.key) {
        problems.add(
            key,
            format_args!(
                "{} cannot be a key of a Secret: write the name of the entry in the Secret, such as apiKey",
                quoted(&reference.key)
            ),
        );
    }
}
