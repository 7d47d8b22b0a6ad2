//! What happens at PostHog: events come in, again, late or ahead of time, are deleted; persons merge
//! and go. All in one project of the stand-in.

use std::collections::{BTreeMap, BTreeSet};

use domain::erasure::ErasedPerson;
use jiff::{SignedDuration, Timestamp};
use posthog_stub::{Cohort, Event, Project};
use uuid::Uuid;

use super::truth::winner;

/// Who visits: ordinary ids, an e-mail address, one that PostHog refuses to merge, and one without a
/// person.
pub(crate) const VISITORS: [&str; 7] = [
    "visitor-1",
    "visitor-2",
    "visitor-3",
    "visitor-4",
    "Ada@shop.example",
    "undefined",
    "nobody",
];
/// What they do.
pub(crate) const NAMES: [&str; 7] = [
    "$pageview",
    "product added to cart",
    "checkout started",
    "$autocapture",
    "newsletter signed up",
    "Order Completed",
    "$identify",
];
/// Which of [`NAMES`] merges its visitor with the next.
const IDENTIFY: usize = 6;
/// The property that carries customers' ids.
pub(crate) const CUSTOMER: &str = "customer_id";

const MINUTE: SignedDuration = SignedDuration::from_mins(1);
/// Minutes by which PostHog stores a stamp that is ahead of time at most: 23 hours.
pub(crate) const AHEAD: i32 = 23 * 60;
/// Minutes by which an event is late at most; refreshes look back 30 days for arrivals.
const LATE: i32 = 28 * 24 * 60;
/// So many minutes a server of PostHog's may be behind: a little less than the two hours that
/// refreshes look back for arrivals.
pub(crate) const BEHIND: i32 = 115;

/// When PostHog took a row in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Taken {
    /// When it happened, or now if that is earlier.
    AtOnce,
    /// So many minutes ago, by a server that is behind: [`BEHIND`] at most.
    MinutesAgo(i64),
}

/// One thing that happens.
#[derive(Debug, Clone)]
pub(crate) enum Happening {
    /// Events come in that share a moment.
    Arrival {
        name: usize,
        visitor: usize,
        /// Minutes before now; less than 0 is ahead of time.
        ago: i64,
        /// How many.
        count: u8,
        taken: Taken,
    },
    /// Exactly the row of an earlier event comes in once more.
    Duplicate { nth: usize },
    /// The uuid of an earlier event comes in again, elsewhere in time, under any name and id.
    Resent {
        nth: usize,
        name: usize,
        visitor: usize,
        /// Minutes from where it was first.
        moved: i64,
        /// Whether PostHog took it in at the instant of the row that it repeats, else now.
        tied: bool,
    },
    /// An event is deleted, with every row of its uuid.
    Deleted { nth: usize },
    /// A person is deleted, with or without its events.
    PersonDeleted { visitor: usize, events: bool },
    /// One visitor turns out to be another.
    Merged { from: usize, into: usize },
    /// PostHog rewrites the events of those who moved and forgets that they did.
    Squashed,
    /// A cohort is made, or computed or uploaded anew, and has the persons of these visitors.
    Gathered {
        cohort: u64,
        visitors: BTreeSet<usize>,
    },
    /// A cohort is deleted.
    Disbanded { cohort: u64 },
}

/// The project, and what is known of it beyond what it says itself.
pub(crate) struct PostHog {
    /// The uuids so far, with the moment at which each first happened.
    origins: Vec<(Uuid, Timestamp)>,
    deleted: BTreeSet<Uuid>,
    /// Whether anybody is erased in the story. Then no two rows of one uuid have all times alike: of
    /// an erased one no more is known.
    pub(crate) has_erasures: bool,
    /// Whether any person was deleted. Whom an id belonged to before, PostHog then does not say.
    has_lost_persons: bool,
    pub(crate) erased: Erased,
}

/// Who was erased from the store.
#[derive(Debug, Clone, Default)]
pub(crate) struct Erased {
    pub(crate) distinct_ids: BTreeSet<String>,
    pub(crate) persons: BTreeSet<Uuid>,
}

/// The cohorts that there may be; those of an even number are uploaded.
pub(crate) const COHORTS: u64 = 3;

impl PostHog {
    pub(crate) fn new() -> Self {
        Self {
            origins: Vec::new(),
            deleted: BTreeSet::new(),
            has_erasures: false,
            has_lost_persons: false,
            erased: Erased::default(),
        }
    }

    /// The person of a visitor with all of its distinct ids, unless it cannot be told who that is.
    pub(crate) fn person_of(&self, project: &Project, visitor: usize) -> Option<ErasedPerson> {
        let person = project.distinct_ids().get(VISITORS[visitor])?.person_id;
        if self.has_lost_persons {
            return None;
        }
        let ids = project.distinct_ids().iter();
        let ids = ids.filter(|(_, link)| link.person_id == person);
        let distinct_ids: BTreeSet<String> = ids.map(|(id, _)| id.to_string()).collect();
        Some(ErasedPerson {
            persons: vec![person],
            distinct_ids: distinct_ids.into_iter().collect(),
        })
    }

    /// Whether merging visitors would let the erased take somebody in, or be taken in: who is erased
    /// then depends on when that is seen.
    fn merges_erased(&self, visitors: [usize; 2]) -> bool {
        let mut names = visitors.iter().map(|visitor| VISITORS[*visitor]);
        names.any(|name| self.erased.distinct_ids.contains(name))
    }

    /// Whether an event by a visitor merges an erased one.
    fn identifies_erased(&self, name: usize, visitor: usize) -> bool {
        name == IDENTIFY && self.merges_erased([visitor, (visitor + 1) % VISITORS.len()])
    }

    /// Makes it happen at `now`.
    pub(crate) fn let_happen(
        &mut self,
        project: &mut Project,
        happening: &Happening,
        now: Timestamp,
    ) {
        match *happening {
            Happening::Arrival { name, visitor, .. } | Happening::Resent { name, visitor, .. }
                if self.identifies_erased(name, visitor) => {}
            Happening::Arrival {
                name,
                visitor,
                ago,
                count,
                taken,
            } => {
                for _ in 0..count {
                    let stamp = now - MINUTE * i32::try_from(ago).unwrap();
                    let uuid = self.new_uuid();
                    self.origins.push((uuid, stamp));
                    let created = match taken {
                        Taken::AtOnce => (stamp + SignedDuration::from_secs(2)).min(now),
                        Taken::MinutesAgo(minutes) => {
                            now - MINUTE * i32::try_from(minutes).unwrap()
                        }
                    };
                    project.capture(event(name, visitor, stamp).uuid(uuid).created_at(created));
                }
            }
            Happening::Duplicate { nth } => {
                let row = pick(project.events(), nth).cloned();
                // An old row that comes back keeps its time of arrival, as a replica's would.
                row.into_iter().for_each(|row| project.insert(row));
            }
            Happening::Resent {
                nth,
                name,
                visitor,
                moved,
                tied,
            } => {
                let Some(&(uuid, stamp)) = pick(&self.origins, nth) else {
                    return;
                };
                let stamp = stamp + MINUTE * i32::try_from(moved).unwrap();
                let stamp = stamp.clamp(now - MINUTE * LATE, now + MINUTE * AHEAD);
                let newest = winner(project.events().iter().filter(|event| event.uuid == uuid));
                // PostHog took it in just now, and after it deleted an earlier one.
                let tied = newest.filter(|row| {
                    let is_new = now.duration_since(row.created_at) < MINUTE * BEHIND;
                    let is_alike = self.has_erasures && row.timestamp == stamp;
                    tied && is_new && !is_alike && !self.deleted.contains(&uuid)
                });
                let created = tied.map_or(now, |row| row.created_at);
                project.capture(event(name, visitor, stamp).uuid(uuid).created_at(created));
            }
            Happening::Deleted { nth } => {
                if let Some(&(uuid, _)) = pick(&self.origins, nth) {
                    self.delete(project, &BTreeSet::from([uuid]));
                }
            }
            Happening::PersonDeleted { visitor, events } => {
                let Some(person) = project.distinct_ids().get(VISITORS[visitor]).copied() else {
                    return;
                };
                let of_person = |event: &&Event| project.person_id_today(event) == person.person_id;
                let theirs: BTreeSet<Uuid> = project
                    .events()
                    .iter()
                    .filter(of_person)
                    .map(|event| event.uuid)
                    .collect();
                if events {
                    self.delete(project, &theirs);
                }
                project.delete_person(person.person_id, false);
                self.has_lost_persons = true;
            }
            Happening::Merged { from, into } if self.merges_erased([from, into]) => {}
            Happening::Merged { from, into } => project.merge(VISITORS[from], VISITORS[into]),
            Happening::Squashed => project.squash_overrides(),
            Happening::Gathered {
                cohort,
                ref visitors,
            } => {
                let person = |visitor: &usize| project.distinct_ids().get(VISITORS[*visitor]);
                let people: Vec<Uuid> = visitors
                    .iter()
                    .filter_map(person)
                    .map(|link| link.person_id)
                    .collect();
                if project.cohort_mut(cohort).is_none() {
                    let new = Cohort::new(cohort, "Some");
                    let is_uploaded = cohort.is_multiple_of(2);
                    project.add_cohort(if is_uploaded { new.fixed() } else { new });
                }
                if let Some(cohort) = project.cohort_mut(cohort) {
                    cohort.deleted = false;
                    cohort.recalculate(people, now);
                }
            }
            Happening::Disbanded { cohort } => {
                if let Some(cohort) = project.cohort_mut(cohort) {
                    cohort.deleted = true;
                }
            }
        }
    }

    fn delete(&mut self, project: &mut Project, uuids: &BTreeSet<Uuid>) {
        project.retain_events(|event| !uuids.contains(&event.uuid));
        self.deleted.extend(uuids);
    }

    /// Ids in whose order nothing can be read.
    fn new_uuid(&self) -> Uuid {
        let number = self.origins.len() as u128 + 1;
        Uuid::from_u128(number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
    }
}

fn pick<T>(from: &[T], nth: usize) -> Option<&T> {
    from.get(nth.checked_rem(from.len())?)
}

/// An event whose every other property follows from what decides between rows of one uuid: two rows
/// alike in those are one row (docs/decisions/0002).
fn event(name: usize, visitor: usize, stamp: Timestamp) -> Event {
    let traits = Traits::of(name, visitor, stamp);
    let mut event = Event::new(NAMES[name], VISITORS[visitor], stamp).property(
        "$current_url",
        format!("https://shop.example{}?q=1", traits.path),
    );
    for (property, value) in &traits.texts {
        event = event.property(property, *value);
    }
    if VISITORS[visitor] == "nobody" {
        event = event.property("$process_person_profile", false);
    }
    event.elements_chain(traits.elements)
}

/// What an event carries, by its name, its visitor and its moment.
pub(crate) struct Traits {
    pub(crate) path: &'static str,
    pub(crate) texts: BTreeMap<&'static str, &'static str>,
    pub(crate) elements: &'static str,
}

impl Traits {
    pub(crate) fn of(name: usize, visitor: usize, stamp: Timestamp) -> Self {
        let turn = usize::try_from(stamp.as_second() / 60).unwrap();
        let mut texts = BTreeMap::new();
        if name == 1 {
            texts.insert("product_id", ["p1", "p2", "p3"][turn % 3]);
        }
        if name == 2 || (name == 4 && visitor < 2) {
            texts.insert(CUSTOMER, [" 71 ", "72", "undefined"][turn % 3]);
        }
        if name == 3 {
            texts.insert("$event_type", ["click", "submit", "change"][turn % 3]);
        }
        if name == IDENTIFY {
            texts.insert(
                "$anon_distinct_id",
                VISITORS[(visitor + 1) % VISITORS.len()],
            );
        }
        let paths = ["/products/red-shirt", "/pages/about", "/products/a/reviews"];
        Self {
            path: paths[(turn + visitor) % 3],
            texts,
            elements: if name == 3 {
                "a:href=\"/cart\"nth-child=\"1\""
            } else {
                ""
            },
        }
    }
}
