//! Cohorts: what is listed, who is in them, who came and went.

use std::collections::{BTreeMap, BTreeSet};

use domain::cohorts::{Cohort, CohortBucket, CohortId, CohortKind, CohortMark, digests_of};
use domain::connection::{ConnectionId, ConnectionName};
use domain::storage::{
    CohortMove, CohortPart, CohortRead, Lease, MembersMoved, Membership, Store, StoreError,
};
use jiff::Timestamp;
use uuid::Uuid;

use super::Database;
use super::fixtures::{GRACE, MINUTE, Site, hours, start};

/// A person whose id is as random as PostHog's.
pub(crate) fn person(number: u32) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, &number.to_be_bytes())
}

pub(crate) fn people(numbers: impl IntoIterator<Item = u32>) -> BTreeSet<Uuid> {
    numbers.into_iter().map(person).collect()
}

/// A cohort as PostHog lists it.
pub(crate) fn cohort(id: i64, count: u64) -> Cohort {
    Cohort {
        id: CohortId(id),
        name: format!("Cohort {id} \u{0} \u{1f6d2}"),
        description: String::new(),
        kind: if id % 2 == 0 {
            CohortKind::Static
        } else {
            CohortKind::Dynamic
        },
        definition: Some(r#"{"properties":{"type":"OR","values":[]}}"#.to_owned()),
        created_at: Some(start()),
        is_calculating: false,
        errors_calculating: 0,
        mark: CohortMark {
            count: Some(count),
            version: Some(1),
            last_calculated_at: Some(start()),
        },
    }
}

/// All of a cohort.
pub(crate) fn whole(id: i64, members: BTreeSet<Uuid>) -> CohortPart {
    CohortPart {
        cohort: CohortId(id),
        buckets: None,
        members,
    }
}

fn moved(entered: u64, left: u64) -> MembersMoved {
    MembersMoved { entered, left }
}

/// A state of members rebuilt from changes alone.
#[derive(Debug, Default, Clone)]
pub(crate) struct Follower {
    seq: i64,
    pub(crate) members: BTreeMap<CohortId, BTreeSet<Uuid>>,
}

impl Follower {
    /// Applies every change that is told, a few at a time.
    pub(crate) async fn catch_up(&mut self, store: &dyn Store, id: ConnectionId) {
        loop {
            let changes = store.cohort_changes(id, self.seq, 3).await.unwrap();
            if changes.is_empty() {
                let history = store.cohort_history(id).await.unwrap();
                assert!(self.seq <= history.latest);
                return;
            }
            for change in changes {
                assert!(change.seq > self.seq, "{change:?} after {}", self.seq);
                self.seq = change.seq;
                let person = change.person_id;
                match change.kind {
                    CohortMove::Entered(cohort) => {
                        assert!(self.members.entry(cohort).or_default().insert(person));
                    }
                    CohortMove::Left(cohort) => {
                        assert!(self.members.entry(cohort).or_default().remove(&person));
                    }
                    CohortMove::Erased => self.members.values_mut().for_each(|members| {
                        members.remove(&person);
                    }),
                }
            }
        }
    }

    /// What it knows, without cohorts that nobody is in.
    pub(crate) fn known(&self) -> BTreeMap<CohortId, BTreeSet<Uuid>> {
        let mut known = self.members.clone();
        known.retain(|_, members| !members.is_empty());
        known
    }
}

/// Everybody who is stored as a member, page by page, each in the order of the last.
pub(crate) async fn members(
    store: &dyn Store,
    id: ConnectionId,
    cohort: CohortId,
) -> Vec<(Uuid, Timestamp)> {
    let mut found: Vec<(Uuid, Timestamp)> = Vec::new();
    loop {
        let after = found.last().map(|(person, _)| *person);
        let page = store.cohort_members(id, cohort, after, 4).await.unwrap();
        if page.is_empty() {
            let place = |person: Uuid| (CohortBucket::of(person), person);
            assert!(found.is_sorted_by_key(|(person, _)| place(*person)));
            return found;
        }
        found.extend(page.iter().map(|it| (it.person_id, it.entered_at)));
    }
}

/// That members, their number, digests and memberships are those of this set.
pub(crate) async fn assert_members(
    store: &dyn Store,
    id: ConnectionId,
    cohort: CohortId,
    expected: &BTreeSet<Uuid>,
) {
    assert_members_of(store, id, cohort, expected, expected).await;
}

/// That members, their number and memberships are those of this set, and digests those of what PostHog
/// `has`.
pub(crate) async fn assert_members_of(
    store: &dyn Store,
    id: ConnectionId,
    cohort: CohortId,
    expected: &BTreeSet<Uuid>,
    has: &BTreeSet<Uuid>,
) {
    let found = members(store, id, cohort).await;
    let found: BTreeSet<Uuid> = found.into_iter().map(|(person, _)| person).collect();
    assert_eq!(found, *expected);
    let record = store.cohort(id, cohort).await.unwrap().unwrap();
    assert_eq!(record.members, expected.len() as u64);
    let digests = store.bucket_digests(id, cohort).await.unwrap();
    assert_eq!(digests, digests_of(has));
    let asked: Vec<Uuid> = has.iter().copied().chain([person(999)]).collect();
    let memberships = store.memberships(id, &[cohort], &asked).await.unwrap();
    let found: BTreeSet<Uuid> = memberships.iter().map(|it| it.person_id).collect();
    assert_eq!(found, *expected);
}

pub(crate) async fn cohorts_are_as_posthog_last_listed_them(database: &dyn Database) {
    let Site {
        store, id, lease, ..
    } = Site::new(database).await;
    let listed = [cohort(1, 10), cohort(2, 20), cohort(3, 30)];
    let put = store.put_cohorts(&lease, &listed, hours(1)).await.unwrap();
    assert_eq!(
        put.iter().map(|it| &it.cohort).collect::<Vec<_>>(),
        listed.iter().collect::<Vec<_>>()
    );
    assert!(
        put.iter()
            .all(|it| it.members == 0 && it.read.is_none() && it.deleted_at.is_none())
    );

    let read = CohortRead {
        at: hours(2),
        mark: listed[1].mark,
    };
    store
        .cohorts_read(&lease, &[(CohortId(2), read)])
        .await
        .unwrap();
    let changed = [cohort(2, 21), cohort(3, 30)];
    let put = store.put_cohorts(&lease, &changed, hours(3)).await.unwrap();
    assert_eq!(put.len(), 3);
    assert_eq!(put[0].deleted_at, Some(hours(3)));
    assert_eq!((&put[1].cohort, put[1].read), (&changed[0], Some(read)));
    let again = store.put_cohorts(&lease, &changed, hours(4)).await.unwrap();
    assert_eq!(again, put, "the first time counts");

    let first = store.cohorts(id, false, None, 1).await.unwrap();
    assert_eq!(first, [put[1].clone()]);
    let rest = store
        .cohorts(id, false, Some(CohortId(2)), 9)
        .await
        .unwrap();
    assert_eq!(rest, [put[2].clone()]);
    assert_eq!(store.cohorts(id, true, None, 9).await.unwrap(), put);
    assert_eq!(
        store.cohort(id, CohortId(1)).await.unwrap(),
        Some(put[0].clone())
    );
    assert_eq!(store.cohort(id, CohortId(4)).await.unwrap(), None);

    let back = store.put_cohorts(&lease, &listed, hours(5)).await.unwrap();
    assert_eq!((back[0].deleted_at, back[0].read), (None, None));
}

pub(crate) async fn a_part_that_is_stored_already_changes_nothing(database: &dyn Database) {
    let Site {
        store, id, lease, ..
    } = Site::new(database).await;
    store
        .put_cohorts(&lease, &[cohort(1, 9)], hours(1))
        .await
        .unwrap();
    let part = whole(1, people(0..9));
    let stored = store.put_members(&lease, &part, hours(1)).await.unwrap();
    assert_eq!(stored, moved(9, 0));
    let before = (
        members(&*store, id, CohortId(1)).await,
        store.cohort_history(id).await.unwrap(),
    );
    let again = store.put_members(&lease, &part, hours(2)).await.unwrap();
    assert_eq!(again, moved(0, 0));
    let after = (
        members(&*store, id, CohortId(1)).await,
        store.cohort_history(id).await.unwrap(),
    );
    assert_eq!(after, before);
}

pub(crate) async fn a_part_moves_only_who_is_in_its_buckets(database: &dyn Database) {
    let Site {
        store, id, lease, ..
    } = Site::new(database).await;
    store
        .put_cohorts(&lease, &[cohort(1, 9), cohort(2, 9)], hours(1))
        .await
        .unwrap();
    for id in [1, 2] {
        store
            .put_members(&lease, &whole(id, people(0..9)), hours(1))
            .await
            .unwrap();
    }
    let bucket = CohortBucket::of(person(3));
    let part = CohortPart {
        cohort: CohortId(1),
        buckets: Some(BTreeSet::from([bucket, CohortBucket::of(person(50))])),
        members: people([50]),
    };
    let stored = store.put_members(&lease, &part, hours(2)).await.unwrap();
    assert_eq!(stored, moved(1, 1));
    let expected = people([0, 1, 2, 4, 5, 6, 7, 8, 50]);
    assert_members(&*store, id, CohortId(1), &expected).await;
    assert_members(&*store, id, CohortId(2), &people(0..9)).await;
    let entered = members(&*store, id, CohortId(1)).await;
    let late: Vec<Uuid> = entered
        .iter()
        .filter(|it| it.1 == hours(2))
        .map(|it| it.0)
        .collect();
    assert_eq!(late, [person(50)]);

    // Who comes back, comes anew.
    store
        .put_members(&lease, &whole(1, people(0..9)), hours(3))
        .await
        .unwrap();
    let entered = members(&*store, id, CohortId(1)).await;
    assert!(entered.contains(&(person(3), hours(3))));
    let mut follower = Follower::default();
    follower.catch_up(&*store, id).await;
    assert_eq!(follower.known()[&CohortId(1)], people(0..9));
}

pub(crate) async fn memberships_of_many_persons_and_cohorts_are_found_at_once(
    database: &dyn Database,
) {
    let Site {
        store, id, lease, ..
    } = Site::new(database).await;
    store
        .put_cohorts(
            &lease,
            &[cohort(1, 0), cohort(2, 0), cohort(3, 0)],
            hours(1),
        )
        .await
        .unwrap();
    store
        .put_members(&lease, &whole(1, people(0..1_500)), hours(1))
        .await
        .unwrap();
    store
        .put_members(&lease, &whole(2, people(1_000..2_000)), hours(2))
        .await
        .unwrap();
    store
        .put_members(&lease, &whole(3, people(0..9)), hours(2))
        .await
        .unwrap();
    store
        .put_members(&lease, &whole(3, people(0..0)), hours(3))
        .await
        .unwrap();
    let asked: Vec<Uuid> = (0..3_000).step_by(2).map(person).collect();
    let cohorts = [CohortId(1), CohortId(2), CohortId(3), CohortId(9)];
    let found = store.memberships(id, &cohorts, &asked).await.unwrap();
    let of = |cohort, numbers: std::ops::Range<u32>, entered_at| {
        numbers.step_by(2).map(move |number| Membership {
            cohort: CohortId(cohort),
            person_id: person(number),
            entered_at,
        })
    };
    let mut expected: Vec<Membership> = of(1, 0..1_500, hours(1))
        .chain(of(2, 1_000..2_000, hours(2)))
        .collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert!(
        store
            .memberships(id, &cohorts, &[])
            .await
            .unwrap()
            .is_empty()
    );
    assert!(store.memberships(id, &[], &asked).await.unwrap().is_empty());
}

pub(crate) async fn what_is_past_retention_is_forgotten_with_both_its_changes(
    database: &dyn Database,
) {
    let Site {
        store, id, lease, ..
    } = Site::new(database).await;
    store
        .put_cohorts(&lease, &[cohort(1, 0), cohort(2, 0)], hours(1))
        .await
        .unwrap();
    for (hour, numbers) in [(1, 0..5), (2, 3..5), (9, 4..5)] {
        store
            .put_members(&lease, &whole(1, people(numbers)), hours(hour))
            .await
            .unwrap();
    }
    let mut early = Follower::default();
    early.catch_up(&*store, id).await;
    store
        .put_cohorts(&lease, &[cohort(1, 0)], hours(3))
        .await
        .unwrap();
    let expired = store.expire_cohort_changes(&lease, hours(2)).await.unwrap();
    assert_eq!(expired, 0, "who left then, did not leave before then");
    assert_eq!(store.cohorts(id, true, None, 9).await.unwrap().len(), 2);
    let expired = store.expire_cohort_changes(&lease, hours(4)).await.unwrap();
    assert_eq!(expired, 3);
    assert_eq!(store.cohorts(id, true, None, 9).await.unwrap().len(), 1);
    let history = store.cohort_history(id).await.unwrap();
    // Five came, three left, one left later.
    assert_eq!((history.latest, history.forgotten), (9, 8));
    assert_members(&*store, id, CohortId(1), &people(4..5)).await;
    let mut late = Follower::default();
    late.catch_up(&*store, id).await;
    assert_eq!(late.known(), early.known());
}

pub(crate) async fn a_lost_holder_changes_no_cohort(database: &dyn Database) {
    let Site {
        store, id, lease, ..
    } = Site::new(database).await;
    store
        .put_cohorts(&lease, &[cohort(1, 0)], hours(1))
        .await
        .unwrap();
    let unknown = store
        .put_members(&lease, &whole(7, people(0..2)), hours(1))
        .await;
    assert!(
        matches!(unknown, Err(StoreError::NotFound { .. })),
        "{unknown:?}"
    );
    let lost = Lease {
        fence: lease.fence + 1,
        ..lease
    };
    let read = CohortRead {
        at: hours(1),
        mark: CohortMark::default(),
    };
    let refused = [
        store.put_cohorts(&lost, &[], hours(2)).await.err(),
        store
            .put_members(&lost, &whole(1, people(0..2)), hours(2))
            .await
            .err(),
        store
            .cohorts_read(&lost, &[(CohortId(1), read)])
            .await
            .err(),
        store.expire_cohort_changes(&lost, hours(9)).await.err(),
    ];
    assert!(
        refused
            .iter()
            .all(|it| matches!(it, Some(StoreError::FenceLost))),
        "{refused:?}"
    );
    assert_members(&*store, id, CohortId(1), &BTreeSet::new()).await;
}

pub(crate) async fn a_purge_takes_cohorts_along(database: &dyn Database) {
    let Site {
        store, id, lease, ..
    } = Site::new(database).await;
    let other = Site::named(store.clone(), "other").await;
    for lease in [&lease, &other.lease] {
        store
            .put_cohorts(lease, &[cohort(1, 0)], hours(1))
            .await
            .unwrap();
        store
            .put_members(lease, &whole(1, people(0..5)), hours(1))
            .await
            .unwrap();
    }
    let name = ConnectionName::new("acme", "shop");
    store.mark_deleted(&name, hours(2)).await.unwrap();
    store
        .purge_connection(&name, hours(2) + GRACE)
        .await
        .unwrap();
    let again = Site::named(store.clone(), "shop").await;
    assert_eq!(again.id, id);
    assert!(store.cohorts(id, true, None, 9).await.unwrap().is_empty());
    assert!(store.cohort_changes(id, 0, 9).await.unwrap().is_empty());
    assert_members(&*store, other.id, CohortId(1), &people(0..5)).await;
    store.renew_lease(&other.lease, MINUTE).await.unwrap();
}
