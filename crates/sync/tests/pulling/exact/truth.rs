//! What must be stored, worked out from what PostHog has without any cleverness, and without a line
//! of the product's own rules.

use std::collections::{BTreeMap, BTreeSet};

use domain::Event;
use domain::cohorts::CohortId;
use domain::event::EventName;
use domain::identity::{Evidence, IdentityKey};
use domain::stage::PostHogStage;
use domain::storage::EventRow;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use posthog_stub::Project;
use uuid::Uuid;

use super::posthog::{CUSTOMER, Erased, NAMES, Traits, VISITORS};

/// Where the shop is.
pub(crate) const ZONE: &str = "Europe/Berlin";

/// A link without the times of observation, which are the store's own.
pub(crate) type Link = (String, IdentityKey, Evidence);

/// Everything that readers may find.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Truth {
    /// By uuid; the person is left out, for it follows from `persons`.
    pub(crate) rows: BTreeMap<Uuid, EventRow>,
    pub(crate) persons: BTreeMap<String, Uuid>,
    /// Who is in each cohort that has anybody.
    pub(crate) cohorts: BTreeMap<CohortId, BTreeSet<Uuid>>,
}

/// The row of one uuid that counts.
pub(crate) fn winner<'a>(
    rows: impl Iterator<Item = &'a posthog_stub::Event>,
) -> Option<&'a posthog_stub::Event> {
    rows.max_by_key(|row| {
        let name = row.event.as_str().to_owned();
        (row.created_at, row.timestamp, name, row.distinct_id.clone())
    })
}

impl Truth {
    /// What a store must hold of `project` that has read all that happened in `[from, to)`, and from
    /// which these were erased.
    pub(crate) fn of(project: &Project, from: Timestamp, to: Timestamp, erased: &Erased) -> Self {
        let read: Vec<_> = project
            .events()
            .iter()
            .filter(|row| row.timestamp >= from && row.timestamp < to)
            .collect();
        let uuids: BTreeSet<Uuid> = read.iter().map(|row| row.uuid).collect();
        let rows = uuids.into_iter().filter_map(|uuid| {
            let row = winner(read.iter().copied().filter(|row| row.uuid == uuid))?;
            let is_erased = erased.distinct_ids.contains(&*row.distinct_id);
            (!is_erased).then(|| (uuid, stored(row)))
        });
        let ids = project.distinct_ids().iter();
        Self {
            rows: rows.collect(),
            persons: ids
                .map(|(id, link)| (id.to_string(), link.person_id))
                .filter(|(id, _)| !erased.distinct_ids.contains(id))
                .collect(),
            cohorts: cohorts(project, erased),
        }
    }

    /// Events by day and name.
    pub(crate) fn by_day(&self) -> BTreeMap<(Date, EventName), u64> {
        let mut counts = BTreeMap::new();
        for row in self.rows.values() {
            let key = (day(row.event.timestamp), row.event.event.clone());
            *counts.entry(key).or_default() += 1;
        }
        counts
    }

    /// Events by day, stage and name.
    pub(crate) fn by_stage(&self) -> BTreeMap<(Date, PostHogStage, EventName), u64> {
        let mut counts = BTreeMap::new();
        for row in self.rows.values() {
            if let Some(stage) = row.stage {
                let key = (day(row.event.timestamp), stage, row.event.event.clone());
                *counts.entry(key).or_default() += 1;
            }
        }
        counts
    }

    /// Clicks by day and page: submitted forms and changed fields are none.
    pub(crate) fn clicks(&self) -> BTreeMap<(Date, String), u64> {
        let mut clicks = BTreeMap::new();
        for EventRow { event, .. } in self.rows.values() {
            if event.event_type.as_deref() == Some("click") {
                let page = match event.path.as_deref() {
                    Some("/products/red-shirt") => "/products/*",
                    other => other.unwrap(),
                };
                let key = (day(event.timestamp), page.to_owned());
                *clicks.entry(key).or_default() += 1;
            }
        }
        clicks
    }

    /// Links that events carry, with the first and the last event that does.
    pub(crate) fn carried(&self) -> BTreeMap<Link, (Timestamp, Timestamp)> {
        let mut links: BTreeMap<Link, (Timestamp, Timestamp)> = BTreeMap::new();
        for EventRow { event, .. } in self.rows.values() {
            // PostHog itself takes this for nobody's id, and so does a careless shop.
            if event.distinct_id == "undefined" {
                continue;
            }
            let mut said = Vec::new();
            if event.distinct_id == "Ada@shop.example" {
                let email = IdentityKey::Email("ada@shop.example".to_owned());
                said.push((email, Evidence::DistinctIdForm));
            }
            let customer = event.id_properties.get(CUSTOMER).map(|id| id.trim());
            if let Some(id) = customer.filter(|id| *id != "undefined") {
                let evidence = Evidence::EventProperty(CUSTOMER.to_owned());
                said.push((IdentityKey::CustomerId(id.to_owned()), evidence));
            }
            let other = event.anon_distinct_id.as_deref();
            if let Some(id) = other.filter(|id| *id != "undefined") {
                said.push((IdentityKey::DistinctId(id.to_owned()), Evidence::Identify));
            }
            for (to, evidence) in said {
                let at = event.timestamp;
                let seen = links
                    .entry((event.distinct_id.clone(), to, evidence))
                    .or_insert((at, at));
                *seen = (seen.0.min(at), seen.1.max(at));
            }
        }
        links
    }

    /// Every current link.
    pub(crate) fn links(&self) -> BTreeSet<Link> {
        let persons = self.persons.iter().map(|(id, person)| {
            let person = IdentityKey::Person(*person);
            (id.clone(), person, Evidence::PersonMapping)
        });
        self.carried().into_keys().chain(persons).collect()
    }
}

/// Who is in each cohort but the erased.
fn cohorts(project: &Project, erased: &Erased) -> BTreeMap<CohortId, BTreeSet<Uuid>> {
    let there = project.cohorts().values().filter(|it| !it.deleted);
    there
        .map(|cohort| {
            let members = cohort.people.difference(&erased.persons).copied().collect();
            (CohortId(i64::try_from(cohort.id).unwrap()), members)
        })
        .filter(|(_, members): &(_, BTreeSet<Uuid>)| !members.is_empty())
        .collect()
}

fn day(at: Timestamp) -> Date {
    TimeZone::get(ZONE).unwrap().to_datetime(at).date()
}

/// The row as it is kept, but for its person.
fn stored(row: &posthog_stub::Event) -> EventRow {
    let place = |list: &[&str], text: &str| list.iter().position(|one| *one == text).unwrap();
    let name = place(&NAMES, row.event.as_str());
    let visitor = place(&VISITORS, &row.distinct_id);
    let Traits {
        path,
        texts,
        elements,
    } = Traits::of(name, visitor, row.timestamp);
    let text = |property: &str| texts.get(property).map(|text| (*text).to_owned());
    let customer = text(CUSTOMER).map(|id| (CUSTOMER.to_owned(), id));
    let stage = match (NAMES[name], path) {
        ("$pageview", "/products/red-shirt") => Some(PostHogStage::ProductViewed),
        ("product added to cart", _) => Some(PostHogStage::AddedToCart),
        ("checkout started", _) => Some(PostHogStage::CheckoutStarted),
        _ => None,
    };
    let event = Event {
        uuid: row.uuid,
        event: EventName::from(NAMES[name]),
        distinct_id: VISITORS[visitor].to_owned(),
        person_id: None,
        timestamp: row.timestamp,
        created_at: row.created_at,
        session_id: None,
        window_id: None,
        host: Some("shop.example".to_owned()),
        path: Some(path.to_owned()),
        referrer: None,
        utm_source: None,
        utm_medium: None,
        utm_campaign: None,
        utm_content: None,
        utm_term: None,
        device_type: None,
        elements_chain: Some(elements.to_owned()).filter(|chain| !chain.is_empty()),
        event_type: text("$event_type"),
        anon_distinct_id: text("$anon_distinct_id"),
        alias: None,
        product_id: text("product_id"),
        sku: None,
        price: None,
        currency: None,
        quantity: None,
        cart_id: None,
        id_properties: customer.into_iter().collect(),
    };
    EventRow { event, stage }
}
