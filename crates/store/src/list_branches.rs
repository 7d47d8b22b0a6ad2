//! How a list of events is read, in every store alike: from one index that has them in the order
//! asked for, or from a few places of one, side by side.

use domain::EventName;
use domain::storage::EventFilter;

/// The most names that are each read from their own place in the index; more are filtered out
/// of all events.
const MAX_BRANCHES: usize = 32;

/// A part of the events in which one index has them in the order asked for.
#[derive(Clone, Copy)]
pub(crate) enum Branch<'a> {
    DistinctId(&'a str),
    Stage(i16),
    Name(&'a str),
    All,
}

/// The branches whose union is what `filter` passes, as far as its ids, stages and names go.
pub(crate) fn branches(filter: &EventFilter) -> Vec<Branch<'_>> {
    if let Some(distinct_id) = &filter.distinct_id {
        return vec![Branch::DistinctId(distinct_id)];
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
