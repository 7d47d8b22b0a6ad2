//! One document of a file: which kind it is, what it is called, and who is to blame in it.

use std::path::PathBuf;
use std::rc::Rc;

use serde_json::Value as Json;

use crate::node::{Node, Value};
use crate::problem::{Problem, ProblemClass, Report};
use crate::suggestion::nearest;

/// A file's name as the user gave it, and the folder that relative paths in it start from.
pub(crate) struct Origin {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
}

/// One document.
pub(crate) struct Document {
    pub(crate) origin: Rc<Origin>,
    pub(crate) root: Node,
}

/// The kinds that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Connection,
    Secret,
    Namespace,
}

impl Document {
    /// A problem at a field of this document.
    pub(crate) fn problem(&self, line: u64, path: &str, message: impl Into<String>) -> Problem {
        Problem {
            file: self.origin.name.clone(),
            line: Some(line),
            path: (!path.is_empty()).then(|| path.to_owned()),
            message: message.into(),
            class: ProblemClass::Configuration,
        }
    }

    /// A problem at the line of `path`.
    pub(crate) fn problem_at(&self, path: &str, message: impl Into<String>) -> Problem {
        self.problem(self.root.line_of(path), path, message)
    }

    /// Which kind it is; nothing, and the reason reported, when it is none that is read.
    pub(crate) fn kind(&self, report: &mut Report) -> Option<Kind> {
        let kind = self.known_kind();
        kind.map_err(|problem| report.refuse(*problem)).ok()
    }

    fn known_kind(&self) -> Result<Kind, Box<Problem>> {
        let refuse = |path: &str, message: String| Err(Box::new(self.problem_at(path, message)));
        if !matches!(self.root.value, Value::Object(_)) {
            return refuse(
                "",
                format!(
                    "a document must be a group of fields with apiVersion and kind, not {}",
                    self.root.value.kind()
                ),
            );
        }
        let Some(given) = self.root.text("kind") else {
            return refuse(
                "kind",
                "is missing: write PostHogConnection, Secret or Namespace".to_owned(),
            );
        };
        let known = [
            (crd::KIND, Kind::Connection, crd::API_VERSION),
            ("Secret", Kind::Secret, "v1"),
            ("Namespace", Kind::Namespace, "v1"),
        ];
        let Some((name, kind, wanted)) = known.into_iter().find(|(name, ..)| *name == given) else {
            let shown = crd::quoted(given);
            return refuse(
                "kind",
                match nearest(given, known.iter().map(|(name, ..)| *name)) {
                    Some(name) => {
                        format!("{shown} is not a kind that is read here: did you mean {name}?")
                    }
                    None => format!(
                        "{shown} is not a kind that is read here: only PostHogConnection, Secret and Namespace are, keep other kinds in other files"
                    ),
                },
            );
        };
        match self.root.text("apiVersion") {
            Some(version) if version == wanted => Ok(kind),
            None => refuse(
                "apiVersion",
                format!("is missing: write {wanted} for a {name}"),
            ),
            Some(other) => refuse(
                "apiVersion",
                format!(
                    "{} is not a version of {name} that is known here: write {wanted}",
                    crd::quoted(other)
                ),
            ),
        }
    }
}

/// A text of `metadata`.
pub(crate) fn metadata<'a>(object: &'a Json, field: &str) -> Option<&'a str> {
    object["metadata"][field]
        .as_str()
        .filter(|text| !text.is_empty())
}

/// The namespace of an object: `default` where none is written, as kubectl has it.
pub(crate) fn namespace_of(object: &Json) -> &str {
    metadata(object, "namespace").unwrap_or("default")
}
