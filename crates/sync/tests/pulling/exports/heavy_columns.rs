//! Files whose columns PostHog cannot tell for now.

use super::*;

#[tokio::test]
async fn a_file_whose_columns_are_too_heavy_to_ask_about_now_is_read_once_by_the_next_attempt() {
    let shop = shop(17, BackfillVia::FileExport).await;
    // The way was chosen by their first answer.
    let types = Endpoint::Named("ordinary_posthog_property_types");
    shop.stub
        .faults()
        .push_after(types, 1, 1000, Fault::Timeout);
    let error = shop.run(SyncMode::Backfill).await.unwrap_err();
    assert_eq!(error.reason(), "QueryTooHeavy");
    assert!(shop.stub.faults().remaining() < 1000);

    shop.stub.faults().clear();
    let summary = shop.run(SyncMode::Backfill).await.unwrap();
    assert!(summary.resumed);
    assert_eq!(way(&summary).0, Via::FileExport);
    assert_exact(&shop, summary.from, summary.to).await;
    let requests = shop.stub.requests();
    let files = requests.iter().filter(|r| r.endpoint == Endpoint::Bucket);
    let mut files: Vec<&str> = files.map(|request| request.path.as_str()).collect();
    let fetched = files.len();
    files.sort_unstable();
    files.dedup();
    assert_eq!(files.len(), fetched, "no file is fetched twice");
}

#[tokio::test]
async fn exports_that_cannot_be_read_for_hours_for_their_columns_give_way_to_queries() {
    let shop = shop(17, BackfillVia::FileExport).await;
    let types = Endpoint::Named("ordinary_posthog_property_types");
    shop.stub
        .faults()
        .push_after(types, 1, 1000, Fault::Timeout);
    let mut failures = 0;
    let summary = loop {
        match shop.run(SyncMode::Backfill).await {
            Ok(summary) => break summary,
            Err(error) => assert_eq!(error.reason(), "QueryTooHeavy"),
        }
        failures += 1;
        // Each attempt may bring some other export a step on before it fails.
        assert!(failures < 20, "exports are never given up");
        shop.pass(SignedDuration::from_mins(65));
    };
    assert!(failures >= 3, "exports were given up too early");
    fell_back(&shop, &summary, "came no further for 3 hours").await;
}
