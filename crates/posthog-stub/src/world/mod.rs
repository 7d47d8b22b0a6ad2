//! The world a stand-in serves: projects with their events and persons, and the keys that open them.
//! Everything lives in memory and may be changed while the server runs.

pub(crate) mod clickhouse;
pub(crate) mod cohort;
pub(crate) mod definition;
pub(crate) mod event;
pub(crate) mod identity;
pub(crate) mod key;
mod name;
pub(crate) mod person;
pub(crate) mod project;
pub(crate) mod property;

use std::collections::BTreeMap;

use jiff::Timestamp;

use key::Key;
use project::Project;

/// What `now()`, cache ages and retention are measured against.
#[derive(Debug, Clone, Copy, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// A clock that stands still, for tests that need one answer for ever.
    Fixed(Timestamp),
}

impl Clock {
    /// The instant this clock shows.
    #[must_use]
    pub fn now(self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Fixed(at) => at,
        }
    }
}

/// Everything one stand-in ("region") knows. Project ids and keys of two worlds are unrelated,
/// as they are between PostHog's US and EU clouds.
#[derive(Debug, Default)]
pub struct World {
    /// The server's clock.
    pub clock: Clock,
    /// Personal API keys; a key that is not here, or revoked, is "invalid".
    pub keys: Vec<Key>,
    projects: BTreeMap<u64, Project>,
}

impl World {
    /// An empty world on the system clock.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a project, replacing one of the same id.
    #[must_use]
    pub fn with_project(mut self, project: Project) -> Self {
        self.add_project(project);
        self
    }

    /// Adds a key.
    #[must_use]
    pub fn with_key(mut self, key: Key) -> Self {
        self.keys.push(key);
        self
    }

    /// Makes the clock stand still at `now`.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        self.clock = Clock::Fixed(now);
        self
    }

    /// Adds a project, replacing one of the same id.
    pub fn add_project(&mut self, project: Project) {
        self.projects.insert(project.id, project);
    }

    /// The project with this id.
    #[must_use]
    pub fn project(&self, id: u64) -> Option<&Project> {
        self.projects.get(&id)
    }

    /// The project with this id, to be changed.
    pub fn project_mut(&mut self, id: u64) -> Option<&mut Project> {
        self.projects.get_mut(&id)
    }

    /// All projects in order of id.
    pub fn projects(&self) -> impl Iterator<Item = &Project> {
        self.projects.values()
    }

    /// Forgets a project: nested routes answer 404 "Project not found." from now on.
    pub fn remove_project(&mut self, id: u64) -> Option<Project> {
        self.projects.remove(&id)
    }

    /// The key with this value, revoked or not.
    pub fn key_mut(&mut self, value: &str) -> Option<&mut Key> {
        self.keys.iter_mut().find(|key| key.value == value)
    }

    /// Revokes a key: from now on it is "invalid". Says whether there was one.
    pub fn revoke_key(&mut self, value: &str) -> bool {
        self.key_mut(value).is_some_and(|key| {
            key.revoked = true;
            true
        })
    }

    /// Puts every table into the order that scans rely on.
    pub(crate) fn settle(&mut self) {
        self.projects.values_mut().for_each(Project::settle);
    }
}
