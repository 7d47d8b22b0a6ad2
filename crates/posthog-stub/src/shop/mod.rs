//! A realistic shop, generated from a seed: the same settings always make the same world.
//!
//! Visits by the hour of the day; pages, clicks, carts and orders; two naming schemes; devices that
//! log in and merge; ties, re-sent events, late arrivals and clocks that run ahead.

mod catalog;
mod clicks;
mod names;
mod noise;
mod random;
mod session;
#[cfg(test)]
mod tests;
mod visitor;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use crate::world::cohort::Cohort;
use crate::world::project::Project;
use crate::world::property::Properties;
use noise::Noise;
use random::Random;
use session::Session;
use visitor::Visitor;

/// Events of an average visit, re-sent ones included; measured.
const EVENTS_A_VISIT: f64 = 8.35;
/// Visits begun in each hour of the day, in relation to each other.
const HOURS: [u64; 24] = [
    3, 2, 1, 1, 1, 2, 4, 7, 9, 10, 10, 11, 12, 11, 10, 10, 11, 12, 14, 16, 17, 15, 10, 6,
];

/// What shop to make.
#[derive(Debug, Clone)]
pub struct Shop {
    /// Everything random follows from it.
    pub seed: u64,
    /// The last instant of the shop's history; a few events lie up to 23 h later.
    pub now: Timestamp,
    /// Days of history.
    pub days: u32,
    /// At least how many rows to make, duplicates included.
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

    /// Makes the project, in about a second for the default size in a release build.
    #[must_use]
    pub fn generate(&self) -> Project {
        let mut project =
            Project::new(self.project_id, self.name.as_str()).timezone(&self.timezone);
        project.event_retention_months = Some(12);
        let mut random = Random::new(self.seed);
        let products = catalog::products(&mut random);
        let mut noise = Noise {
            random: Random::new(random.next()),
            now: self.now,
        };
        let mut visitors: Vec<Visitor> = Vec::new();
        let mut buyers: BTreeSet<Uuid> = BTreeSet::new();
        let renamed_at = self
            .ago(self.renamed_days_ago)
            .filter(|_| self.renamed_days_ago > 0);
        let mut rows = 0;
        // Visits are played in order of time, so that merges happen as they did; what is missing is topped up.
        while rows < self.events {
            let missing = (self.events - rows) as f64;
            let visits = (missing / EVENTS_A_VISIT).ceil() as usize + 1;
            for start in self.starts(&mut random, visits) {
                let at = choose(&mut random, &mut visitors, start);
                let Some(visitor) = visitors.get_mut(at) else {
                    continue;
                };
                let mut session = Session::new(&mut random, visitor, &products, renamed_at, start);
                session.run();
                let ordered = session.ordered;
                let events = std::mem::take(&mut session.events);
                for event in events
                    .into_iter()
                    .filter(|event| event.timestamp < self.now)
                {
                    rows += noise.deliver(&mut project, event);
                }
                if ordered && let Some(link) = project.distinct_ids().get(&visitor.distinct_id()) {
                    buyers.insert(link.person_id);
                }
            }
        }
        describe_people(&mut project, &visitors);
        self.add_cohorts(&mut project, &buyers, &visitors);
        project.settle();
        project
    }

    fn ago(&self, days: u32) -> Option<Timestamp> {
        self.now
            .checked_sub(SignedDuration::from_hours(i64::from(days) * 24))
            .ok()
    }

    /// When visits begin, in order: busy evenings, quiet nights, the shop growing a little.
    fn starts(&self, random: &mut Random, visits: usize) -> Vec<Timestamp> {
        let total: u64 = HOURS.iter().sum();
        let days = u64::from(self.days.max(1));
        let mut starts: Vec<Timestamp> = (0..visits)
            .filter_map(|_| {
                let mut day = random.below(days);
                if random.permille(200) {
                    day = day.max(random.below(days));
                }
                let mut left = random.below(total);
                let hour = HOURS.iter().position(|weight| {
                    let here = left < *weight;
                    left = left.saturating_sub(*weight);
                    here
                })?;
                let back = i64::try_from(days - day).ok()? * 86_400_000;
                let within = i64::try_from(hour).ok()? * 3_600_000 + random.between(0, 3_600_000);
                self.now
                    .checked_add(SignedDuration::from_millis(within - back))
                    .ok()
            })
            .collect();
        starts.sort_unstable();
        starts
    }

    fn add_cohorts(&self, project: &mut Project, buyers: &BTreeSet<Uuid>, visitors: &[Visitor]) {
        let today = |project: &Project, people: &BTreeSet<Uuid>| -> BTreeSet<Uuid> {
            people
                .iter()
                .filter(|person| project.persons().contains_key(person))
                .copied()
                .collect()
        };
        let buyers = today(project, buyers);
        let named: BTreeSet<Uuid> = visitors
            .iter()
            .filter(|visitor| visitor.known)
            .step_by(9)
            .filter_map(|visitor| project.distinct_ids().get(&visitor.identity()))
            .map(|link| link.person_id)
            .collect();
        let mut list = [
            Cohort::new(1, "Buyers of the last 30 days")
                .filters(
                    json!({"properties": {"type": "OR", "values": [{"type": "AND", "values": [{
                        "type": "behavioral", "value": "performed_event", "event_type": "events",
                        "key": "checkout_completed", "time_value": 30, "time_interval": "day",
                    }]}]}}),
                )
                .people(buyers.iter().copied()),
            Cohort::new(2, "Spring mailing (uploaded)")
                .fixed()
                .people(named),
            Cohort::new(3, "Half of the buyers").people(buyers.into_iter().step_by(2)),
        ];
        for cohort in &mut list {
            cohort.created_at = self.ago(self.days).unwrap_or(self.now);
            cohort.last_calculation = Some(self.now);
            project.add_cohort(cohort.clone());
        }
    }
}

/// Somebody new in three of five visits, else somebody who was here before, perhaps on another device.
fn choose(random: &mut Random, visitors: &mut Vec<Visitor>, start: Timestamp) -> usize {
    let millis = start.as_millisecond();
    if visitors.is_empty() || random.permille(600) {
        let number = visitors.len() as u64;
        visitors.push(Visitor::new(random, number, millis));
        return visitors.len() - 1;
    }
    let at = usize::try_from(random.below(visitors.len() as u64)).unwrap_or_default();
    let takes_device = random.permille(180);
    if let Some(visitor) = visitors.get_mut(at) {
        visitor.come_back();
        if takes_device {
            visitor.take_device(random, millis);
        }
    }
    at
}

/// Gives identified people their e-mail and customer id.
fn describe_people(project: &mut Project, visitors: &[Visitor]) {
    for visitor in visitors.iter().filter(|visitor| visitor.known) {
        let Some(person) = project
            .distinct_ids()
            .get(&visitor.identity())
            .map(|link| link.person_id)
        else {
            continue;
        };
        if let Some(person) = project.person_mut(person) {
            let properties =
                json!({"email": &*visitor.email, "shopify_customer_id": &*visitor.customer});
            person.properties = Arc::new(Properties::from_json(properties));
        }
    }
}
