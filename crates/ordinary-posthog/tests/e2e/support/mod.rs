//! What every test here needs: a stand-in PostHog, documents, the binary, and a client of its API.

pub(crate) mod api;
pub(crate) mod certificates;
pub(crate) mod documents;
pub(crate) mod home;
pub(crate) mod host;
pub(crate) mod program;
pub(crate) mod shop;
pub(crate) mod stored;
pub(crate) mod wait;
