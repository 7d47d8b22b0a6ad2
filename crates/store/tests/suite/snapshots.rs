//! Cohorts against a naive oracle: any snapshots, in any parts, with crashes, repetitions, erasures and
//! vanishing cohorts between them, end in exactly their members and a history that replays to them.

use std::collections::{BTreeMap, BTreeSet};

use domain::cohorts::{CohortBucket, CohortId, digests_of};
use domain::connection::ConnectionName;
use domain::erasure::{Erased, erase, preview};
use domain::identity::IdentityKey;
use domain::storage::{CohortPart, MembersMoved, Store, StoreError};
use proptest::prelude::*;
use uuid::Uuid;

use super::Database;
use super::cohorts::{Follower, assert_members_of, cohort, person};
use super::fixtures::{Site, any_history, cut_off, hours};

#[derive(Debug, Clone)]
enum Step {
    /// PostHog lists these.
    List(BTreeSet<i64>),
    /// A part is stored; or the process dies while it is, after so many steps.
    Part {
        cohort: i64,
        members: BTreeSet<usize>,
        /// Those that are read; all without any.
        buckets: BTreeSet<usize>,
        dies_after: Option<usize>,
    },
    /// A person is erased; or the process dies while it is, after so many steps.
    Erase(usize, Option<usize>),
    Expire(i64),
    Reopen,
    Follow,
}

/// Persons as PostHog's, and others whose ids share a bucket.
fn pool() -> Vec<Uuid> {
    let random = (0..6).map(person);
    random.chain((1..6).map(Uuid::from_u128)).collect()
}

fn any_step() -> impl Strategy<Value = Step> {
    let numbers = || prop::collection::btree_set(0_usize..11, 0..8);
    let part = (
        0_i64..4,
        numbers(),
        numbers(),
        prop::option::weighted(0.3, 0_usize..60),
    )
        .prop_map(|(cohort, members, buckets, dies_after)| Step::Part {
            cohort,
            members,
            buckets,
            dies_after,
        });
    prop_oneof![
        3 => prop::collection::btree_set(0_i64..4, 0..4).prop_map(Step::List),
        12 => part,
        2 => (0_usize..11, prop::option::weighted(0.4, 0_usize..40))
            .prop_map(|(who, dies_after)| Step::Erase(who, dies_after)),
        1 => (0_i64..30).prop_map(Step::Expire),
        1 => Just(Step::Reopen),
        2 => Just(Step::Follow),
    ]
}

#[derive(Default)]
struct Oracle {
    /// Who was in a cohort in PostHog when its parts were stored.
    has: BTreeMap<CohortId, BTreeSet<Uuid>>,
    erased: BTreeSet<Uuid>,
}

impl Oracle {
    /// Who is a member of those whom PostHog has.
    fn without_erased(&self, has: &BTreeSet<Uuid>) -> BTreeSet<Uuid> {
        has.difference(&self.erased).copied().collect()
    }

    /// Whom PostHog has in the cohort once the part is stored.
    fn with(&self, part: &CohortPart) -> BTreeSet<Uuid> {
        let is_read = |person: &Uuid| {
            let buckets = part.buckets.as_ref();
            buckets.is_none_or(|buckets| buckets.contains(&CohortBucket::of(*person)))
        };
        let kept = self.has[&part.cohort]
            .iter()
            .filter(|person| !is_read(person));
        kept.chain(&part.members).copied().collect()
    }

    async fn assert_kept(&self, store: &dyn Store, site: &Site) {
        for (cohort, has) in &self.has {
            let members = self.without_erased(has);
            assert_members_of(store, site.id, *cohort, &members, has).await;
        }
    }

    fn known(&self) -> BTreeMap<CohortId, BTreeSet<Uuid>> {
        let members = self
            .has
            .iter()
            .map(|(id, has)| (*id, self.without_erased(has)));
        members.filter(|(_, members)| !members.is_empty()).collect()
    }
}

fn part_of(cohort: i64, members: &BTreeSet<usize>, buckets: &BTreeSet<usize>) -> CohortPart {
    let pool = pool();
    let bucket = |at: &usize| CohortBucket::of(pool[*at]);
    let buckets: Option<BTreeSet<CohortBucket>> =
        (!buckets.is_empty()).then(|| buckets.iter().map(bucket).collect());
    let is_read = |person: &Uuid| {
        let buckets = buckets.as_ref();
        buckets.is_none_or(|buckets| buckets.contains(&CohortBucket::of(*person)))
    };
    let members = members.iter().map(|at| pool[*at]).filter(is_read).collect();
    CohortPart {
        cohort: CohortId(cohort),
        buckets,
        members,
    }
}

async fn play(database: &dyn Database, name: &str, steps: &[Step]) {
    let mut site = Site::named(database.open().await, name).await;
    let connection = ConnectionName::new("acme", name);
    let mut oracle = Oracle::default();
    let mut listed = Vec::new();
    let mut follower = Follower::default();
    for (hour, step) in (1..).zip(steps) {
        match step {
            Step::List(ids) => {
                listed = ids.iter().map(|id| cohort(*id, 0)).collect();
                site.store
                    .put_cohorts(&site.lease, &listed, hours(hour))
                    .await
                    .unwrap();
                for id in ids {
                    oracle.has.entry(CohortId(*id)).or_default();
                }
            }
            Step::Part {
                cohort,
                members,
                buckets,
                dies_after,
            } => {
                let part = part_of(*cohort, members, buckets);
                if !oracle.has.contains_key(&part.cohort) {
                    let refused = site
                        .store
                        .put_members(&site.lease, &part, hours(hour))
                        .await;
                    assert!(matches!(refused, Err(StoreError::NotFound { .. })));
                    continue;
                }
                let after = oracle.with(&part);
                let before = &oracle.has[&part.cohort];
                let (then, now) = (oracle.without_erased(before), oracle.without_erased(&after));
                let expected = MembersMoved {
                    entered: now.difference(&then).count() as u64,
                    left: then.difference(&now).count() as u64,
                };
                if let Some(polls) = dies_after {
                    cut_off(
                        site.store.put_members(&site.lease, &part, hours(hour)),
                        *polls,
                    )
                    .await;
                    site.store = database.open().await;
                    // Waits for a transaction whose end nobody heard of.
                    site.store
                        .put_cohorts(&site.lease, &listed, hours(hour))
                        .await
                        .unwrap();
                    let digests = site
                        .store
                        .bucket_digests(site.id, part.cohort)
                        .await
                        .unwrap();
                    let is_stored = digests == digests_of(&after);
                    let (kept, has) = if is_stored {
                        (&now, &after)
                    } else {
                        (&then, before)
                    };
                    assert_members_of(&*site.store, site.id, part.cohort, kept, has).await;
                    if is_stored {
                        oracle.has.insert(part.cohort, after);
                    }
                    continue;
                }
                let moved = site
                    .store
                    .put_members(&site.lease, &part, hours(hour))
                    .await
                    .unwrap();
                assert_eq!(moved, expected);
                let history = site.store.cohort_history(site.id).await.unwrap();
                let again = site
                    .store
                    .put_members(&site.lease, &part, hours(hour))
                    .await
                    .unwrap();
                assert_eq!(again, MembersMoved::default());
                assert_eq!(site.store.cohort_history(site.id).await.unwrap(), history);
                oracle.has.insert(part.cohort, after);
            }
            Step::Erase(who, dies_after) => {
                let who = pool()[*who];
                let key = IdentityKey::Person(who);
                if let Some(polls) = dies_after {
                    let store = site.store.clone();
                    cut_off(erase(&*store, &connection, &key, hours(hour)), *polls).await;
                    site.store = database.open().await;
                }
                let store = &*site.store;
                let would = preview(store, &connection, &key).await.unwrap();
                let erased = erase(store, &connection, &key, hours(hour)).await.unwrap();
                if dies_after.is_none() {
                    assert_eq!(erased, would);
                    let has = oracle.has.values().filter(|has| has.contains(&who));
                    if oracle.erased.contains(&who) {
                        assert_eq!(erased.cohort_stays, 0, "nothing of it came back");
                    } else {
                        assert!(erased.cohort_stays >= has.count() as u64);
                    }
                }
                oracle.erased.insert(who);
                let nothing = Erased {
                    persons: 1,
                    ..Erased::default()
                };
                let again = preview(store, &connection, &key).await.unwrap();
                assert_eq!(again, nothing);
            }
            Step::Expire(hour) => {
                // A follower that is not behind misses nothing.
                follower.catch_up(&*site.store, site.id).await;
                let before = hours(*hour);
                site.store
                    .expire_cohort_changes(&site.lease, before)
                    .await
                    .unwrap();
                let kept = site.store.cohorts(site.id, true, None, 9).await.unwrap();
                let kept: BTreeSet<CohortId> = kept.iter().map(|it| it.cohort.id).collect();
                let Oracle { has, erased } = &mut oracle;
                has.retain(|id, has| kept.contains(id) || !has.is_subset(erased));
            }
            Step::Reopen => site.store = database.open().await,
            Step::Follow => {
                follower.catch_up(&*site.store, site.id).await;
                assert_eq!(follower.known(), oracle.known());
            }
        }
    }
    oracle.assert_kept(&*site.store, &site).await;
    follower.catch_up(&*site.store, site.id).await;
    assert_eq!(follower.known(), oracle.known());
    let mut late = Follower::default();
    late.catch_up(&*site.store, site.id).await;
    assert_eq!(late.known(), oracle.known());
}

pub(crate) async fn any_snapshots_end_in_their_members_and_a_history_that_replays_to_them(
    database: &dyn Database,
) {
    any_history(
        prop::collection::vec(any_step(), 1..16),
        async |name, steps| {
            play(database, &name, &steps).await;
        },
    );
}
