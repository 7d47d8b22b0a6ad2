//! Every text that the client can send, held against what PostHog refuses.

mod support;

use std::collections::BTreeSet;

use posthog::queries::all_texts;
use serde_json::json;
use support::*;

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
    drop(posthog::Http::new(quick())?);
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
