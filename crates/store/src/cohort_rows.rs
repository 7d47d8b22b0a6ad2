//! Rows of cohorts as they are read, and what moves when a list or a part is stored, in every store
//! alike.

use std::collections::{BTreeMap, BTreeSet};

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

/// A row of the union of both kinds of change.
#[derive(FromRow)]
pub(crate) struct ChangeRow {
    seq: i64,
    cohort: i64,
    person_id: Uuid,
    at: i64,
    has_left: i64,
}

impl ChangeRow {
    /// The change that it is.
    pub(crate) fn change(self) -> Result<CohortChange> {
        Ok(CohortChange {
            seq: self.seq,
            cohort: CohortId(self.cohort),
            person_id: self.person_id,
            kind: if self.has_left == 0 {
                CohortMove::Entered
            } else {
                CohortMove::Left
            },
            at: instant(self.at)?,
        })
    }
}

/// The statement for changes of `epoch` after `seq`, `limit` at most; all three are SQL, since parameters
/// are written in one way for SQLite and in another for PostgreSQL.
pub(crate) fn changes_sql(epoch: &str, seq: &str, limit: &str) -> String {
    let part = |number: &str, at: &str, has_left: &str, name: &str| {
        format!(
            "SELECT * FROM (
                SELECT {number} AS seq, cohort, person_id, {at} AS at, CAST({has_left} AS bigint) AS has_left
                FROM cohort_members WHERE epoch = {epoch} AND {number} > {seq}
                ORDER BY {number} LIMIT {limit}) AS {name}"
        )
    };
    let entered = part("entered_seq", "entered_at", "0", "entered");
    let left = part("left_seq", "left_at", "1", "gone");
    format!("{entered} UNION ALL {left} ORDER BY seq LIMIT {limit}")
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
    /// What each bucket that changes has then; nobody without a digest.
    pub(crate) buckets: BTreeMap<CohortBucket, Option<CohortDigest>>,
}

/// Compares a part with the rows of its `stored` members.
pub(crate) fn moves(part: &CohortPart, stored: &BTreeMap<Uuid, i64>) -> Moves {
    let mut changed = BTreeSet::new();
    let mut left = Vec::new();
    for (person, row) in stored {
        if !part.members.contains(person) {
            changed.insert(CohortBucket::of(*person));
            left.push(*row);
        }
    }
    let mut entered: Vec<(CohortBucket, Uuid)> = part
        .members
        .iter()
        .filter(|person| !stored.contains_key(person))
        .map(|person| (CohortBucket::of(*person), *person))
        .collect();
    entered.sort_unstable();
    changed.extend(entered.iter().map(|(bucket, _)| *bucket));
    let within = part
        .members
        .iter()
        .filter(|person| changed.contains(&CohortBucket::of(**person)));
    let digests = digests_of(within);
    let buckets = changed
        .into_iter()
        .map(|bucket| (bucket, digests.get(&bucket).copied()))
        .collect();
    Moves {
        left,
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
