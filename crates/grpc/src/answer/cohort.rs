//! Cohorts, their members and their changes.

use std::collections::BTreeMap;

use domain::ConnectionName;
use domain::cohorts::{CohortId, CohortKind};
use domain::identity::{IdentityAnswer, IdentityKey};
use domain::storage::{CohortChange, CohortMember, CohortMove, CohortRecord};
use jiff::Timestamp;
use uuid::Uuid;

use super::identity::key;
use super::time::timestamp;
use crate::proto::v1;

/// The resource name of a cohort.
fn resource_name(connection: &ConnectionName, cohort: CohortId) -> String {
    format!("{}/cohorts/{cohort}", connection.resource_name())
}

/// A count as the API has it.
fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A cohort.
pub(crate) fn cohort(connection: &ConnectionName, record: CohortRecord) -> v1::Cohort {
    use v1::cohort::Kind;
    let listed = record.cohort;
    v1::Cohort {
        name: resource_name(connection, listed.id),
        display_name: listed.name,
        description: listed.description,
        kind: match listed.kind {
            CohortKind::Dynamic => Kind::Dynamic,
            CohortKind::Static => Kind::Static,
        }
        .into(),
        definition: listed.definition.unwrap_or_default(),
        member_count: count(record.members),
        posthog_count: listed.mark.count.map(count),
        calculating: listed.is_calculating,
        calculation_errors: count(listed.errors_calculating),
        calculate_time: listed.mark.last_calculated_at.map(timestamp),
        create_time: listed.created_at.map(timestamp),
        sync_time: record.read.map(|read| timestamp(read.at)),
        delete_time: record.deleted_at.map(timestamp),
    }
}

/// A member, with what its person was resolved to.
pub(crate) fn cohort_member(
    member: CohortMember,
    identity: Option<IdentityAnswer>,
) -> v1::CohortMember {
    let mut answer = v1::CohortMember {
        person_id: member.person_id.to_string(),
        enter_time: Some(timestamp(member.entered_at)),
        ..Default::default()
    };
    if let Some(identity) = identity {
        answer.primary_customer_id = identity.primary_customer_id;
        answer.customer_ids = identity.customer_ids;
        answer.distinct_ids = identity.distinct_ids;
        answer.truncated = identity.truncated;
    }
    answer
}

/// What is found of one id in a cohort.
pub(crate) struct Membership {
    /// The id asked for.
    pub(crate) key: IdentityKey,
    /// Whether anything is known of it.
    pub(crate) is_known: bool,
    /// Its persons that are members, each with when it was observed to become one.
    pub(crate) persons: BTreeMap<Uuid, Timestamp>,
    /// Whether there may be more.
    pub(crate) is_truncated: bool,
}

/// Whether an id is in a cohort.
pub(crate) fn cohort_membership(found: Membership) -> v1::CohortMembership {
    v1::CohortMembership {
        key: Some(key(found.key)),
        member: !found.persons.is_empty(),
        enter_time: found.persons.values().min().copied().map(timestamp),
        person_ids: found.persons.keys().map(ToString::to_string).collect(),
        known: found.is_known,
        truncated: found.is_truncated,
    }
}

/// A change.
pub(crate) fn cohort_change(connection: &ConnectionName, change: CohortChange) -> v1::CohortChange {
    use v1::cohort_change::Kind;
    v1::CohortChange {
        cohort: change
            .kind
            .cohort()
            .map_or_else(String::new, |cohort| resource_name(connection, cohort)),
        person_id: change.person_id.to_string(),
        kind: match change.kind {
            CohortMove::Entered(_) => Kind::Entered,
            CohortMove::Left(_) => Kind::Left,
            CohortMove::Erased => Kind::Erased,
        }
        .into(),
        observe_time: Some(timestamp(change.at)),
    }
}
