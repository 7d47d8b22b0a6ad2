//! CheckCohortMembership: which of some ids are in a cohort.

use std::collections::{BTreeMap, BTreeSet};

use domain::identity::{IdentityAnswer, IdentityKey, IdentityStatus};
use jiff::Timestamp;
use uuid::Uuid;

use super::CohortServer;
use crate::answer::{Membership, cohort_membership};
use crate::check::{check_cohort, check_keys};
use crate::errors::ApiError;
use crate::proto::v1;
use crate::reads::ReadStore;

impl<S: ReadStore + ?Sized + 'static> CohortServer<S> {
    pub(super) async fn memberships(
        &self,
        request: v1::CheckCohortMembershipRequest,
    ) -> Result<v1::CheckCohortMembershipResponse, ApiError> {
        let (name, cohort) = check_cohort("name", &request.name)?;
        let keys = check_keys(&request.keys)?;

        let readable = self.reads.open(&name).await?;
        self.require(&readable, cohort).await?;
        let (store, epoch) = (&self.reads.store, readable.epoch.id);
        let identities = self.reads.resolve(&readable.epoch, &keys).await?;
        let persons: BTreeSet<Uuid> = identities.iter().flat_map(persons_of).collect();
        let persons: Vec<Uuid> = persons.into_iter().collect();
        let members: BTreeMap<Uuid, Timestamp> = store
            .memberships(epoch, &[cohort], &persons)
            .await?
            .into_iter()
            .map(|found| (found.person_id, found.entered_at))
            .collect();
        let memberships = identities
            .into_iter()
            .map(|identity| cohort_membership(membership(identity, &members)))
            .collect();
        Ok(v1::CheckCohortMembershipResponse { memberships })
    }
}

/// The persons that an id may be a member as. A person's own id is one also when nothing else is
/// known of it: it may have no distinct id any more.
fn persons_of(identity: &IdentityAnswer) -> BTreeSet<Uuid> {
    let mut persons: BTreeSet<Uuid> = identity.persons.iter().copied().collect();
    if let IdentityKey::Person(person) = identity.key {
        persons.insert(person);
    }
    persons
}

fn membership(identity: IdentityAnswer, members: &BTreeMap<Uuid, Timestamp>) -> Membership {
    let persons: BTreeMap<Uuid, Timestamp> = persons_of(&identity)
        .into_iter()
        .filter_map(|person| Some((person, *members.get(&person)?)))
        .collect();
    Membership {
        is_truncated: identity.truncated,
        is_known: identity.status != IdentityStatus::Unknown || !persons.is_empty(),
        key: identity.key,
        persons,
    }
}
