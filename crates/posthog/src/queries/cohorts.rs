//! The queries for cohorts: digests that tell what changed, and members.
//!
//! PostHog's tables of cohorts are sorted by (team, cohort, person), persons in ClickHouse's own order
//! of uuids, in which a bucket is one range; so a query reads little beyond the buckets it asks for.
//! A person may stand in the static table more than once, and an exclusive-or of both would be
//! nothing: hence the inner `group by`.

use domain::cohorts::{BucketRange, CohortBucket, CohortId, CohortKind};
use serde_json::json;
use uuid::Uuid;

use super::{Query, QueryName};
use crate::client::MAX_ROWS;

/// [`domain::cohorts::CohortDigest`] as ClickHouse reckons it.
const DIGEST: &str = "count() as members, groupBitXor(cityHash64(toString(person_id))) as digest";
/// [`CohortBucket::of`] as ClickHouse reckons it.
const BUCKET: &str = "substring(toString(person_id), 20, 3)";

/// Static cohorts are missing from the table of the others (POSTHOG.md 7.4).
fn table(kind: CohortKind) -> &'static str {
    match kind {
        CohortKind::Dynamic => "cohort_people",
        CohortKind::Static => "static_cohort_people",
    }
}

/// The digest of each of these cohorts that has any member.
pub(crate) fn cohort_digests(kind: CohortKind, cohorts: &[CohortId]) -> Query {
    Query::new(
        QueryName::CohortDigests,
        &["cohort_id", "members", "digest"],
        MAX_ROWS,
        format!(
            "select cohort_id, {DIGEST} from (select cohort_id, person_id from {} \
             where cohort_id in {{cohorts}} group by cohort_id, person_id) \
             group by cohort_id order by cohort_id limit {MAX_ROWS}",
            table(kind)
        ),
        vec![("cohorts", json!(cohorts))],
    )
}

/// The digest of each bucket in a range of a cohort's that has any member: 4,096 rows at most.
pub(crate) fn bucket_digests(kind: CohortKind, cohort: CohortId, buckets: BucketRange) -> Query {
    Query::new(
        QueryName::BucketDigests,
        &["bucket", "members", "digest"],
        MAX_ROWS,
        format!(
            "select {BUCKET} as bucket, {DIGEST} from (select person_id from {} \
             where cohort_id = {{cohort}} \
             and person_id >= {{first}} and person_id <= {{last}} group by person_id) \
             group by bucket order by bucket limit {MAX_ROWS}",
            table(kind)
        ),
        vec![
            ("cohort", json!(cohort)),
            ("first", buckets.first().first().to_string().into()),
            ("last", buckets.last().last().to_string().into()),
        ],
    )
}

/// All members of cohorts that are so small that they fit one answer together.
pub(crate) fn cohort_members(kind: CohortKind, cohorts: &[CohortId], limit: usize) -> Query {
    Query::new(
        QueryName::CohortMembers,
        &["cohort_id", "person_id"],
        limit,
        format!(
            "select cohort_id, person_id from {} where cohort_id in {{cohorts}} \
             group by cohort_id, person_id \
             order by cohort_id, toString(person_id) limit {limit}",
            table(kind)
        ),
        vec![("cohorts", json!(cohorts))],
    )
}

/// Members of a cohort within some of its buckets, after a person in text order. The bounds are those
/// of the first and the last bucket in ClickHouse's order, for the sake of its index.
pub(crate) fn bucket_members(
    kind: CohortKind,
    cohort: CohortId,
    buckets: &[CohortBucket],
    after: Option<Uuid>,
    limit: usize,
) -> Query {
    let place = if after.is_some() {
        " and toString(person_id) > {after}"
    } else {
        ""
    };
    let digits: Vec<String> = buckets.iter().map(|bucket| bucket.digits()).collect();
    let first = buckets.iter().min().map_or(Uuid::nil(), |it| it.first());
    let last = buckets.iter().max().map_or(Uuid::max(), |it| it.last());
    let mut values = vec![
        ("cohort", json!(cohort)),
        ("first", first.to_string().into()),
        ("last", last.to_string().into()),
        ("buckets", json!(digits)),
    ];
    values.extend(after.map(|after| ("after", after.to_string().into())));
    Query::new(
        QueryName::BucketMembers,
        &["person_id"],
        limit,
        format!(
            "select person_id from {} where cohort_id = {{cohort}} \
             and person_id >= {{first}} and person_id <= {{last}} \
             and {BUCKET} in {{buckets}}{place} \
             group by person_id order by toString(person_id) limit {limit}",
            table(kind)
        ),
        values,
    )
}

/// Every text with example values.
pub(super) fn examples() -> Vec<Query> {
    let buckets: Vec<CohortBucket> = [0x8f3, 0x8f4, 0xa00]
        .into_iter()
        .filter_map(CohortBucket::from_number)
        .collect();
    let mut queries = Vec::new();
    for (kind, cohorts) in [(CohortKind::Dynamic, [1, 3]), (CohortKind::Static, [2, 4])] {
        let cohorts = cohorts.map(CohortId);
        let [cohort, _] = cohorts;
        queries.push(cohort_digests(kind, &cohorts));
        queries.push(bucket_digests(kind, cohort, BucketRange::ALL));
        queries.push(cohort_members(kind, &cohorts, MAX_ROWS));
        for after in [None, Some(Uuid::max())] {
            queries.push(bucket_members(kind, cohort, &buckets, after, MAX_ROWS));
        }
    }
    queries
}
