//! `Secret` documents: the API keys, wrapped up as soon as they are read.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use serde_json::Value as Json;

use crate::document::{Document, metadata, namespace_of};
use crate::problem::Report;
use crate::{schema, shape};

/// A Secret.
pub(crate) struct Secret {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) entries: BTreeMap<String, Entry>,
    pub(crate) document: Document,
}

/// One value of a Secret.
pub(crate) struct Entry {
    pub(crate) value: SecretString,
    /// Where it is written: `data.apiKey` or `stringData.apiKey`.
    pub(crate) path: String,
    pub(crate) line: u64,
}

impl std::fmt::Display for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secret {}/{}", self.namespace, self.name)
    }
}

/// Reads a Secret; nothing when it has no usable name.
pub(crate) fn read(document: Document, report: &mut Report) -> Option<Secret> {
    let object = shape::check(&document, &schema::SECRET, report)?;
    let name = metadata(&object, "name").unwrap_or_default().to_owned();
    if !crd::is_dns_subdomain(&name) {
        report.refuse(document.problem_at(
            "metadata.name",
            if name.is_empty() {
                "is missing: give the Secret a name".to_owned()
            } else {
                format!("{} is not a name that Kubernetes takes: write lower-case letters, digits, '-' and '.'", crd::quoted(&name))
            },
        ));
        return None;
    }
    let mut entries = BTreeMap::new();
    // As in a cluster, what is in stringData wins.
    for (field, encoded) in [("data", true), ("stringData", false)] {
        let Some(Json::Object(values)) = object.get(field) else {
            continue;
        };
        for (key, value) in values {
            let path = if crd::looks_like_key(key) {
                field.to_owned()
            } else {
                format!("{field}.{key}")
            };
            let line = line_of_entry(&document, field, key);
            let text = value.as_str().unwrap_or_default();
            let value = if encoded {
                decode(text)
            } else {
                Some(SecretString::from(text))
            };
            match value {
                Some(value) => {
                    entries.insert(key.clone(), Entry { value, path, line });
                }
                None => report.refuse(document.problem(
                    line,
                    &path,
                    "is not base64 of text: encode it, or write the plain value under stringData instead",
                )),
            }
        }
    }
    Some(Secret {
        namespace: namespace_of(&object).to_owned(),
        name,
        entries,
        document,
    })
}

/// An entry's key may contain dots, so it is no path.
fn line_of_entry(document: &Document, field: &str, key: &str) -> u64 {
    document
        .root
        .field(field)
        .and_then(|values| values.node.field(key))
        .map_or(document.root.line, |entry| entry.line)
}

/// Line breaks within base64 are no part of it, as in a cluster.
fn decode(text: &str) -> Option<SecretString> {
    let text: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let bytes = STANDARD.decode(text).ok()?;
    String::from_utf8(bytes).ok().map(SecretString::from)
}
