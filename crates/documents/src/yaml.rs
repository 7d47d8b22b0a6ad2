//! The YAML documents of a text. Snippets of the text never reach an error: they may hold a key.

use serde_saphyr::{MessageFormatter, Options, UserMessageFormatter};

use crate::node::Node;

/// A part of the text that is not YAML, or too much of it.
pub(crate) struct YamlError {
    pub(crate) line: Option<u64>,
    pub(crate) message: String,
}

/// Each document of `text` or what is wrong with it; empty documents are left out.
pub(crate) fn documents(text: &str) -> Vec<Result<Node, YamlError>> {
    let mut reader = text.as_bytes();
    serde_saphyr::read_with_options::<_, Node>(&mut reader, options())
        .map(|document| document.map_err(|error| describe(&error)))
        .collect()
}

/// Only YAML 1.2's true and false are booleans, so that an event may be called `on`. Bounds are
/// far above any connection and far below what would hurt.
fn options() -> Options {
    serde_saphyr::options! {
        with_snippet: false,
        emit_comments: false,
        strict_booleans: true,
        underscored_numbers_as_strings: true,
        budget: serde_saphyr::budget! {
            max_depth: 32,
            max_documents: 10_000,
            max_nodes: 200_000,
            max_aliases: 1_000,
            max_anchors: 1_000,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 50_000,
            max_replay_stack_depth: 16,
        },
    }
}

fn describe(error: &serde_saphyr::Error) -> YamlError {
    let mut error = error.without_snippet();
    while let serde_saphyr::Error::AliasError { error: inner, .. } = error {
        error = inner.without_snippet();
    }
    let message = match error {
        serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!(
                "the field {} is written twice: remove one of them",
                crd::quoted(key)
            )
        }
        serde_saphyr::Error::Budget { .. }
        | serde_saphyr::Error::AliasReplayLimitExceeded { .. }
        | serde_saphyr::Error::AliasExpansionLimitExceeded { .. }
        | serde_saphyr::Error::AliasReplayStackDepthExceeded { .. } => {
            "is too large or too deeply nested for configuration: split it into several files"
                .to_owned()
        }
        other => {
            let said = UserMessageFormatter.format_message(other);
            // The parser is not known to quote a document's text; a key must not depend on that.
            if crd::looks_like_key(&said) {
                "is not YAML: check indentation, colons and quotes".to_owned()
            } else {
                format!("is not YAML ({said}): check indentation, colons and quotes")
            }
        }
    };
    YamlError {
        line: error
            .location()
            .map(|location| location.line())
            .filter(|line| *line > 0),
        message,
    }
}
