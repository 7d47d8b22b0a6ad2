//! How person links move when mappings are observed, in every store alike.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use domain::event::without_nul;
use domain::storage::{PersonMapping, ReadRange};
use uuid::Uuid;

/// The person of each distinct id that was answered.
pub(crate) type Observed<'a> = BTreeMap<Cow<'a, str>, Uuid>;

/// A link that has not ended.
pub(crate) struct Current {
    /// Its number.
    pub(crate) link: i64,
    /// Where it leads.
    pub(crate) person_id: Uuid,
}

/// The difference between what is stored and what was read.
#[derive(Default)]
pub(crate) struct Difference<'a> {
    /// Links that end.
    pub(crate) ended: Vec<i64>,
    /// Links that begin.
    pub(crate) begun: Vec<(&'a str, Uuid)>,
    /// Distinct ids whose link changed.
    pub(crate) changed: u64,
}

/// Mappings by distinct id, spelled as events are stored; of several for one id the last counts.
pub(crate) fn observed(mappings: &[PersonMapping]) -> Observed<'_> {
    mappings
        .iter()
        .map(|mapping| (without_nul(&mapping.distinct_id), mapping.person_id))
        .collect()
}

/// Each id that was answered or asked for, once, but for those of a span, which are found by its bounds.
pub(crate) fn named<'a>(observed: &'a Observed<'_>, range: &'a ReadRange) -> Vec<Cow<'a, str>> {
    let answered = observed.keys().map(|id| Cow::Borrowed(&**id));
    let mut ids: BTreeSet<Cow<'a, str>> = answered.filter(|id| !is_within(id, range)).collect();
    if let ReadRange::Ids(asked) = range {
        ids.extend(asked.iter().map(|id| without_nul(id)));
    }
    ids.into_iter().collect()
}

/// Whether an id lies in the span that was read. PostHog's order is that of bytes, as a text's is here.
fn is_within(id: &str, range: &ReadRange) -> bool {
    match range {
        ReadRange::Answered | ReadRange::Ids(_) => false,
        ReadRange::Span { after, through } => {
            after
                .as_deref()
                .is_none_or(|after| id > &*without_nul(after))
                && through
                    .as_deref()
                    .is_none_or(|through| id <= &*without_nul(through))
        }
    }
}

/// Compares what was answered with the `current` links of every id that the read covered.
pub(crate) fn compare<'a>(
    observed: &'a Observed<'_>,
    current: &BTreeMap<String, Current>,
) -> Difference<'a> {
    let mut difference = Difference::default();
    for (distinct_id, person_id) in observed {
        match current.get(&**distinct_id) {
            Some(link) if link.person_id == *person_id => continue,
            Some(link) => difference.ended.push(link.link),
            None => {}
        }
        difference.begun.push((distinct_id, *person_id));
        difference.changed += 1;
    }
    for (distinct_id, link) in current {
        if !observed.contains_key(distinct_id.as_str()) {
            difference.ended.push(link.link);
            difference.changed += 1;
        }
    }
    difference
}
