//! How a list of events is read, in every store alike: from one index that has them in the order
//! asked for, or from a few places of one, side by side.

use domain::EventName;
use domain::storage::EventFilter;

/// The most names that are each read from their own place in the index; more are filtered out
/// of all events.
const MAX_BRANCHES: usize = 32;

/// A part of the events in which one index has them in the order asked for; those of a session are so
/// few that they are put in order.
#[derive(Clone, Copy)]
pub(crate) enum Branch<'a> {
    DistinctId(&'a str),
    Session(&'a str),
    Stage(i16),
    Name(&'a str),
    All,
}

/// The branches whose union is what `filter` passes, as far as its ids, stages and names go.
pub(crate) fn branches(filter: &EventFilter) -> Vec<Branch<'_>> {
    if !filter.distinct_ids.is_empty() {
        let mut ids: Vec<&str> = filter.distinct_ids.iter().map(String::as_str).collect();
        ids.sort_unstable();
        ids.dedup();
        return ids.into_iter().map(Branch::DistinctId).collect();
    }
    if let Some(session_id) = &filter.session_id {
        return vec![Branch::Session(session_id)];
    }
    if !filter.stages.is_empty() {
        let mut stages: Vec<i16> = filter.stages.iter().map(|stage| stage.number()).collect();
        stages.sort_unstable();
        stages.dedup();
        return stages.into_iter().map(Branch::Stage).collect();
    }
    let mut names: Vec<&str> = filter.names.iter().map(EventName::as_str).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() || names.len() > MAX_BRANCHES {
        return vec![Branch::All];
    }
    names.into_iter().map(Branch::Name).collect()
}
