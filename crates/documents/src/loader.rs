//! From paths to connections: all files are read, all problems gathered, then all or nothing.

use std::ffi::OsString;
use std::path::PathBuf;

use crd::ValidConnection;
use domain::plan::PlanStanding;
use domain::{ApiKey, ConnectionName, Plan};
use secrecy::SecretString;

use crate::found::Found;
use crate::input::{self, ReadOnce};
use crate::key::{self, Environment, KeySource};
use crate::problem::{Problem, ProblemClass, Refused, Report};
use crate::watch::{Fingerprint, Watcher};

/// Everything that was loaded.
#[derive(Debug)]
pub struct Documents {
    /// The connections, in the order of files and documents; at least one.
    pub connections: Vec<LoadedConnection>,
    /// What is probably not meant.
    pub warnings: Vec<Problem>,
}

/// A connection with all that it needs.
#[derive(Debug)]
pub struct LoadedConnection {
    /// Its namespace (`default` where none is written) and name.
    pub name: ConnectionName,
    /// Its spec.
    pub valid: ValidConnection,
    /// Its API key.
    pub key: ApiKey,
    /// Where the key was found.
    pub key_source: KeySource,
    /// The plan label of its Namespace document; absent without such a document or label.
    pub plan_label: Option<String>,
    /// The value of its refresh-requested-at annotation: a new one asks for a refresh now.
    pub refresh_requested: Option<String>,
    /// The file that it is written in, as the user named it.
    pub file: String,
}

impl LoadedConnection {
    /// The standing of its workspace: by the label, else `default`.
    pub fn plan(&self, default: Plan) -> PlanStanding {
        let default: &str = default.into();
        PlanStanding::of_label(Some(self.plan_label.as_deref().unwrap_or(default)))
    }

    /// Whether anything but the plan differs from `other`: spec, key or what asks for a refresh.
    pub fn differs_from(&self, other: &Self) -> bool {
        self.valid != other.valid
            || self.refresh_requested != other.refresh_requested
            || !key::same(&self.key, &other.key)
    }
}

/// Loads the same paths, as often as asked.
pub struct Loader {
    paths: Vec<PathBuf>,
    environment: Box<Environment>,
    once: ReadOnce,
    key_files: Vec<PathBuf>,
    fingerprint: Fingerprint,
}

impl Loader {
    /// A loader of files, folders of YAML files, and `-` for standard input.
    pub fn new(paths: Vec<PathBuf>) -> Self {
        Self {
            paths,
            environment: Box::new(|name| std::env::var_os(name)),
            once: ReadOnce::new(),
            key_files: Vec::new(),
            fingerprint: Fingerprint::default(),
        }
    }

    /// Looks environment variables up by `environment` instead of the process's own.
    #[must_use]
    pub fn with_environment(
        mut self,
        environment: impl Fn(&str) -> Option<OsString> + Send + Sync + 'static,
    ) -> Self {
        self.environment = Box::new(environment);
        self
    }

    /// Takes `text` for what is on standard input.
    #[must_use]
    pub fn with_stdin(mut self, text: SecretString) -> Self {
        self.once.insert(PathBuf::from("-"), text);
        self
    }

    /// Reads everything. Standard input and pipes are read at the first call and remembered.
    ///
    /// # Errors
    /// All problems of all files; then nothing is loaded.
    pub fn load(&mut self) -> Result<Documents, Refused> {
        // Taken before reading, so that a change while reading is noticed afterwards.
        self.fingerprint = Fingerprint::of(&self.watched());
        let mut report = Report::default();
        let mut found = Found::default();
        for input in input::read_all(&self.paths, &mut self.once) {
            match input {
                Ok(input) => found.read(&input, &mut report),
                Err(error) => report.problems.push(whole_file(error.name, error.message)),
            }
        }
        self.key_files = found.connections.iter().filter_map(key::key_file).collect();
        self.fingerprint.add(&self.key_files);
        let connections = found.finish(&*self.environment, &mut report);
        if connections.is_empty() && report.problems.is_empty() {
            let names: Vec<_> = self
                .paths
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            report.problems.push(whole_file(
                names.join(", "),
                "there is no PostHogConnection in it: write one, as examples/connection.yaml shows"
                    .to_owned(),
            ));
        }
        if report.problems.is_empty() {
            Ok(Documents {
                connections,
                warnings: report.warnings,
            })
        } else {
            Err(Refused {
                problems: report.problems,
                warnings: report.warnings,
            })
        }
    }

    /// The paths whose change can change what is loaded: the files and folders given and the key
    /// files named in them at the last load.
    pub fn watched(&self) -> Vec<PathBuf> {
        self.paths
            .iter()
            .filter(|path| !input::is_stdin(path))
            .chain(&self.key_files)
            .cloned()
            .collect()
    }

    /// Watches them for what differs from the last load. Must be called within a tokio runtime,
    /// and again after a load that changed [`Loader::watched`].
    pub fn watch(&self) -> Watcher {
        Watcher::start(self.watched(), self.fingerprint.clone())
    }
}

/// A problem of a file as a whole.
pub(crate) fn whole_file(file: String, message: String) -> Problem {
    Problem {
        file,
        line: None,
        path: None,
        message,
        class: ProblemClass::Configuration,
    }
}
