//! Verdicts of recounts.

use domain::storage::{DayVerdict, StoreError, Verdict};
use jiff::civil::{Date, date};

use super::Database;
use super::fixtures::{Site, hours};

fn verdict(day: Date, remote: u64, verdict: Verdict) -> DayVerdict {
    DayVerdict {
        day,
        remote,
        local: 5,
        erased: 0,
        verdict,
        repulls: 1,
        counted_at: hours(9),
    }
}

pub(crate) async fn a_later_verdict_replaces_the_earlier_one_of_its_day(database: &dyn Database) {
    let site = Site::new(database).await;
    let days = [date(2026, 10, 1), date(2026, 10, 2), date(2026, 10, 3)];
    let first = days.map(|day| verdict(day, 6, Verdict::Pending));
    site.store.put_verdicts(&site.lease, &first).await.unwrap();
    let later = [
        verdict(days[1], 7, Verdict::Mismatch),
        verdict(days[2], 5, Verdict::Verified),
    ];
    site.store.put_verdicts(&site.lease, &later).await.unwrap();
    let kept = site
        .store
        .verdicts(site.id, days[0], days[2])
        .await
        .unwrap();
    assert_eq!(kept, [first[0].clone(), later[0].clone()]);
    let all = site
        .store
        .verdicts(site.id, days[0], date(2026, 11, 1))
        .await
        .unwrap();
    assert_eq!(all.last(), Some(&later[1]));
}

pub(crate) async fn what_was_proven_of_days_that_retention_cuts_is_forgotten(
    database: &dyn Database,
) {
    let site = Site::new(database).await;
    let days = [date(2026, 10, 23), date(2026, 10, 24), date(2026, 10, 25)];
    let proven = days.map(|day| verdict(day, 6, Verdict::Mismatch));
    site.store.put_verdicts(&site.lease, &proven).await.unwrap();
    let kept = async |before| {
        site.store.expire_events(&site.lease, before).await.unwrap();
        let kept = site.store.verdicts(site.id, Date::MIN, Date::MAX).await;
        kept.unwrap().len()
    };
    assert_eq!(kept(hours(0)).await, 2);
    assert_eq!(kept(hours(1)).await, 1);
}

pub(crate) async fn verdicts_need_the_lease(database: &dyn Database) {
    let site = Site::new(database).await;
    site.store.release_lease(&site.lease).await.unwrap();
    let day = date(2026, 10, 1);
    let one = [verdict(day, 6, Verdict::Pending)];
    let refused = site.store.put_verdicts(&site.lease, &one).await;
    assert!(matches!(refused, Err(StoreError::FenceLost)));
    let kept = site
        .store
        .verdicts(site.id, day, date(2026, 10, 9))
        .await
        .unwrap();
    assert!(kept.is_empty());
}
