//! Whatever happens at PostHog, on the way and to the processes that pull, in the end every store
//! holds exactly what is there, and so does whoever followed its changes.
//!
//! `EXACTNESS_CASES` is the number of stories told to each store.

mod carried;
pub(crate) mod database;
mod follower;
mod posthog;
mod readers;
mod site;
mod story;
mod truth;

use std::cell::Cell;

use domain::sync::SyncMode;
use jiff::SignedDuration;
use posthog_stub::{Limits, TooMuch};
use proptest::test_runner::{Config, TestRunner};
use test_store::Fate;

use self::database::Database;
use self::follower::Follower;
use self::posthog::{Happening, Taken};
use self::site::{Site, tolerate};
use self::story::{Attempt, Step, Story, Then, any_story};

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
    site.expect_erasures(story.has_erasures());
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
            Step::Erase(visitor, ends) => site.erase(*visitor, *ends).await,
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
    for mut follower in [follower, Follower::default()] {
        follower.catch_up(store, id).await;
        follower.assert_knows(&truth, name);
    }
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

/// What happens before a backfill, before a refresh three hours later, and before two of the next day:
/// by the last one a deletion is certain.
fn acts() -> [(SyncMode, i64, Vec<Happening>); 4] {
    let arrival = |name, visitor, ago, count, taken| Happening::Arrival {
        name,
        visitor,
        ago,
        count,
        taken,
    };
    let beginning = (0..14)
        .map(|nth| arrival(nth % 7, nth % 6, 60 + nth as i64 * 1500, 2, Taken::AtOnce))
        .collect();
    let between = vec![
        arrival(0, 1, 20, 3, Taken::MinutesAgo(0)),
        arrival(3, 6, 4000, 2, Taken::MinutesAgo(90)),
        Happening::Resent {
            nth: 5,
            name: 2,
            visitor: 3,
            moved: -300,
            tied: false,
        },
        Happening::Deleted { nth: 9 },
        Happening::Merged { from: 1, into: 4 },
        Happening::Gathered {
            cohort: 1,
            visitors: [0, 1, 2].into(),
        },
        Happening::Gathered {
            cohort: 2,
            visitors: [2, 3].into(),
        },
    ];
    [
        (SyncMode::Backfill, 0, beginning),
        (SyncMode::Refresh, 3, between),
        (SyncMode::Refresh, 24, Vec::new()),
        (SyncMode::Refresh, 1, Vec::new()),
    ]
}

/// Lets every run die at its first write, others at their second, and so on until none has a further
/// one.
async fn die_at_every_write(database: &Database) {
    let fates: &[&[Fate]] = if std::env::var_os("EXACTNESS_CASES").is_some() {
        &[&[Fate::DiesBefore], &[Fate::DiesAfter]]
    } else {
        // In turn, to save time: the one is told of a write, the other of the next.
        &[&[Fate::DiesBefore, Fate::DiesAfter]]
    };
    for (round, fates) in fates.iter().enumerate() {
        for at in 0.. {
            let fate = fates[at % fates.len()];
            let name = format!("shop-{round}-{at}");
            if !die_at(database, &name, at, fate).await {
                assert!(at > 20, "no run has more than {at} writes");
                break;
            }
        }
    }
}

/// Whether any died.
async fn die_at(database: &Database, name: &str, at: usize, fate: Fate) -> bool {
    let mut site = Site::open(database, name, 9).await;
    let mut follower = Follower::default();
    let mut has_died = false;
    site.limit(Limits {
        too_much: Some(TooMuch {
            span: None,
            rows: Some(12),
            members: None,
            status: 504,
        }),
        ..Limits::default()
    });
    for (mode, hours, act) in acts() {
        site.pass(SignedDuration::from_hours(hours));
        site.happen(&act);
        let attempt = Attempt {
            at,
            then: Then::Fate(fate),
            ..Attempt::calm(mode)
        };
        match site.attempt(&attempt).await {
            Some(outcome) => assert!(outcome.is_ok(), "{outcome:?}"),
            None => has_died = true,
        }
        let (store, id) = site.observed();
        follower.catch_up(store, id).await;
    }
    site.come_to_rest().await;
    site.assert_exact().await;
    let truth = site.truth();
    let (store, id) = site.observed();
    follower.catch_up(store, id).await;
    follower.assert_knows(&truth, name);
    has_died
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_dies_at_any_write_to_sqlite_is_completed_by_the_next() {
    die_at_every_write(&Database::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_dies_at_any_write_to_postgresql_is_completed_by_the_next() {
    die_at_every_write(&Database::postgres("deaths")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_story_ends_with_what_posthog_has_in_sqlite() {
    tell_stories(&Database::sqlite(), SQLITE_CASES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_story_ends_with_what_posthog_has_in_postgresql() {
    tell_stories(&Database::postgres("stories"), POSTGRES_CASES);
}
