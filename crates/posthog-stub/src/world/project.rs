//! A project: its settings, events, persons, cohorts and definitions.
//! What moves persons about (capture, identify, alias, merges) is in `identity`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::cohort::Cohort;
use super::definition::EventDefinition;
use super::event::Event;
use super::person::{Person, PersonLink};
use super::property::Name;

/// How PostHog's property definitions type a property: HogQL casts what it reads accordingly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PropertyType {
    /// A float, or NULL where the text is no number.
    Numeric,
    /// A bool, or NULL where the text is neither `true` nor `false`.
    Boolean,
    /// A datetime, or NULL where the text cannot be read as one.
    DateTime,
}

/// One project.
#[derive(Debug)]
pub struct Project {
    /// The numeric id in the API's paths.
    pub id: u64,
    /// The name that members see.
    pub name: String,
    /// The organisation that owns it.
    pub organization_id: Uuid,
    /// The organisation's name.
    pub organization_name: String,
    /// Whether the organisation lets its members use personal API keys.
    pub allows_personal_keys: bool,
    /// How long events are kept, as the project endpoint says.
    pub event_retention_months: Option<u32>,
    /// Whether queries hide older events.
    pub events_retention_enforced: bool,
    /// Typed properties; all others are strings.
    pub property_types: BTreeMap<String, PropertyType>,
    pub(crate) zone_name: String,
    pub(crate) zone: TimeZone,
    pub(crate) events: Vec<Event>,
    pub(crate) sorted: bool,
    pub(crate) persons: BTreeMap<Uuid, Person>,
    pub(crate) distinct_ids: HashMap<Arc<str>, PersonLink>,
    pub(crate) overrides: HashMap<Arc<str>, PersonLink>,
    pub(crate) cohorts: BTreeMap<u64, Cohort>,
    pub(crate) definitions: BTreeMap<String, EventDefinition>,
}

impl Project {
    /// An empty project in UTC, of an organisation of its own.
    #[must_use]
    pub fn new(id: u64, name: impl Into<String>) -> Self {
        Self {
            id,
            name: name.into(),
            organization_id: Uuid::new_v5(&Uuid::NAMESPACE_OID, &id.to_be_bytes()),
            organization_name: "Stand-in organisation".to_owned(),
            allows_personal_keys: true,
            event_retention_months: None,
            events_retention_enforced: false,
            property_types: BTreeMap::new(),
            zone_name: "UTC".to_owned(),
            zone: TimeZone::UTC,
            events: Vec::new(),
            sorted: true,
            persons: BTreeMap::new(),
            distinct_ids: HashMap::new(),
            overrides: HashMap::new(),
            cohorts: BTreeMap::new(),
            definitions: BTreeMap::new(),
        }
    }

    /// Sets the project's time zone (an IANA name); an unknown name leaves it as it is.
    #[must_use]
    pub fn timezone(mut self, name: &str) -> Self {
        self.set_timezone(name);
        self
    }

    /// Sets the project's time zone (an IANA name). Says whether the name is known.
    pub fn set_timezone(&mut self, name: &str) -> bool {
        let Ok(zone) = TimeZone::get(name) else {
            return false;
        };
        self.zone = zone;
        self.zone_name = name.to_owned();
        true
    }

    /// The project's time zone (an IANA name).
    #[must_use]
    pub fn timezone_name(&self) -> &str {
        &self.zone_name
    }

    /// The events, in no order that may be relied on.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Stores an event as it is, person id included; persons and links stay untouched.
    pub fn insert(&mut self, event: Event) {
        if self
            .events
            .last()
            .is_some_and(|last| last.timestamp > event.timestamp)
        {
            self.sorted = false;
        }
        self.events.push(event);
    }

    /// Keeps only the events that `keep` accepts (a deletion leaves no trace in PostHog). Returns how many went.
    pub fn retain_events(&mut self, keep: impl FnMut(&Event) -> bool) -> usize {
        let before = self.events.len();
        self.events.retain(keep);
        before - self.events.len()
    }

    /// Changes events in place; timestamps may move.
    pub fn update_events(&mut self, change: impl FnMut(&mut Event)) {
        self.events.iter_mut().for_each(change);
        self.sorted = false;
    }

    /// The persons by id.
    #[must_use]
    pub fn persons(&self) -> &BTreeMap<Uuid, Person> {
        &self.persons
    }

    /// A person, to be changed.
    pub fn person_mut(&mut self, id: Uuid) -> Option<&mut Person> {
        self.persons.get_mut(&id)
    }

    /// Where every distinct id leads today.
    #[must_use]
    pub fn distinct_ids(&self) -> &HashMap<Arc<str>, PersonLink> {
        &self.distinct_ids
    }

    /// The distinct ids that moved and whose events are not rewritten yet.
    #[must_use]
    pub fn overrides(&self) -> &HashMap<Arc<str>, PersonLink> {
        &self.overrides
    }

    /// Adds a cohort, replacing one of the same id.
    pub fn add_cohort(&mut self, cohort: Cohort) {
        self.cohorts.insert(cohort.id, cohort);
    }

    /// A cohort, to be changed.
    pub fn cohort_mut(&mut self, id: u64) -> Option<&mut Cohort> {
        self.cohorts.get_mut(&id)
    }

    /// The cohorts by id.
    #[must_use]
    pub fn cohorts(&self) -> &BTreeMap<u64, Cohort> {
        &self.cohorts
    }

    /// Declares an event definition: it wins over what the events say and needs no events.
    pub fn declare(&mut self, definition: EventDefinition) {
        self.definitions.insert(definition.name.clone(), definition);
    }

    /// Every event definition: declared ones, and one for each other name among the events.
    #[must_use]
    pub fn event_definitions(&self) -> BTreeMap<String, EventDefinition> {
        let mut seen: HashMap<Name, (Timestamp, Timestamp)> = HashMap::new();
        for event in &self.events {
            let span = seen
                .entry(event.event)
                .or_insert((event.created_at, event.created_at));
            *span = (span.0.min(event.created_at), span.1.max(event.created_at));
        }
        let mut all: BTreeMap<String, EventDefinition> = seen
            .into_iter()
            .map(|(name, (first, last))| {
                let name = name.as_str();
                (
                    name.to_owned(),
                    EventDefinition::new(name, first, Some(last)),
                )
            })
            .collect();
        all.extend(self.definitions.clone());
        all
    }

    /// The instant before which queries see nothing, where retention is enforced.
    pub(crate) fn retention_floor(&self, now: Timestamp) -> Option<Timestamp> {
        let months = self
            .event_retention_months
            .filter(|_| self.events_retention_enforced)?;
        // A month of retention is counted as 30.5 days: the exact edge is PostHog's own affair.
        now.checked_sub(SignedDuration::from_hours(i64::from(months) * 732))
            .ok()
    }

    pub(crate) fn settle(&mut self) {
        if !self.sorted {
            self.events.sort_by_key(|event| event.timestamp);
            self.sorted = true;
        }
    }
}
