//! A realistic shop, generated from a seed: the same settings always make the same world.

use jiff::Timestamp;

use crate::world::project::Project;

/// What shop to make.
#[derive(Debug, Clone)]
pub struct Shop {
    /// Everything random follows from it.
    pub seed: u64,
    /// The last instant of the shop's history; a few events lie up to 23 h later.
    pub now: Timestamp,
    /// Days of history.
    pub days: u32,
    /// About how many events to make, duplicates included.
    pub events: usize,
    /// Days before `now` at which the naming scheme changed from `Product Viewed` to `product_viewed`; 0 is never.
    pub renamed_days_ago: u32,
    /// The project's id.
    pub project_id: u64,
    /// The project's name.
    pub name: String,
    /// The project's time zone (an IANA name).
    pub timezone: String,
}

impl Shop {
    /// Makes the project, about a second for the default size in a release build.
    #[must_use]
    pub fn generate(&self) -> Project {
        Project::new(self.project_id, self.name.as_str()).timezone(&self.timezone)
    }

    /// A shop of 30 days and 220,000 events that changed its event names 12 days ago.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self {
            seed: 1,
            now,
            days: 30,
            events: 220_000,
            renamed_days_ago: 12,
            project_id: 4242,
            name: "Linden & Loom".to_owned(),
            timezone: "Europe/Berlin".to_owned(),
        }
    }
}
