//! The project's cohorts: the list by REST, digests and members by queries, since REST tells members
//! a hundred at a time.

use std::collections::BTreeMap;

use domain::cohorts::{
    BucketRange, Cohort, CohortBucket, CohortDigest, CohortId, CohortKind, CohortMark,
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::Client;
use crate::answer::Row;
use crate::error::Error;
use crate::queries;
use crate::request::{COHORTS_A_PAGE, Request};

/// Cohorts that are read at most; a list that goes on beyond it has no end.
const MOST_COHORTS: usize = 50_000;
/// Cohorts in one query, whose text is then some 20 KiB.
const COHORTS_A_QUERY: usize = 2_000;

/// The project's cohorts that are not deleted, as its list told them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CohortList {
    /// By id.
    pub cohorts: Vec<Cohort>,
    /// How many pages the list had. With more than one, a cohort may be missing that the project has:
    /// when another is deleted between two pages, the next page begins one too far.
    pub pages: usize,
}

/// One answer of members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberPage {
    /// The persons, ordered by the text of their ids.
    pub persons: Vec<Uuid>,
    /// The person after which to go on; none at the end.
    pub next: Option<Uuid>,
}

#[derive(Debug, Deserialize)]
struct CohortsDocument {
    results: Vec<CohortDocument>,
    next: Option<String>,
}

#[derive(Debug, Deserialize)]
struct CohortDocument {
    id: i64,
    name: Option<String>,
    description: Option<String>,
    #[serde(default)]
    deleted: bool,
    /// What older versions have in place of `filters`.
    groups: Option<Value>,
    filters: Option<Value>,
    /// The query of cohorts that are defined by one.
    query: Option<Value>,
    created_at: Option<Timestamp>,
    #[serde(default)]
    is_calculating: bool,
    errors_calculating: Option<u64>,
    last_calculation: Option<Timestamp>,
    count: Option<u64>,
    version: Option<u64>,
    #[serde(default)]
    is_static: bool,
}

impl CohortDocument {
    fn cohort(self) -> Cohort {
        let says_something = |value: &Value| match value {
            Value::Null => false,
            Value::Array(items) => !items.is_empty(),
            Value::Object(fields) => !fields.is_empty(),
            _ => true,
        };
        let definition = [self.query, self.filters, self.groups]
            .into_iter()
            .flatten()
            .find(says_something);
        Cohort {
            id: CohortId(self.id),
            name: self.name.unwrap_or_default(),
            description: self.description.unwrap_or_default(),
            kind: if self.is_static {
                CohortKind::Static
            } else {
                CohortKind::Dynamic
            },
            definition: definition.map(|value| value.to_string()),
            created_at: self.created_at,
            is_calculating: self.is_calculating,
            errors_calculating: self.errors_calculating.unwrap_or_default(),
            mark: CohortMark {
                count: self.count,
                version: self.version,
                last_calculated_at: self.last_calculation,
            },
        }
    }
}

impl Client {
    /// The list of the project's cohorts; needs `cohort:read`.
    ///
    /// # Errors
    /// [`Error::MissingScope`] among others.
    pub async fn cohorts(&self) -> Result<CohortList, Error> {
        let mut cohorts = BTreeMap::new();
        let (mut offset, mut pages) = (0, 0);
        loop {
            let request = Request::cohorts(self.project_id(), offset);
            let page: CohortsDocument = self.transport.document(&request).await?;
            // `next` is only a sign that there is more: its address is made here, so that an answer
            // cannot send the key elsewhere.
            let more = page.next.is_some() && !page.results.is_empty();
            offset += page.results.len();
            pages += 1;
            // One that is made while the list is read moves another onto the next page too.
            cohorts.extend(
                page.results
                    .into_iter()
                    .filter(|given| !given.deleted)
                    .map(|given| (given.id, given.cohort())),
            );
            if !more {
                let cohorts = cohorts.into_values().collect();
                return Ok(CohortList { cohorts, pages });
            }
            if offset + COHORTS_A_PAGE > MOST_COHORTS {
                return Err(Error::Malformed {
                    request: request.name.to_owned(),
                    reason: format!("its list goes on after {offset} cohorts"),
                });
            }
        }
    }

    /// The digests of these cohorts, all of one kind. One that is not among the answers has no member.
    ///
    /// # Errors
    /// Any of a query's.
    pub async fn cohort_digests(
        &self,
        kind: CohortKind,
        cohorts: &[CohortId],
    ) -> Result<BTreeMap<CohortId, CohortDigest>, Error> {
        let mut digests = BTreeMap::new();
        for cohorts in cohorts.chunks(COHORTS_A_QUERY) {
            let query = queries::cohort_digests(kind, cohorts);
            let found = self
                .transport
                .rows(&query, |row| Ok((cohort(row)?, digest(row)?)))
                .await?;
            digests.extend(found);
        }
        Ok(digests)
    }

    /// The digest of each bucket in a range of a cohort's that has any member.
    ///
    /// # Errors
    /// Any of a query's.
    pub async fn bucket_digests(
        &self,
        kind: CohortKind,
        cohort: CohortId,
        buckets: BucketRange,
    ) -> Result<BTreeMap<CohortBucket, CohortDigest>, Error> {
        let query = queries::bucket_digests(kind, cohort, buckets);
        let found = self
            .transport
            .rows(&query, |row| {
                let bucket = row.text()?;
                let bucket: CohortBucket = bucket
                    .parse()
                    .map_err(|error| format!("bucket is no bucket: {error}"))?;
                Ok((bucket, digest(row)?))
            })
            .await?;
        Ok(found.into_iter().collect())
    }

    /// The members of some cohorts of one kind that have no more of them together than an answer holds
    /// ([`Client::page_rows`]). Ordered by cohort; those beyond are not among them.
    ///
    /// # Errors
    /// Any of a query's.
    pub async fn cohort_members(
        &self,
        kind: CohortKind,
        cohorts: &[CohortId],
    ) -> Result<BTreeMap<CohortId, Vec<Uuid>>, Error> {
        let query = queries::cohort_members(kind, cohorts, self.page_rows);
        let found = self
            .transport
            .rows(&query, |row| Ok((cohort(row)?, row.uuid()?)))
            .await?;
        let mut members: BTreeMap<CohortId, Vec<Uuid>> = BTreeMap::new();
        for (cohort, person) in found {
            members.entry(cohort).or_default().push(person);
        }
        Ok(members)
    }

    /// The members of a cohort within some of its buckets, after a person in text order.
    ///
    /// # Errors
    /// Any of a query's.
    pub async fn bucket_members(
        &self,
        kind: CohortKind,
        cohort: CohortId,
        buckets: &[CohortBucket],
        after: Option<Uuid>,
    ) -> Result<MemberPage, Error> {
        let query = queries::bucket_members(kind, cohort, buckets, after, self.page_rows);
        let persons = self.transport.rows(&query, person).await?;
        let is_full = persons.len() == query.limit;
        let next = persons.last().copied().filter(|_| is_full);
        Ok(MemberPage { persons, next })
    }
}

fn cohort(row: &mut Row<'_>) -> Result<CohortId, String> {
    let id = row.count()?;
    i64::try_from(id)
        .map(CohortId)
        .map_err(|_| format!("cohort_id is {id}, which is no cohort's number"))
}

fn person(row: &mut Row<'_>) -> Result<Uuid, String> {
    row.uuid()
}

fn digest(row: &mut Row<'_>) -> Result<CohortDigest, String> {
    Ok(CohortDigest {
        members: row.count()?,
        hash: row.count()?,
    })
}
