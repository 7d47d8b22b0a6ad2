//! Holds a document against a schema: unknown fields, wrong types, missing fields and unknown
//! words, all of them at once. Bounds are left to validation, which words them better.

use serde_json::{Map, Value as Json};

use crate::document::Document;
use crate::node::{Field, Node, Value};
use crate::problem::Report;
use crate::suggestion::nearest;

/// The document as JSON without what is refused, so that the rest can still be validated.
/// Nothing when what is left could not be read.
pub(crate) fn check(document: &Document, schema: &Json, report: &mut Report) -> Option<Json> {
    Walk { document, report }.node(&document.root, document.root.line, schema, "")
}

struct Walk<'a> {
    document: &'a Document,
    report: &'a mut Report,
}

impl Walk<'_> {
    fn refuse(&mut self, line: u64, path: &str, message: impl Into<String>) {
        let problem = self.document.problem(line, path, message);
        self.report.refuse(problem);
    }

    fn node(&mut self, node: &Node, line: u64, schema: &Json, path: &str) -> Option<Json> {
        if schema["x-kubernetes-preserve-unknown-fields"] == true {
            return Some(node.into());
        }
        match (schema["type"].as_str().unwrap_or_default(), &node.value) {
            ("object", Value::Object(fields)) => self.object(fields, line, schema, path),
            ("array", Value::List(items)) => self.list(items, &schema["items"], path),
            ("string", Value::Text(text)) => self.word(text, line, schema, path),
            ("boolean", Value::Bool(value)) => Some(Json::Bool(*value)),
            ("integer", Value::Number(number)) if number.is_i64() => {
                Some(Json::Number(number.clone()))
            }
            (expected, found) => {
                self.refuse(line, path, wrong_type(expected, found, schema));
                None
            }
        }
    }

    fn object(&mut self, fields: &[Field], line: u64, schema: &Json, path: &str) -> Option<Json> {
        let mut read = Map::new();
        let mut whole = true;
        let required: Vec<&str> = schema["required"]
            .as_array()
            .map(|names| names.iter().filter_map(Json::as_str).collect())
            .unwrap_or_default();
        for field in fields {
            let name = field.name.as_str();
            let path = join(path, name);
            let Some(schema) = schema["properties"]
                .get(name)
                .or_else(|| schema.get("additionalProperties"))
            else {
                let message = unknown_field(name, &schema["properties"]);
                self.refuse(field.line, &path, message);
                continue;
            };
            // A cluster drops nulls of fields that are not nullable before it looks at them.
            if matches!(field.node.value, Value::Null) && !keeps_null(schema) {
                continue;
            }
            match self.node(&field.node, field.line, schema, &path) {
                Some(value) => {
                    read.insert(name.to_owned(), value);
                }
                None => whole &= !required.contains(&name),
            }
        }
        for name in required {
            let written = fields
                .iter()
                .any(|field| field.name == name && !matches!(field.node.value, Value::Null));
            if !written {
                self.refuse(line, &join(path, name), missing(name));
                whole = false;
            }
        }
        // The spec is kept even without a required field: see `connection::complete`.
        (whole || matches!(path, "" | "spec")).then_some(Json::Object(read))
    }

    fn list(&mut self, items: &[Node], schema: &Json, path: &str) -> Option<Json> {
        let read: Vec<_> = items
            .iter()
            .enumerate()
            .map(|(index, item)| self.node(item, item.line, schema, &format!("{path}[{index}]")))
            .collect();
        read.into_iter()
            .collect::<Option<Vec<_>>>()
            .map(Json::Array)
    }

    fn word(&mut self, text: &str, line: u64, schema: &Json, path: &str) -> Option<Json> {
        if let Some(words) = schema["enum"].as_array() {
            let words: Vec<&str> = words.iter().filter_map(Json::as_str).collect();
            if !words.contains(&text) {
                let hint = nearest(text, words.iter().copied())
                    .map(|word| format!(": did you mean {word}?"))
                    .unwrap_or_default();
                self.refuse(
                    line,
                    path,
                    format!(
                        "must be one of {}, not {}{hint}",
                        words.join(", "),
                        crd::quoted(text)
                    ),
                );
                return None;
            }
        }
        Some(Json::String(text.to_owned()))
    }
}

fn keeps_null(schema: &Json) -> bool {
    schema["nullable"] == true || schema["x-kubernetes-preserve-unknown-fields"] == true
}

fn join(path: &str, name: &str) -> String {
    if crd::looks_like_key(name) {
        return join(path, "(a value that looks like an API key)");
    }
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn wrong_type(expected: &str, found: &Value, schema: &Json) -> String {
    let kind = found.kind();
    match (expected, found) {
        ("integer", Value::Text(text)) if text.trim().parse::<i64>().is_ok() => {
            format!(
                "must be a whole number, not text: write {} without quotes",
                text.trim()
            )
        }
        ("integer", Value::Number(number)) => {
            format!("must be a whole number of at most 19 digits, not {number}")
        }
        ("integer", _) => format!("must be a whole number, not {kind}"),
        ("boolean", _) => format!("must be true or false, not {kind}"),
        ("string", Value::Number(_)) if schema["pattern"] == crd::DURATION_PATTERN => {
            "must be a duration, not a bare number: write its unit too, such as 1h or 90m"
                .to_owned()
        }
        ("string", Value::Number(_) | Value::Bool(_)) => {
            format!("must be text, not {kind}: put it in quotes")
        }
        ("string", _) => format!("must be text, not {kind}"),
        ("array", _) => format!("must be a list, not {kind}: begin each entry with a dash"),
        _ => format!("must be a group of fields, not {kind}"),
    }
}

fn unknown_field(name: &str, known: &Json) -> String {
    let words: Vec<&str> = known
        .as_object()
        .map(|fields| fields.keys().map(String::as_str).collect())
        .unwrap_or_default();
    let folded = name.to_lowercase().replace(['_', '-'], "");
    if words.contains(&"apiKeySecretRef")
        && ["apikey", "key", "token", "personalapikey"].contains(&folded.as_str())
    {
        return "is not a field: put the key into a Secret and name that under apiKeySecretRef"
            .to_owned();
    }
    match nearest(name, words.iter().copied()) {
        Some(word) => format!("is not a field: did you mean {word}?"),
        None => format!(
            "is not a field: remove it (fields here: {})",
            words.join(", ")
        ),
    }
}

fn missing(name: &str) -> &'static str {
    match name {
        "host" => "is missing: write PostHog's address, such as https://eu.posthog.com",
        "projectId" => "is missing: copy the number from PostHog's project settings",
        "apiKeySecretRef" => {
            "is missing: name the Secret that holds the API key, such as {name: posthog}"
        }
        "events" => "is missing: list events with their names, such as [{name: $pageview}]",
        "name" => "is missing: write a name",
        _ => "is missing: add it",
    }
}
