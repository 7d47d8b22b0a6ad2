//! Runs: resumed at the last page, superseded, split, ended.

use domain::backfill_way::Way;
use domain::storage::{Page, RunEnd, SliceAdvance, StoreError};
use domain::sync::{Arrivals, ExportPart, RunTotals, SliceCursor, SyncMode};
use uuid::Uuid;

use super::Database;
use super::fixtures::{Site, event, hours, run, slice, start};

fn cursor(hour: i64) -> SliceCursor {
    SliceCursor {
        timestamp: hours(hour),
        uuid: Uuid::from_u128(5),
    }
}

pub(crate) async fn a_run_is_resumed_where_its_last_page_left_it(database: &dyn Database) {
    let mut site = Site::new(database).await;
    let mut planned = run(
        SyncMode::Refresh,
        (0..4).map(|n| slice(n, n + 1, 10)).collect(),
    );
    planned.arrivals = Some(Arrivals {
        from: start(),
        since: hours(70),
    });
    planned.way = Some(Way::instead_of_exports("they failed"));
    planned.slices[3].export = Some(ExportPart::File {
        export: Uuid::from_u128(8),
        file: Uuid::from_u128(9),
        since: Some(hours(1)),
    });
    site.run = site.store.begin_run(&site.lease, &planned).await.unwrap();
    let page = site.page(&[event(1, "a", "d", hours(1))]).await;
    let done = Page {
        slice: 0,
        ..page.clone()
    };
    let part = Page {
        slice: 2,
        advance: SliceAdvance::To(cursor(2)),
        ..page
    };
    site.store
        .apply_page(&site.lease, done.clone())
        .await
        .unwrap();
    site.store
        .apply_page(&site.lease, part.clone())
        .await
        .unwrap();
    // A cursor never goes back.
    let earlier = Page {
        advance: SliceAdvance::To(cursor(1)),
        ..part
    };
    site.store
        .apply_page(&site.lease, earlier.clone())
        .await
        .unwrap();

    let store = database.open().await;
    let open = store
        .open_run(site.id, SyncMode::Refresh)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(open.id, site.run);
    assert_eq!(
        (open.run.window, open.run.arrivals),
        (planned.window, planned.arrivals)
    );
    assert_eq!((open.run.started_at, open.done), (planned.started_at, 1));
    assert!(open.run.slices.is_empty());
    let left: Vec<_> = open
        .pending
        .iter()
        .map(|left| (left.number, left.cursor))
        .collect();
    assert_eq!(left, [(1, None), (2, Some(cursor(2))), (3, None)]);
    assert_eq!(open.run.way, planned.way);
    assert_eq!(open.pending[1].slice, planned.slices[2]);
    assert_eq!(open.pending[2].slice, planned.slices[3]);
    assert_eq!((open.totals.events_read, open.totals.duplicates), (2, 1));
    assert!(
        store
            .open_run(site.id, SyncMode::Backfill)
            .await
            .unwrap()
            .is_none()
    );
}

pub(crate) async fn a_new_run_supersedes_the_open_ones(database: &dyn Database) {
    let site = Site::new(database).await;
    let mut next = run(SyncMode::Refresh, Vec::new());
    next.started_at = hours(80);
    let newer = site.store.begin_run(&site.lease, &next).await.unwrap();
    assert!(newer > site.run, "ids sort by start");
    assert!(
        site.store
            .open_run(site.id, SyncMode::Backfill)
            .await
            .unwrap()
            .is_none()
    );
    let runs = site.store.runs(site.id, None, 9).await.unwrap();
    assert_eq!([runs[0].id, runs[1].id], [newer, site.run]);
    assert_eq!((&runs[0].end, runs[0].progress), (&None, 1.0));
    match &runs[1].end {
        Some(RunEnd::Failed { reason, .. }) => assert_eq!(reason, "Superseded"),
        other => panic!("superseded runs have failed, not {other:?}"),
    }
    assert_eq!(runs[1].ended_at, Some(hours(80)));
    let refreshes = site
        .store
        .runs(site.id, Some(SyncMode::Refresh), 9)
        .await
        .unwrap();
    assert_eq!(refreshes.len(), 1);
    assert_eq!(site.store.runs(site.id, None, 1).await.unwrap().len(), 1);
}

pub(crate) async fn a_split_slice_is_read_in_its_parts_and_in_its_place(database: &dyn Database) {
    let site = Site::new(database).await;
    let planned = run(SyncMode::Refresh, vec![slice(0, 10, 9), slice(10, 20, 9)]);
    let id = site.store.begin_run(&site.lease, &planned).await.unwrap();
    let halves = [slice(0, 5, 4), slice(5, 10, 5)];
    site.store
        .split_slice(&site.lease, id, 0, &halves)
        .await
        .unwrap();
    let pending = async || {
        let open = site
            .store
            .open_run(site.id, SyncMode::Refresh)
            .await
            .unwrap();
        open.unwrap().pending
    };
    let first_half = pending().await[0].number;
    let quarters = [slice(0, 2, 2), slice(2, 5, 2)];
    site.store
        .split_slice(&site.lease, id, first_half, &quarters)
        .await
        .unwrap();
    let left: Vec<_> = pending().await.into_iter().map(|left| left.slice).collect();
    let [q0, q1] = quarters.clone();
    assert_eq!(left, [q0, q1, halves[1].clone(), planned.slices[1].clone()]);
    let refused = site
        .store
        .split_slice(&site.lease, id, first_half, &quarters)
        .await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })));
}

pub(crate) async fn an_ended_run_keeps_its_record(database: &dyn Database) {
    let mut site = Site::new(database).await;
    site.store(&[event(1, "a", "d", hours(1))]).await;
    let failed = RunEnd::Failed {
        reason: "Throttled".to_owned(),
        message: "PostHog asks to wait.".to_owned(),
    };
    let record = site
        .store
        .end_run(&site.lease, site.run, &failed, hours(80))
        .await
        .unwrap();
    assert_eq!(
        (record.end.as_ref(), record.ended_at),
        (Some(&failed), Some(hours(80)))
    );
    assert_eq!((record.slices, record.totals.events_stored), ((1, 64), 1));
    // Ending it again, even well, does not change how it ended.
    let again = site
        .store
        .end_run(&site.lease, site.run, &RunEnd::Complete, hours(90))
        .await
        .unwrap();
    assert_eq!(again, record);
    assert_eq!(site.store.runs(site.id, None, 1).await.unwrap()[0], record);
    assert!(
        site.store
            .last_complete_run(site.id)
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        site.store
            .open_run(site.id, SyncMode::Backfill)
            .await
            .unwrap()
            .is_none()
    );
}

pub(crate) async fn a_complete_backfill_is_noted_in_its_epoch(database: &dyn Database) {
    let site = Site::new(database).await;
    let end = async |run, at| {
        site.store
            .end_run(&site.lease, run, &RunEnd::Complete, at)
            .await
            .unwrap()
    };
    let backfilled = async || {
        let epoch = site.store.epoch(site.id).await.unwrap();
        epoch.unwrap().backfilled_at
    };
    let refresh = run(SyncMode::Refresh, Vec::new());
    let backfill = run(SyncMode::Backfill, Vec::new());
    let refreshed = site.store.begin_run(&site.lease, &refresh).await.unwrap();
    end(refreshed, hours(80)).await;
    assert_eq!(backfilled().await, None);
    let last = site
        .store
        .last_complete_run(site.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(last.id, refreshed);
    let run = site.store.begin_run(&site.lease, &backfill).await.unwrap();
    let record = end(run, hours(81)).await;
    assert_eq!((record.progress, record.slices), (1.0, (0, 0)));
    assert_eq!(backfilled().await, Some(hours(81)));
    let last = site
        .store
        .last_complete_run(site.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(last, record);
}

pub(crate) async fn totals_can_be_added_outside_pages(database: &dyn Database) {
    let mut site = Site::new(database).await;
    site.store(&[event(1, "a", "d", hours(1))]).await;
    let more = RunTotals {
        events_read: 1,
        events_stored: 2,
        events_updated: 3,
        duplicates: 4,
        late_events: 5,
        events_removed: 6,
        requests: 7,
        bytes_received: 8,
        bytes_read: 9,
    };
    site.store
        .add_totals(&site.lease, site.run, &more)
        .await
        .unwrap();
    let totals = site.store.runs(site.id, None, 1).await.unwrap()[0].totals;
    let expected = RunTotals {
        events_read: 2,
        events_stored: 3,
        requests: 8,
        ..more
    };
    assert_eq!(totals, expected);
    let end = RunEnd::Complete;
    site.store
        .end_run(&site.lease, site.run, &end, hours(80))
        .await
        .unwrap();
    let refused = site.store.add_totals(&site.lease, site.run, &more).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })));
}

pub(crate) async fn progress_is_the_share_of_rows(database: &dyn Database) {
    let mut site = Site::new(database).await;
    let planned = run(
        SyncMode::Refresh,
        vec![slice(0, 1, 6), slice(1, 2, 2), slice(2, 3, 2)],
    );
    site.run = site.store.begin_run(&site.lease, &planned).await.unwrap();
    let progress = async || site.store.runs(site.id, None, 1).await.unwrap()[0].progress;
    assert_eq!(progress().await, 0.0);
    let page = Page {
        run: site.run,
        slice: 0,
        advance: SliceAdvance::To(cursor(0)),
        events: (0..3).map(|n| event(n, "a", "d", hours(0))).collect(),
        late_before: start(),
        cost: RunTotals::default(),
    };
    site.store
        .apply_page(&site.lease, page.clone())
        .await
        .unwrap();
    assert!((progress().await - 0.3).abs() < 1e-9);
    // Rows that the plan did not expect are not counted beyond it.
    let rest = Page {
        slice: 1,
        advance: SliceAdvance::Done,
        ..page.clone()
    };
    site.store
        .apply_page(&site.lease, rest.clone())
        .await
        .unwrap();
    assert!((progress().await - 0.5).abs() < 1e-9);
    let done = Page {
        advance: SliceAdvance::Done,
        ..page
    };
    site.store
        .apply_page(&site.lease, done.clone())
        .await
        .unwrap();
    assert!((progress().await - 0.8).abs() < 1e-9);
}

pub(crate) async fn refreshes_of_long_ago_are_forgotten_but_for_the_latest_complete_one(
    database: &dyn Database,
) {
    let site = Site::new(database).await;
    let other = Site::named(site.store.clone(), "other").await;
    let expire = async |hour| {
        let expired = site.store.expire_runs(&site.lease, hours(hour)).await;
        expired.unwrap()
    };
    let left = async || -> Vec<_> {
        let runs = site.store.runs(site.id, None, 99).await.unwrap();
        runs.into_iter().map(|run| run.started_at).collect()
    };
    let failed = RunEnd::Failed {
        reason: "Throttled".to_owned(),
        message: "PostHog throttles.".to_owned(),
    };
    // The site's own backfill began at 72, and is superseded by the first of these.
    for (hour, mode, end) in [
        (80, SyncMode::Refresh, Some(&failed)),
        (81, SyncMode::Refresh, Some(&RunEnd::Complete)),
        (82, SyncMode::Backfill, Some(&RunEnd::Complete)),
        (83, SyncMode::Refresh, Some(&RunEnd::Complete)),
        (84, SyncMode::Refresh, Some(&failed)),
        (85, SyncMode::Refresh, None),
    ] {
        let mut next = run(mode, vec![slice(0, 1, 1)]);
        next.started_at = hours(hour);
        let id = site.store.begin_run(&site.lease, &next).await.unwrap();
        if let Some(end) = end {
            let ended = site.store.end_run(&site.lease, id, end, hours(hour)).await;
            ended.unwrap();
        }
    }
    assert_eq!(expire(80).await, 0);
    assert_eq!(expire(81).await, 1);
    assert_eq!(left().await, [85, 84, 83, 82, 81, 72].map(hours));
    // However old: by it the next run is planned, and those after it say what has gone wrong since.
    assert_eq!(expire(9_999).await, 1);
    assert_eq!(left().await, [85, 84, 83, 82, 72].map(hours));
    assert_eq!(expire(9_999).await, 0);
    let last = site
        .store
        .last_complete_run(site.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(last.started_at, hours(83));
    let open = site.store.open_run(site.id, SyncMode::Refresh).await;
    assert_eq!(open.unwrap().unwrap().pending.len(), 1);
    let theirs = site.store.runs(other.id, None, 9).await.unwrap();
    assert_eq!(theirs.len(), 1);
}
