//! Personal API keys as PostHog keeps them: a secret value, its scopes and where it may be used.

use jiff::Timestamp;
use uuid::Uuid;

/// A personal API key. By default it opens everything (`scopes: None`, no scoping).
#[derive(Debug, Clone)]
pub struct Key {
    /// The secret, such as `phx_…`.
    pub value: String,
    /// The name its owner gave it.
    pub label: String,
    /// `None` and `["*"]` mean everything; an empty list means nothing at all.
    pub scopes: Option<Vec<String>>,
    /// Project ids the key is restricted to; empty means unrestricted.
    pub scoped_teams: Vec<u64>,
    /// Organisation ids the key is restricted to; empty means unrestricted.
    pub scoped_organizations: Vec<Uuid>,
    /// Projects that the key's user is a member of; `None` means all of them.
    pub member_of: Option<Vec<u64>>,
    /// What the project id `@current` means for the key's user.
    pub current_project: Option<u64>,
    /// A revoked, deleted or rolled key answers like one that never existed.
    pub revoked: bool,
    /// When the key was made.
    pub created_at: Timestamp,
}

impl Key {
    /// A key that may do everything everywhere.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            label: "Stand-in key".to_owned(),
            scopes: None,
            scoped_teams: Vec::new(),
            scoped_organizations: Vec::new(),
            member_of: None,
            current_project: None,
            revoked: false,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    /// Sets the label.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Restricts the key to these scopes (`query:read`, `project:read`, `*`, …).
    #[must_use]
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = Some(scopes.into_iter().map(Into::into).collect());
        self
    }

    /// Restricts the key to these projects.
    #[must_use]
    pub fn teams(mut self, teams: impl IntoIterator<Item = u64>) -> Self {
        self.scoped_teams = teams.into_iter().collect();
        self
    }

    /// Restricts the key to these organisations.
    #[must_use]
    pub fn organizations(mut self, organizations: impl IntoIterator<Item = Uuid>) -> Self {
        self.scoped_organizations = organizations.into_iter().collect();
        self
    }

    /// Makes the key's user a member of these projects only.
    #[must_use]
    pub fn member_of(mut self, projects: impl IntoIterator<Item = u64>) -> Self {
        self.member_of = Some(projects.into_iter().collect());
        self
    }

    /// The value as PostHog shows it: `phx_...abcd`, or eight stars when it is short.
    #[must_use]
    pub fn mask_value(&self) -> String {
        let characters: Vec<char> = self.value.chars().collect();
        if characters.len() < 16 {
            return "*".repeat(8);
        }
        let head: String = characters.iter().take(4).collect();
        let tail: String = characters.iter().skip(characters.len() - 4).collect();
        format!("{head}...{tail}")
    }

    /// Whether the key grants a scope: `*` and null grant all, `x:write` grants `x:read`.
    #[must_use]
    pub fn grants(&self, scope: &str) -> bool {
        let Some(scopes) = &self.scopes else {
            return true;
        };
        let write = scope
            .strip_suffix(":read")
            .map(|object| format!("{object}:write"));
        scopes
            .iter()
            .any(|held| held == "*" || held == scope || Some(held) == write.as_ref())
    }
}
