//! Erasing a person for good: whom an id means, and which rows that PostHog still sends are refused.
//! What an erasure promises is [`crate::storage::ErasureStore`]'s.

mod meant;
mod refuse;
mod scope;

use uuid::Uuid;

pub use self::meant::{Meant, meant};
pub use self::refuse::{ErasedRow, Sifted, sift};
pub use self::scope::{ErasureError, erase, preview, resume};

/// Who is erased: a person's uuids and distinct ids, as far as an id leads to them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ErasedPerson {
    /// Persons as PostHog maps them; sorted.
    pub persons: Vec<Uuid>,
    /// Distinct ids; sorted. Those that belong to the persons are erased whether listed or not.
    pub distinct_ids: Vec<String>,
}

impl ErasedPerson {
    /// Whether it is nobody.
    pub fn is_nobody(&self) -> bool {
        self.persons.is_empty() && self.distinct_ids.is_empty()
    }
}

/// What an erasure removed, or would remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Erased {
    /// Persons, and those that were merged into them.
    pub persons: u64,
    /// Distinct ids.
    pub distinct_ids: u64,
    /// Events.
    pub events: u64,
    /// Links of a distinct id to a person, ended ones included.
    pub person_links: u64,
    /// Links of a distinct id to a customer id, anonymous id or e-mail.
    pub fact_links: u64,
    /// Stays in cohorts, ended ones included.
    pub cohort_stays: u64,
}

impl std::ops::AddAssign for Erased {
    fn add_assign(&mut self, more: Self) {
        self.persons += more.persons;
        self.distinct_ids += more.distinct_ids;
        self.events += more.events;
        self.person_links += more.person_links;
        self.fact_links += more.fact_links;
        self.cohort_stays += more.cohort_stays;
    }
}
