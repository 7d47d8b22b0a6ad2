//! Budgets: never more at once, in a minute or in an hour than allowed, over all processes.

use std::time::Duration;

use domain::ApiHost;
use domain::connection::{Epoch, ProjectId};
use domain::storage::{BudgetLimits, Grant, Store};
use jiff::{SignedDuration, Timestamp};

use super::Database;
use super::fixtures::{MINUTE, start};

fn key(project: i64) -> Epoch {
    Epoch {
        host: ApiHost::parse("https://eu.posthog.com").unwrap(),
        project_id: ProjectId::try_from(project).unwrap(),
    }
}

fn limits(concurrent: u32, per_minute: u32, per_hour: u32) -> BudgetLimits {
    BudgetLimits {
        concurrent,
        per_minute,
        per_hour,
    }
}

fn seconds(count: i64) -> Timestamp {
    start() + SignedDuration::from_secs(count)
}

async fn take(store: &dyn Store, limits: BudgetLimits, now: Timestamp) -> Grant {
    store.take(&key(1), limits, now, MINUTE).await.unwrap()
}

/// Takes a request that is over at once.
async fn request(store: &dyn Store, limits: BudgetLimits, now: Timestamp) -> Grant {
    let grant = take(store, limits, now).await;
    if let Grant::Granted { slot } = grant {
        store.give_back(&key(1), slot).await.unwrap();
    }
    grant
}

fn granted(grant: Grant) -> i64 {
    match grant {
        Grant::Granted { slot } => slot,
        Grant::Wait(wait) => panic!("must wait {wait:?}"),
    }
}

fn wait(grant: Grant) -> Duration {
    match grant {
        Grant::Wait(wait) => wait,
        Grant::Granted { slot } => panic!("slot {slot} was granted"),
    }
}

pub(crate) async fn no_more_requests_run_at_once_than_allowed(database: &dyn Database) {
    let store = database.open().await;
    let limits = limits(3, 100, 100);
    let slots = [
        granted(take(&*store, limits, start()).await),
        granted(take(&*store, limits, start()).await),
        granted(take(&*store, limits, start()).await),
    ];
    assert!(slots[0] != slots[1] && slots[1] != slots[2]);
    let wait = wait(take(&*store, limits, start()).await);
    assert!(wait > Duration::ZERO && wait <= MINUTE);
}

pub(crate) async fn a_slot_given_back_or_expired_is_free_again(database: &dyn Database) {
    let store = database.open().await;
    let limits = limits(1, 100, 100);
    let slot = granted(take(&*store, limits, start()).await);
    store.give_back(&key(1), slot).await.unwrap();
    let held = granted(take(&*store, limits, seconds(1)).await);
    // Giving back the earlier slot once more frees nobody else's.
    store.give_back(&key(1), slot).await.unwrap();
    wait(take(&*store, limits, seconds(2)).await);
    wait(take(&*store, limits, seconds(60)).await);
    assert_ne!(granted(take(&*store, limits, seconds(61)).await), held);
}

pub(crate) async fn slots_that_a_dead_process_left_are_free_again(database: &dyn Database) {
    let store = database.open().await;
    let limits = limits(1, 100, 100);
    granted(take(&*store, limits, start()).await);
    wait(take(&*store, limits, seconds(1)).await);
    database.open().await.release_all_of("dead").await.unwrap();
    granted(take(&*store, limits, seconds(1)).await);
}

pub(crate) async fn the_minute_and_the_hour_roll(database: &dyn Database) {
    let store = database.open().await;
    let limits = limits(10, 2, 5);
    granted(request(&*store, limits, seconds(0)).await);
    granted(request(&*store, limits, seconds(40)).await);
    let until_first_leaves = wait(request(&*store, limits, seconds(50)).await);
    assert_eq!(until_first_leaves, Duration::from_secs(10));
    granted(request(&*store, limits, seconds(60)).await);
    assert_eq!(
        wait(request(&*store, limits, seconds(61)).await),
        Duration::from_secs(39)
    );
    granted(request(&*store, limits, seconds(200)).await);
    granted(request(&*store, limits, seconds(300)).await);
    // Five within the hour: the first of them leaves it at 3600.
    assert_eq!(
        wait(request(&*store, limits, seconds(400)).await),
        Duration::from_secs(3200)
    );
    granted(request(&*store, limits, seconds(3600)).await);
    assert_eq!(
        wait(request(&*store, limits, seconds(3620)).await),
        Duration::from_secs(20)
    );
    // Lower limits count what was asked under higher ones.
    let legacy = BudgetLimits {
        per_hour: 2,
        ..limits
    };
    assert_eq!(
        wait(request(&*store, legacy, seconds(3670)).await),
        Duration::from_secs(230)
    );
    let none = BudgetLimits {
        per_minute: 0,
        ..limits
    };
    wait(request(&*store, none, seconds(9000)).await);
}

pub(crate) async fn a_pause_holds_everybody_and_the_longest_one_wins(database: &dyn Database) {
    let store = database.open().await;
    store.pause(&key(1), seconds(30)).await.unwrap();
    store.pause(&key(1), seconds(10)).await.unwrap();
    let other = database.open().await;
    let limits = BudgetLimits::PUBLISHED;
    assert_eq!(
        wait(take(&*other, limits, seconds(5)).await),
        Duration::from_secs(25)
    );
    granted(take(&*other, limits, seconds(30)).await);
}

pub(crate) async fn a_project_throttled_for_long_is_asked_less_by_every_process(
    database: &dyn Database,
) {
    let key = key(1);
    for second in 0..3 {
        // Each refusal is met by another process.
        let store = database.open().await;
        let is_long = store.note_throttle(&key, seconds(second)).await.unwrap();
        assert_eq!(is_long, second == 2);
    }
    let store = database.open().await;
    let limits = limits(10, 1000, 40);
    granted(request(&*store, limits, seconds(3)).await);
    granted(request(&*store, limits, seconds(4)).await);
    // Forty of 2,400 an hour are two of 120.
    wait(request(&*store, limits, seconds(5)).await);
    let later = seconds(6 * 3600 + 3);
    for _ in 0..40 {
        granted(request(&*store, limits, later).await);
    }
    wait(request(&*store, limits, later).await);
}

pub(crate) async fn projects_have_budgets_of_their_own(database: &dyn Database) {
    let store = database.open().await;
    let limits = limits(1, 1, 1);
    granted(take(&*store, limits, start()).await);
    wait(take(&*store, limits, start()).await);
    let other = store.take(&key(2), limits, start(), MINUTE).await.unwrap();
    let slot = granted(other);
    // A slot is given back to the project it was taken from, and to no other.
    store.give_back(&key(1), slot).await.unwrap();
    let still = store.take(&key(2), limits, start(), MINUTE).await.unwrap();
    wait(still);
}

pub(crate) async fn two_handles_share_one_budget(database: &dyn Database) {
    let handles = [database.open().await, database.open().await];
    let limits = limits(1000, 25, 1000);
    let tasks: Vec<_> = (0..40)
        .map(|n: usize| {
            let store = handles[n % 2].clone();
            tokio::spawn(async move { take(&*store, limits, start()).await })
        })
        .collect();
    let mut grants = 0;
    for task in tasks {
        grants += usize::from(matches!(task.await.unwrap(), Grant::Granted { .. }));
    }
    assert_eq!(grants, 25);
}
