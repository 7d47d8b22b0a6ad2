//! Rows of cohorts as they are read, and what moves when a list or a part is stored, in every store
//! alike.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use domain::cohorts::{Cohort, CohortBucket, CohortDigest, CohortId, digests_of};
use domain::storage::{CohortChange, CohortMove, CohortPart, CohortRead, CohortRecord, Result};
use sqlx::FromRow;
use uuid::Uuid;

use crate::failures::corrupt;
use crate::values::{from_json, instant, instant_or_none, unsigned};

/// A row of `cohorts`.
#[derive(FromRow)]
pub(crate) struct CohortRow {
    listed: String,
    members: i64,
    read_at: Option<i64>,
    read_mark: Option<String>,
    deleted_at: Option<i64>,
}

impl CohortRow {
    /// The cohort that it is.
    pub(crate) fn record(self) -> Result<CohortRecord> {
        let read = match (self.read_at, self.read_mark) {
            (Some(at), Some(mark)) => Some(CohortRead {
                at: instant(at)?,
                mark: from_json(&mark)?,
            }),
            _ => None,
        };
        Ok(CohortRecord {
            cohort: from_json(&self.listed)?,
            members: unsigned(self.members),
            read,
            deleted_at: instant_or_none(self.deleted_at)?,
        })
    }
}

/// A row of the union of all kinds of change.
#[derive(FromRow)]
pub(crate) struct ChangeRow {
    seq: i64,
    /// Absent where the person was erased.
    cohort: Option<i64>,
    person_id: Uuid,
    at: i64,
    has_left: i64,
}

impl ChangeRow {
    /// The change that it is.
    pub(crate) fn change(self) -> Result<CohortChange> {
        Ok(CohortChange {
            seq: self.seq,
            person_id: self.person_id,
            kind: match self.cohort.map(CohortId) {
                None => CohortMove::Erased,
                Some(cohort) if self.has_left == 0 => CohortMove::Entered(cohort),
                Some(cohort) => CohortMove::Left(cohort),
            },
            at: instant(self.at)?,
        })
    }
}

/// The statement for changes of `epoch` after `seq`, `limit` at most; all three are SQL, since parameters
/// are written in one way for SQLite and in another for PostgreSQL.
pub(crate) fn changes_sql(epoch: &str, seq: &str, limit: &str) -> String {
    let part = |name: &str, table: &str, number: &str, columns: &str| {
        format!(
            "SELECT * FROM (
                SELECT {number} AS seq, person_id, {columns}
                FROM {table} WHERE epoch = {epoch} AND {number} > {seq}
                ORDER BY {number} LIMIT {limit}) AS {name}"
        )
    };
    let entered = part(
        "entered",
        "cohort_members",
        "entered_seq",
        "cohort, entered_at AS at, CAST(0 AS bigint) AS has_left",
    );
    let left = part(
        "gone",
        "cohort_members",
        "left_seq",
        "cohort, left_at AS at, CAST(1 AS bigint) AS has_left",
    );
    let erased = part(
        "erased",
        "erased_persons",
        "cohort_seq",
        "CAST(NULL AS bigint) AS cohort, erased_at AS at, CAST(1 AS bigint) AS has_left",
    );
    format!("{entered} UNION ALL {left} UNION ALL {erased} ORDER BY seq LIMIT {limit}")
}

/// What a list of cohorts changes.
pub(crate) struct ListDifference<'a> {
    /// Cohorts that are new or listed in other words, or deleted no more.
    pub(crate) put: Vec<&'a Cohort>,
    /// Cohorts that are not listed any more.
    pub(crate) gone: Vec<CohortId>,
}

/// Compares a list with what is stored.
pub(crate) fn list_difference<'a>(
    listed: &'a [Cohort],
    stored: &[CohortRecord],
) -> ListDifference<'a> {
    let mut left: BTreeMap<CohortId, &CohortRecord> = stored
        .iter()
        .map(|record| (record.cohort.id, record))
        .collect();
    // Of several of one id the last counts.
    let listed: BTreeMap<CohortId, &Cohort> =
        listed.iter().map(|cohort| (cohort.id, cohort)).collect();
    let put = listed
        .into_values()
        .filter(|cohort| {
            left.remove(&cohort.id)
                .is_none_or(|record| record.deleted_at.is_some() || record.cohort != **cohort)
        })
        .collect();
    let gone = left
        .into_values()
        .filter(|record| record.deleted_at.is_none())
        .map(|record| record.cohort.id)
        .collect();
    ListDifference { put, gone }
}

/// What a part of a cohort changes.
pub(crate) struct Moves {
    /// The rows of members that leave.
    pub(crate) left: Vec<i64>,
    /// Persons who become members, each with its bucket, in the order in which members lie.
    pub(crate) entered: Vec<(CohortBucket, Uuid)>,
    /// What PostHog has in each bucket that differs from what is noted; nobody without a digest.
    pub(crate) buckets: BTreeMap<CohortBucket, Option<CohortDigest>>,
}

impl Moves {
    /// Whether nothing is to be written.
    pub(crate) fn are_none(&self) -> bool {
        self.of_nobody() && self.buckets.is_empty()
    }

    /// Whether nobody comes or goes.
    pub(crate) fn of_nobody(&self) -> bool {
        self.left.is_empty() && self.entered.is_empty()
    }
}

/// The persons of a part who are not among its `stored` members.
pub(crate) fn newcomers(part: &CohortPart, stored: &BTreeMap<Uuid, i64>) -> Vec<Uuid> {
    let members = part.members.iter();
    members
        .filter(|person| !stored.contains_key(person))
        .copied()
        .collect()
}

/// Compares a part with the rows of its `stored` members and what is `noted` of its buckets. All of
/// `newcomers` enter who are not `erased`: PostHog still has these, so that a bucket's digest is of
/// them too, or it would be read again and again.
pub(crate) fn moves(
    part: &CohortPart,
    stored: &BTreeMap<Uuid, i64>,
    noted: &BTreeMap<CohortBucket, CohortDigest>,
    newcomers: Vec<Uuid>,
    erased: &HashSet<Uuid>,
) -> Moves {
    let gone = stored
        .iter()
        .filter(|(person, _)| !part.members.contains(person));
    let mut entered: Vec<(CohortBucket, Uuid)> = newcomers
        .into_iter()
        .filter(|person| !erased.contains(person))
        .map(|person| (CohortBucket::of(person), person))
        .collect();
    entered.sort_unstable();
    let read = digests_of(&part.members);
    let all: BTreeSet<CohortBucket> = noted.keys().chain(read.keys()).copied().collect();
    let buckets = all
        .into_iter()
        .filter(|bucket| noted.get(bucket) != read.get(bucket))
        .map(|bucket| (bucket, read.get(&bucket).copied()))
        .collect();
    Moves {
        left: gone.map(|(_, row)| *row).collect(),
        entered,
        buckets,
    }
}

/// A bucket's number as databases keep it.
pub(crate) fn bucket_column(bucket: CohortBucket) -> i16 {
    i16::try_from(bucket.number()).unwrap_or_default()
}

/// The bucket and digest of a row of `cohort_buckets`.
pub(crate) fn bucket_of_columns(
    bucket: i64,
    members: i64,
    hash: i64,
) -> Result<(CohortBucket, CohortDigest)> {
    let bucket = u16::try_from(bucket)
        .ok()
        .and_then(CohortBucket::from_number)
        .ok_or_else(|| corrupt(format!("a cohort's bucket has the number {bucket}")))?;
    let digest = CohortDigest {
        members: unsigned(members),
        hash: hash.cast_unsigned(),
    };
    Ok((bucket, digest))
}
