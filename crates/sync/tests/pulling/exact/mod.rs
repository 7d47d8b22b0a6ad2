//! Whatever happens at PostHog, on the way and to the processes that pull, in the end every store
//! holds exactly what is there, and so does whoever followed its changes.
//!
//! `EXACTNESS_CASES` is the number of stories told to each store.

mod database;
mod fated_store;
mod follower;
mod posthog;
mod site;
mod story;
mod truth;

use std::cell::Cell;

use jiff::SignedDuration;
use proptest::test_runner::{Config, TestRunner};

use self::database::Database;
use self::follower::Follower;
use self::site::{Site, tolerate};
use self::story::{Step, Story, any_story};

/// How many stories, unless the environment says so: of half a second each in a SQLite file, and
/// of two and a half in PostgreSQL, whose server is asked over a socket.
const SQLITE_CASES: u32 = 24;
const POSTGRES_CASES: u32 = 8;

fn cases(usual: u32) -> u32 {
    let asked = std::env::var("EXACTNESS_CASES").ok();
    asked.map_or(usual, |cases| cases.parse().unwrap())
}

async fn play(database: &Database, name: &str, story: &Story) {
    let mut site = Site::open(database, name, story.page_rows).await;
    let mut follower = Follower::default();
    site.happen(&story.beginning);
    site.limit(story.limits());
    for step in &story.steps {
        match step {
            Step::Happen(happenings) => site.happen(happenings),
            Step::Pass(minutes) => site.pass(SignedDuration::from_mins(*minutes)),
            Step::Attempt(attempt) => {
                let outcome = site.attempt(attempt).await;
                if let Some(outcome) = outcome {
                    tolerate(&outcome);
                    let must_succeed = attempt.is_calm() && story.too_much.is_none();
                    assert!(outcome.is_ok() || !must_succeed, "{outcome:?}");
                }
            }
            Step::Follow => {
                let (store, id) = site.observed();
                follower.catch_up(store, id).await;
            }
        }
    }
    let summary = site.come_to_rest().await;
    site.assert_exact().await;
    if !story.is_far {
        let proof = &summary.completeness;
        assert_eq!((proof.pending, proof.mismatch), (0, 0), "{proof:?}");
    }
    let truth = site.truth();
    let (store, id) = site.observed();
    assert_eq!(follower.catch_up(store, id).await, &truth);
    assert_eq!(Follower::default().catch_up(store, id).await, &truth);
}

fn tell_stories(database: &Database, usual: u32) {
    let runtime = tokio::runtime::Handle::current();
    let mut runner = TestRunner::new(Config {
        cases: cases(usual),
        max_shrink_iters: 200,
        failure_persistence: None,
        ..Config::default()
    });
    let told = Cell::new(0);
    tokio::task::block_in_place(|| {
        let outcome = runner.run(&any_story(), |story| {
            told.set(told.get() + 1);
            runtime.block_on(play(database, &format!("shop-{}", told.get()), &story));
            Ok(())
        });
        if let Err(failure) = outcome {
            panic!("{failure}");
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_story_ends_with_what_posthog_has_in_sqlite() {
    tell_stories(&Database::sqlite(), SQLITE_CASES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_story_ends_with_what_posthog_has_in_postgresql() {
    tell_stories(&Database::postgres("stories"), POSTGRES_CASES);
}
