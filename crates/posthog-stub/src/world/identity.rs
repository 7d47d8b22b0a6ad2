//! How captured events make and merge persons: `$identify`, `$create_alias`, `$merge_dangerously`,
//! personless events, overrides and the squash job (POSTHOG.md 7.2 to 7.6).

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::event::Event;
use super::person::{Person, PersonLink};
use super::project::Project;
use super::property::{Name, Properties, Property};

/// Namespace of person ids made here: one distinct id always begins with the same person.
const PERSONS: Uuid = Uuid::from_u128(0x9329_79b4_65c3_4424_8467_0b66_ec27_bc22);

impl Project {
    /// Ingests an event as PostHog would: finds or makes its person, performs the merge that an
    /// `$identify`, `$create_alias` or `$merge_dangerously` asks for, and stores the row.
    /// Returns the person id written on the event.
    pub fn capture(&mut self, mut event: Event) -> Uuid {
        let flag = |name| event.properties.get(Name::of(name));
        if flag("$process_person_profile") == Some(&Property::Bool(false)) {
            event.person_id = self.distinct_ids.get(&event.distinct_id).map_or_else(
                || self.first_person_id(&event.distinct_id),
                |link| link.person_id,
            );
        } else {
            self.apply_merge(&event);
            event.person_id = self.person_of(&event.distinct_id, event.timestamp);
        }
        let person = event.person_id;
        self.insert(event);
        person
    }

    fn apply_merge(&mut self, event: &Event) {
        let text = |name| {
            event
                .properties
                .get(Name::of(name))
                .and_then(Property::hogql_text)
        };
        let name = event.event.as_str();
        let other = match name {
            "$identify" => text("$anon_distinct_id"),
            "$create_alias" | "$merge_dangerously" => text("alias"),
            _ => return,
        };
        let survivor = self.person_of(&event.distinct_id, event.timestamp);
        if let Some(other) = other.filter(|other| *other != event.distinct_id) {
            let absorbed = self.person_of(&other, event.timestamp);
            let refused = name != "$merge_dangerously"
                && self
                    .persons
                    .get(&absorbed)
                    .is_some_and(|person| person.is_identified);
            if !refused {
                self.merge(&other, &event.distinct_id);
            }
        }
        if name != "$create_alias"
            && let Some(person) = self.persons.get_mut(&survivor)
        {
            person.is_identified = true;
        }
    }

    /// The person a distinct id leads to, made if there is none.
    pub fn person_of(&mut self, distinct_id: &Arc<str>, seen_at: Timestamp) -> Uuid {
        if let Some(link) = self.distinct_ids.get(distinct_id) {
            return link.person_id;
        }
        let mut id = self.first_person_id(distinct_id);
        if self.persons.contains_key(&id) {
            // The id was split off after its first person went elsewhere.
            id = Uuid::new_v5(&id, b"again");
        }
        self.persons.insert(
            id,
            Person {
                id,
                created_at: seen_at,
                properties: Arc::default(),
                is_identified: false,
                distinct_ids: vec![distinct_id.clone()],
            },
        );
        self.distinct_ids.insert(
            distinct_id.clone(),
            PersonLink {
                person_id: id,
                version: 0,
            },
        );
        id
    }

    /// Merges the person of `absorbed` into the person of `survivor`: all its distinct ids move,
    /// each with an override row, and the person is gone. Merging a person with itself changes nothing.
    pub fn merge(&mut self, absorbed: &str, survivor: &str) {
        let now = Timestamp::now();
        let from = self.person_of(&absorbed.into(), now);
        let into = self.person_of(&survivor.into(), now);
        if from == into {
            return;
        }
        let Some(gone) = self.persons.remove(&from) else {
            return;
        };
        for id in &gone.distinct_ids {
            self.move_distinct_id(id, into);
        }
        if let Some(kept) = self.persons.get_mut(&into) {
            kept.created_at = kept.created_at.min(gone.created_at);
            let mut properties = Properties::clone(&gone.properties);
            for (name, value) in kept.properties.iter() {
                properties.set(name, value.clone());
            }
            kept.properties = Arc::new(properties);
        }
        for cohort in self.cohorts.values_mut() {
            if cohort.people.remove(&from) {
                cohort.people.insert(into);
            }
        }
    }

    /// Moves one distinct id to a person and records the override.
    pub fn move_distinct_id(&mut self, distinct_id: &Arc<str>, person: Uuid) {
        let before = self.distinct_ids.get(distinct_id).copied();
        if let Some(left) = before.and_then(|link| self.persons.get_mut(&link.person_id)) {
            left.distinct_ids.retain(|id| id != distinct_id);
        }
        if let Some(joined) = self.persons.get_mut(&person) {
            joined.distinct_ids.push(distinct_id.clone());
        }
        let version = before.map_or(0, |link| link.version + 1);
        let link = PersonLink {
            person_id: person,
            version,
        };
        self.distinct_ids.insert(distinct_id.clone(), link);
        self.overrides.insert(distinct_id.clone(), link);
    }

    /// Deletes a person and its distinct ids; with `events`, the events too. No table keeps a trace.
    pub fn delete_person(&mut self, person: Uuid, events: bool) {
        self.persons.remove(&person);
        if events {
            let overrides = &self.overrides;
            self.events.retain(|event| {
                overrides
                    .get(&event.distinct_id)
                    .map_or(event.person_id, |link| link.person_id)
                    != person
            });
        }
        self.distinct_ids.retain(|_, link| link.person_id != person);
        self.overrides.retain(|_, link| link.person_id != person);
        for cohort in self.cohorts.values_mut() {
            cohort.people.remove(&person);
        }
    }

    /// Runs PostHog's squash job: events get their person of today and the overrides vanish.
    pub fn squash_overrides(&mut self) {
        for event in &mut self.events {
            if let Some(link) = self.overrides.get(&event.distinct_id) {
                event.person_id = link.person_id;
            }
        }
        self.overrides.clear();
    }

    /// The person an event has when it is read today.
    #[must_use]
    pub fn person_id_today(&self, event: &Event) -> Uuid {
        self.overrides
            .get(&event.distinct_id)
            .map_or(event.person_id, |link| link.person_id)
    }

    fn first_person_id(&self, distinct_id: &str) -> Uuid {
        let namespace = Uuid::new_v5(&PERSONS, &self.id.to_be_bytes());
        Uuid::new_v5(&namespace, distinct_id.as_bytes())
    }
}
