//! The documents of all files, sorted by kind, and joined: each connection with its key and plan.

use std::collections::BTreeMap;
use std::rc::Rc;

use domain::ConnectionName;
use secrecy::ExposeSecret;

use crate::connection::{self, Connection};
use crate::document::{Document, Kind};
use crate::input;
use crate::key::{self, Environment, Secrets};
use crate::loader::{LoadedConnection, whole_file};
use crate::namespace::{self, Namespace};
use crate::problem::{Problem, Report};
use crate::secret;
use crate::yaml;

/// What the documents read so far hold.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) connections: Vec<Connection>,
    secrets: Secrets,
    namespaces: BTreeMap<String, Namespace>,
}

impl Found {
    /// Takes in the documents of a file.
    pub(crate) fn read(&mut self, input: &input::Input, report: &mut Report) {
        for document in yaml::documents(input.text.expose_secret()) {
            match document {
                Ok(root) => {
                    let origin = Rc::clone(&input.origin);
                    self.take(Document { origin, root }, report);
                }
                Err(error) => report.problems.push(Problem {
                    line: error.line,
                    ..whole_file(input.origin.name.clone(), error.message)
                }),
            }
        }
    }

    fn take(&mut self, document: Document, report: &mut Report) {
        match document.kind(report) {
            Some(Kind::Connection) => {
                self.connections.extend(connection::read(document, report));
            }
            Some(Kind::Secret) => {
                if let Some(secret) = secret::read(document, report) {
                    let name = (secret.namespace.clone(), secret.name.clone());
                    if let Some(first) = self.secrets.get(&name) {
                        let again = twice(&secret.to_string(), &first.document, &secret.document);
                        report.problems.push(again);
                    } else {
                        self.secrets.insert(name, secret);
                    }
                }
            }
            Some(Kind::Namespace) => {
                if let Some(found) = namespace::read(document, report) {
                    if let Some(first) = self.namespaces.get(&found.name) {
                        let what = format!("Namespace {}", found.name);
                        let again = twice(&what, &first.document, &found.document);
                        report.problems.push(again);
                    } else {
                        self.namespaces.insert(found.name.clone(), found);
                    }
                }
            }
            None => {}
        }
    }

    /// The connections that have all that they need; why others have not is reported.
    pub(crate) fn finish(
        self,
        environment: &Environment,
        report: &mut Report,
    ) -> Vec<LoadedConnection> {
        let mut first: BTreeMap<&ConnectionName, &Connection> = BTreeMap::new();
        for connection in &self.connections {
            let name = &connection.name;
            if name.name.is_empty() {
                continue;
            }
            if let Some(first) = first.get(name) {
                let what = format!("PostHogConnection {name}");
                let again = twice(&what, &first.document, &connection.document);
                report.problems.push(again);
            } else {
                first.insert(name, connection);
            }
        }
        let keys: Vec<_> = self
            .connections
            .iter()
            .map(|connection| key::resolve(connection, &self.secrets, environment, report))
            .collect();
        self.connections
            .into_iter()
            .zip(keys)
            .filter_map(|(connection, key)| {
                let (key, key_source) = key?;
                let valid = connection.valid?;
                let namespace = self.namespaces.get(&connection.name.namespace);
                Some(LoadedConnection {
                    name: connection.name,
                    valid,
                    key,
                    key_source,
                    plan_label: namespace.and_then(|found| found.plan_label.clone()),
                    refresh_requested: connection.refresh_requested,
                    file: connection.document.origin.name.clone(),
                })
            })
            .collect()
    }
}

fn twice(what: &str, first: &Document, again: &Document) -> Problem {
    again.problem_at(
        "metadata.name",
        format!(
            "{what} is already in {}:{}: rename or remove one of them",
            first.origin.name,
            first.root.line_of("metadata.name")
        ),
    )
}
