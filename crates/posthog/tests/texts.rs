//! Every text that the client can send, held against what PostHog refuses.

mod support;

use std::collections::BTreeSet;

use domain::cohorts::{BucketRange, CohortBucket, CohortId, CohortKind};
use domain::event::EventName;
use domain::sync::{Arrivals, SliceCursor, SliceEvents, SlicePart};
use posthog::queries::all_texts;
use serde_json::json;
use support::*;
use uuid::Uuid;

/// The names within braces.
fn placeholders(text: &str) -> BTreeSet<&str> {
    text.split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}'))
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn every_text_is_limited_and_binds_each_placeholder_and_nothing_else() {
    for (name, text, values) in all_texts() {
        let given: BTreeSet<&str> = values.keys().map(String::as_str).collect();
        assert_eq!(placeholders(&text), given, "{name}: {text}");
        let (_, limit) = text.rsplit_once(" limit ").unwrap_or_default();
        let limit: usize = limit.parse().unwrap_or(usize::MAX);
        assert!(limit <= posthog::MAX_ROWS, "{name}: {text}");
        assert!(!text.to_lowercase().contains("offset"), "{name}: {text}");
    }
}

#[tokio::test]
async fn every_text_is_answered_by_the_stand_in() -> TestResult {
    let stub = start("Europe/Berlin", vec![event("$pageview", "a", 0)]).await?;
    // Sets the TLS provider up, which any HTTP client of this process needs.
    drop(posthog::Http::new(patient())?);
    let url = format!("{}/api/projects/{PROJECT}/query/", stub.url());
    for (name, text, values) in all_texts() {
        let query = json!({"kind": "HogQLQuery", "query": text, "values": values});
        let body = json!({"query": query, "refresh": "force_blocking"}).to_string();
        let answer = reqwest::Client::builder().no_proxy().build()?;
        let answer = answer
            .post(&url)
            .bearer_auth(KEY)
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await?;
        let status = answer.status().as_u16();
        assert_eq!(status, 200, "{name}: {} {text}", answer.text().await?);
    }
    Ok(())
}

/// A text without what settings vary: its limit, and which identity properties it reads.
fn shape(text: &str) -> String {
    let text = text.rsplit_once(" limit ").map_or(text, |(text, _)| text);
    let rows = " from events where ";
    let as_text = text.split_once(", toString(properties.`");
    let ids = as_text.or_else(|| text.split_once(", properties.`"));
    match ids.and_then(|(before, ids)| Some((before, ids.split_once(rows)?.1))) {
        Some((before, conditions)) => format!("{before}{rows}{conditions}"),
        None => text.to_owned(),
    }
}

/// The contract test holds the list against PostHog; what it is worth hangs on this.
#[tokio::test]
async fn the_list_has_every_text_that_the_client_sends_and_no_other() -> TestResult {
    let names = ["$pageview", "$rageclick", "cart"];
    let events = names.map(|name| [event(name, "a", 0), event(name, "b", 1)]);
    let stub = start("Europe/Berlin", events.concat()).await?;
    // Answers of two rows have to be read on from.
    let client = client(&stub)?.with_page_rows(2);
    let bare = client_without_elements(&stub)?.with_page_rows(2);
    let (from, to) = (day().from, day().to);
    client.latest_event(noon()).await?;
    client.known_events(from, to).await?;
    client.product_page_paths(from, to).await?;
    client.persons_of(&["a".to_owned()]).await?;
    client.person_overrides(None).await?;
    client.person_mappings(None).await?;
    let today = jiff::civil::date(2026, 1, 1);
    for client in [&client, &bare] {
        client.export_columns(day()).await?;
    }
    client.recount(today, today.tomorrow()?).await?;
    let uuids = client.uuids_of_day(today, None).await?;
    client.uuids_of_day(today, uuids.next).await?;
    for kind in CohortKind::ALL {
        let (cohorts, bucket) = ([CohortId(1)], CohortBucket::of(Uuid::nil()));
        client.cohort_digests(kind, &cohorts).await?;
        client
            .bucket_digests(kind, CohortId(1), BucketRange::ALL)
            .await?;
        client.cohort_members(kind, &cohorts).await?;
        for after in [None, Some(Uuid::nil())] {
            client
                .bucket_members(kind, CohortId(1), &[bucket], after)
                .await?;
        }
    }
    let late = Arrivals {
        from: at(-86_400),
        since: at(-3600),
    };
    for arrivals in [None, Some(late)] {
        client.count_cells(day(), arrivals).await?;
    }
    let after = SliceCursor {
        timestamp: noon(),
        uuid: Uuid::nil(),
    };
    for events in [
        SliceEvents::All,
        SliceEvents::Named(vec![EventName::from("cart")]),
    ] {
        for arrived_since in [None, Some(from)] {
            for part in [None, Some(SlicePart { index: 0, of: 2 })] {
                let mut slice = slice(day(), events.clone());
                (slice.arrived_since, slice.part) = (arrived_since, part);
                for client in [&client, &bare] {
                    read_once(client, &slice, None).await?;
                    read_once(client, &slice, Some(after)).await?;
                }
            }
        }
    }
    let sent: BTreeSet<_> = stub
        .requests()
        .into_iter()
        .filter_map(|request| Some((request.name?, shape(&request.query?))))
        .collect();
    let listed: BTreeSet<_> = all_texts()
        .into_iter()
        .map(|(name, text, _)| (format!("ordinary_posthog_{name}"), shape(&text)))
        .collect();
    let missing: Vec<_> = sent.difference(&listed).collect();
    let idle: Vec<_> = listed.difference(&sent).collect();
    assert!(
        missing.is_empty() && idle.is_empty(),
        "not listed: {missing:#?}\nnever sent: {idle:#?}"
    );
    Ok(())
}
