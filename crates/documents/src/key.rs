//! Where a connection's API key comes from: a file or a variable that its annotations name, the
//! Secret among the files, or a variable for all connections without a Secret.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io::Read;
use std::path::PathBuf;

use crd::ApiKeySecretRef;
use domain::ApiKey;
use secrecy::{ExposeSecret, SecretString};

use crate::connection::Connection;
use crate::missing_key::{no_entry, no_secret};
use crate::problem::{Problem, ProblemClass, Report};
use crate::secret::Secret;

/// The environment variable whose key is taken for connections whose Secret is not in the files.
pub const API_KEY_VARIABLE: &str = "ORDINARY_POSTHOG_API_KEY";

/// No key is longer; what is, is another file.
const LONGEST_KEY_FILE: u64 = 64 * 1024;

/// Where an API key was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// An entry of a Secret among the files.
    Secret {
        /// The Secret's namespace.
        namespace: String,
        /// The Secret's name.
        name: String,
        /// The entry.
        key: String,
    },
    /// A file that an annotation names.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret {
                namespace,
                name,
                key,
            } => write!(f, "Secret {namespace}/{name}, key {key}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
        }
    }
}

/// Secrets by (namespace, name).
pub(crate) type Secrets = BTreeMap<(String, String), Secret>;

/// Reads an environment variable.
pub(crate) type Environment = dyn Fn(&str) -> Option<OsString> + Send + Sync;

/// The file that holds a connection's key, where its annotations name one.
pub(crate) fn key_file(connection: &Connection) -> Option<PathBuf> {
    let name = connection.key_file.as_ref()?;
    Some(connection.document.origin.folder.join(name))
}

/// The connection's key; nothing, and the reason reported, when there is none.
pub(crate) fn resolve(
    connection: &Connection,
    secrets: &Secrets,
    environment: &Environment,
    report: &mut Report,
) -> Option<(ApiKey, KeySource)> {
    match find(connection, secrets, environment)? {
        Ok(found) => {
            report.warnings.extend(found.warning);
            Some((found.key, found.source))
        }
        Err(problem) => {
            report.refuse(*problem);
            None
        }
    }
}

struct Found {
    key: ApiKey,
    source: KeySource,
    warning: Option<Problem>,
}

/// Nothing when where to look is itself wrong, which is told already.
fn find(
    connection: &Connection,
    secrets: &Secrets,
    environment: &Environment,
) -> Option<Result<Found, Box<Problem>>> {
    if let Some(path) = key_file(connection) {
        return Some(in_file(connection, path));
    }
    if let Some(name) = &connection.key_variable {
        return Some(in_variable(connection, name, environment));
    }
    let reference = connection.reference.as_ref()?;
    Some(in_secret(connection, reference, secrets, environment))
}

const ANNOTATIONS: &str = "metadata.annotations";

fn in_file(connection: &Connection, path: PathBuf) -> Result<Found, Box<Problem>> {
    let annotation = crd::API_KEY_FILE_ANNOTATION;
    let at = connection.document.problem_at(ANNOTATIONS, "");
    if connection.key_variable.is_some() {
        let other = crd::API_KEY_ENV_ANNOTATION;
        return Err(blamed(
            &at,
            format!("has both {annotation} and {other}: remove one of them"),
        ));
    }
    let text = read_key_file(&path).map_err(|why| {
        let shown = path.display();
        blamed(
            &at,
            format!("{annotation} names {shown}, which cannot be read ({why}): put the API key there or change the annotation"),
        )
    })?;
    parse(&text, KeySource::File(path), &at)
}

fn in_variable(
    connection: &Connection,
    name: &str,
    environment: &Environment,
) -> Result<Found, Box<Problem>> {
    let annotation = crd::API_KEY_ENV_ANNOTATION;
    let at = connection.document.problem_at(ANNOTATIONS, "");
    let text = variable(environment, name).ok_or_else(|| {
        let shown = crd::quoted(name);
        blamed(
            &at,
            format!("{annotation} names the environment variable {shown}, which is not set: set it to the API key"),
        )
    })?;
    parse(&text, KeySource::Variable(name.to_owned()), &at)
}

fn in_secret(
    connection: &Connection,
    reference: &ApiKeySecretRef,
    secrets: &Secrets,
    environment: &Environment,
) -> Result<Found, Box<Problem>> {
    let document = &connection.document;
    let namespace = &connection.name.namespace;
    let Some(secret) = secrets.get(&(namespace.clone(), reference.name.clone())) else {
        if let Some(text) = variable(environment, API_KEY_VARIABLE) {
            let at = document.problem_at("spec.apiKeySecretRef", "");
            return parse(&text, KeySource::Variable(API_KEY_VARIABLE.to_owned()), &at);
        }
        return Err(Box::new(document.problem_at(
            "spec.apiKeySecretRef.name",
            no_secret(namespace, &reference.name, secrets),
        )));
    };
    let Some(entry) = secret.entries.get(&reference.key) else {
        return Err(Box::new(document.problem_at(
            "spec.apiKeySecretRef.key",
            no_entry(secret, &reference.key),
        )));
    };
    let source = KeySource::Secret {
        namespace: namespace.clone(),
        name: reference.name.clone(),
        key: reference.key.clone(),
    };
    let at = secret.document.problem(entry.line, &entry.path, "");
    parse(&entry.value, source, &at)
}

fn blamed(at: &Problem, message: String) -> Box<Problem> {
    Box::new(Problem {
        message,
        ..at.clone()
    })
}

/// `at` is the place to blame, without a message yet.
fn parse(text: &SecretString, source: KeySource, at: &Problem) -> Result<Found, Box<Problem>> {
    let told = |message: String, class| Problem {
        message,
        class,
        ..at.clone()
    };
    match ApiKey::parse(text) {
        Ok((key, trimmed)) => Ok(Found {
            warning: trimmed.then(|| {
                told(
                    format!(
                        "{source}: white space or a line break around the API key was left out"
                    ),
                    ProblemClass::Configuration,
                )
            }),
            key,
            source,
        }),
        Err(error) => Err(Box::new(told(
            format!("{source}: {error}"),
            ProblemClass::WrongKindOfKey,
        ))),
    }
}

/// Every editor ends a file with one line break: that one is not worth a warning.
fn read_key_file(path: &std::path::Path) -> Result<SecretString, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut text = String::new();
    file.take(LONGEST_KEY_FILE + 1)
        .read_to_string(&mut text)
        .map_err(|error| error.to_string())?;
    if text.len() as u64 > LONGEST_KEY_FILE {
        return Err("it is larger than any key".to_owned());
    }
    let key = text.strip_suffix('\n').unwrap_or(&text);
    Ok(SecretString::from(key.strip_suffix('\r').unwrap_or(key)))
}

/// A variable that is not Unicode holds no key either.
fn variable(environment: &Environment, name: &str) -> Option<SecretString> {
    environment(name).map(|value| SecretString::from(value.to_string_lossy().into_owned()))
}

/// Whether two texts are the same key, without telling either.
pub(crate) fn same(one: &ApiKey, other: &ApiKey) -> bool {
    one.secret().expose_secret() == other.secret().expose_secret()
}
