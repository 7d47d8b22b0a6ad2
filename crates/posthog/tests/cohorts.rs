//! Cohorts, as the client reads them.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use domain::cohorts::{BucketRange, CohortBucket, CohortDigest, CohortId, CohortKind, digests_of};
use posthog::Error;
use posthog_stub::{Cohort, Key, Project, Stub, StubHandle, World};
use serde_json::json;
use support::*;
use uuid::Uuid;

/// So many persons whose ids are as random as PostHog's.
fn people(count: u32) -> Vec<Uuid> {
    (0..count)
        .map(|number| Uuid::new_v5(&Uuid::NAMESPACE_OID, &number.to_be_bytes()))
        .collect()
}

async fn shop(cohorts: Vec<Cohort>) -> Result<StubHandle, std::io::Error> {
    let mut project = Project::new(PROJECT, "Shop");
    for cohort in cohorts {
        project.add_cohort(cohort);
    }
    let scopes = ["query:read", "project:read", "cohort:read"];
    let key = Key::new(KEY).scopes(scopes);
    Stub::start(World::new().with_project(project).with_key(key).at(noon())).await
}

#[tokio::test]
async fn every_cohort_is_listed_whatever_the_number_of_pages() -> TestResult {
    let mut cohorts: Vec<Cohort> = (1..=450)
        .map(|id| Cohort::new(id, format!("Cohort {id}")))
        .collect();
    cohorts[6].deleted = true;
    cohorts[7] = Cohort::new(8, "Uploaded")
        .fixed()
        .people(people(3))
        .filters(json!({}));
    let stub = shop(cohorts).await?;
    let list = client(&stub)?.cohorts().await?;
    assert_eq!(list.pages, 3);
    let listed = list.cohorts;
    let ids: Vec<i64> = listed.iter().map(|cohort| cohort.id.0).collect();
    let expected: Vec<i64> = (1..=450).filter(|id| *id != 7).collect();
    assert_eq!(ids, expected);
    let uploaded = &listed[6];
    assert_eq!(uploaded.kind, CohortKind::Static);
    assert_eq!(uploaded.mark.count, Some(3));
    assert_eq!(uploaded.definition, None);
    let computed = &listed[0];
    assert_eq!(computed.mark.version, Some(1));
    assert!(computed.definition.is_some());
    Ok(())
}

#[tokio::test]
async fn a_key_without_the_scope_is_told_so() -> TestResult {
    let stub = start("UTC", Vec::new()).await?;
    let error = failure(client(&stub)?.cohorts().await)?;
    assert!(matches!(error, Error::MissingScope { scope } if scope == "cohort:read"));
    Ok(())
}

#[tokio::test]
async fn digests_are_those_of_the_members_and_members_come_bucket_by_bucket() -> TestResult {
    let (all, some) = (people(300), people(7));
    let stub = shop(vec![
        Cohort::new(1, "All").people(all.iter().copied()),
        Cohort::new(2, "Nobody"),
        Cohort::new(3, "Some").people(some.iter().copied()),
        Cohort::new(4, "Uploaded")
            .fixed()
            .people(all.iter().copied()),
    ])
    .await?;
    let client = client(&stub)?;
    let ids = [1, 2, 3, 4].map(CohortId);
    let found = client.cohort_digests(CohortKind::Dynamic, &ids).await?;
    let expected = BTreeMap::from([
        (CohortId(1), CohortDigest::of(&all)),
        (CohortId(3), CohortDigest::of(&some)),
    ]);
    assert_eq!(found, expected);
    let found = client.cohort_members(CohortKind::Dynamic, &ids).await?;
    let sorted = |people: &[Uuid]| {
        let mut people = people.to_vec();
        people.sort();
        people
    };
    let expected = BTreeMap::from([(CohortId(1), sorted(&all)), (CohortId(3), sorted(&some))]);
    assert_eq!(found, expected);

    for (kind, cohort) in [(CohortKind::Dynamic, 1), (CohortKind::Static, 4)] {
        let cohort = CohortId(cohort);
        let [lower, upper] = BucketRange::ALL.halves().ok_or("a range of many")?;
        let mut digests = client.bucket_digests(kind, cohort, lower).await?;
        assert!(digests.keys().all(|bucket| *bucket <= lower.last()));
        let rest = client.bucket_digests(kind, cohort, upper).await?;
        assert!(rest.keys().all(|bucket| *bucket >= upper.first()));
        assert!(digests.len() > 50 && rest.len() > 50);
        digests.extend(rest);
        assert_eq!(digests, digests_of(&all));
        let whole = client
            .bucket_digests(kind, cohort, BucketRange::ALL)
            .await?;
        assert_eq!(whole, digests);
        let buckets: Vec<CohortBucket> = digests.keys().copied().collect();
        for part in buckets.chunks(buckets.len() / 3) {
            let client = client.clone().with_page_rows(9);
            let mut read = BTreeSet::new();
            let mut after = None;
            loop {
                let page = client.bucket_members(kind, cohort, part, after).await?;
                read.extend(page.persons);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            let within = |person: &&Uuid| part.contains(&CohortBucket::of(**person));
            assert_eq!(read, all.iter().filter(within).copied().collect());
        }
    }
    Ok(())
}
