//! Interned names of properties and events: a shop has hundreds of names and millions of uses.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

static NAMES: LazyLock<RwLock<HashMap<&'static str, Name>>> = LazyLock::new(RwLock::default);

/// An interned name of a property or an event: comparing two is comparing pointers.
#[derive(Clone, Copy)]
pub struct Name(&'static Arc<str>);

impl Name {
    /// The one `Name` for this text. It lives as long as the process.
    #[must_use]
    pub fn of(text: &str) -> Self {
        if let Some(known) = Self::known(text) {
            return known;
        }
        let mut names = NAMES.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have interned it between the two locks.
        if let Some(known) = names.get(text) {
            return *known;
        }
        let leaked: &'static Arc<str> = Box::leak(Box::new(Arc::from(text)));
        names.insert(leaked, Self(leaked));
        Self(leaked)
    }

    /// The `Name` for this text if anything ever used it; a query about an unknown one adds nothing.
    pub(crate) fn known(text: &str) -> Option<Self> {
        NAMES
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(text)
            .copied()
    }

    /// The text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// The text, shared.
    pub(crate) fn shared(self) -> Arc<str> {
        self.0.clone()
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Name {}

impl std::hash::Hash for Name {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        std::ptr::from_ref(self.0).hash(state);
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}
