//! `sync` killed at any moment, again and again, on either store: the next one goes on, the last one
//! ends with the rows, counts and identities of an undisturbed run, and so has whoever followed
//! StreamEvents through it all.
//!
//! `EXACTNESS_KILLS` is the number of kills on each store.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use grpc::proto::v1;
use posthog_stub::StubHandle;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use store::OpenOptions;
use tonic::Code;

use crate::interruption::{assert_resumed, lifelike_shop};
use crate::stores::{backfill, database, server};
use crate::support::api::Api;
use crate::support::documents::{CONNECTION, Document};
use crate::support::home::Home;
use crate::support::stored::Stored;
use crate::support::wait::{PATIENCE, within};

/// Kills on each store unless the environment says otherwise.
const KILLS: u32 = 4;

fn kills() -> u32 {
    let asked = std::env::var("EXACTNESS_KILLS").ok();
    asked.map_or(KILLS, |kills| kills.parse().unwrap())
}

/// What an undisturbed backfill stores, and how long it takes.
async fn undisturbed(stub: &StubHandle) -> (Stored, Duration) {
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(stub).yaml());
    let began = Instant::now();
    home.sync(&file, "backfill").run().await.with_code(0);
    let took = began.elapsed();
    (Stored::read(&home.database_url()).await.unwrap(), took)
}

/// A client that follows events and is cut off with every kill.
#[derive(Default)]
struct Follower {
    resume_token: String,
    events: BTreeMap<String, v1::Event>,
}

impl Follower {
    /// Takes in what has changed since the last time; nothing as long as there is no connection.
    async fn catch_up(&mut self, api: &mut Api) {
        let request = v1::StreamEventsRequest {
            parent: CONNECTION.to_owned(),
            resume_token: self.resume_token.clone(),
            ..Default::default()
        };
        let mut stream = match api.events.stream_events(request).await {
            Ok(answer) => answer.into_inner(),
            Err(status) if status.code() == Code::NotFound => return,
            Err(status) => panic!("{status}"),
        };
        while let Some(message) = stream.message().await.unwrap() {
            for change in message.changes {
                match change.event {
                    Some(event) => self.events.insert(change.uuid, event),
                    None => self.events.remove(&change.uuid),
                };
            }
            self.resume_token = message.resume_token;
            if message.caught_up {
                return;
            }
        }
        panic!("the stream ended before it had caught up");
    }

    /// Fails unless it knows of exactly these rows.
    fn assert_knows(&self, stored: &Stored) {
        let rows = stored.events.iter().map(|row| {
            let event = &row.event;
            let name = event.event.as_str().to_owned();
            let at = event.timestamp.as_microsecond();
            let known = (name, event.distinct_id.clone(), at, event.path.clone());
            (event.uuid.to_string(), known)
        });
        let known = self.events.iter().map(|(uuid, event)| {
            let at = event.timestamp.unwrap();
            let micros = at.seconds * 1_000_000 + i64::from(at.nanos) / 1000;
            let event = event.clone();
            let known = (event.event, event.distinct_id, micros, event.path);
            (uuid.clone(), known)
        });
        let (rows, known): (BTreeMap<_, _>, BTreeMap<_, _>) = (rows.collect(), known.collect());
        assert!(rows == known, "{} rows, {} known", rows.len(), known.len());
    }
}

/// Kills backfills into the database that `url` names, which is served from `served`; `expire` lets the minute
/// pass for which a killed one's lease lives where the next one cannot know that it is dead.
async fn killed_again_and_again(
    home: &Home,
    url: &str,
    served: &str,
    seed: u64,
    expire: impl AsyncFn(),
) {
    let stub = lifelike_shop().await;
    let (expected, took) = undisturbed(&stub).await;
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    // There is something to serve before the first of them has lived long enough to make it.
    drop(store::open(url, OpenOptions::default()).await.unwrap());
    let (program, at) = home.serve_from(served);
    let mut serve = program.start();
    let mut api = Api::of(&mut serve, at.grpc).await;
    let mut follower = Follower::default();
    let mut random = StdRng::seed_from_u64(seed);
    let span = took.as_millis() as u64;
    for _ in 0..kills() {
        let sync = backfill(home, &file, url).start();
        tokio::time::sleep(Duration::from_millis(random.random_range(1..span))).await;
        sync.kill().await;
        expire().await;
        follower.catch_up(&mut api).await;
    }
    finish(home, &file, url, &expected).await;
    follower.catch_up(&mut api).await;
    follower.assert_knows(&expected);
    serve.interrupt();
    serve.ended().await.with_code(0);
}

async fn finish(home: &Home, file: &Path, url: &str, expected: &Stored) {
    backfill(home, file, url).run().await.with_code(0);
    let stored = Stored::read(url).await.unwrap();
    stored.assert_same(expected);
    // The last one may have been killed when its work was done; the final one then was a second.
    if stored.complete_runs() == 1 {
        assert_resumed(&stored);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_into_a_file_killed_at_any_moment_is_completed_by_the_next() {
    let home = Home::new();
    let url = home.database_url();
    killed_again_and_again(&home, &url, &url, 21, async || {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_into_postgresql_killed_at_any_moment_is_completed_by_the_next() {
    let home = Home::new();
    let name = database();
    let url = server().url(&name);
    let killed = format!("{url}&application_name=killed");
    let expire = async || {
        // What it has sent is still done, and may be a renewal.
        let of = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'killed'";
        let count = format!("{of} AND datname = '{name}'");
        let is_gone = async || {
            let left = server().run("postgres", &count).unwrap();
            (left == "0").then_some(())
        };
        within(PATIENCE, is_gone).await.unwrap();
        let expired = "UPDATE leases SET expires_at = 0; DELETE FROM budget_slots";
        server().run(&name, expired).unwrap();
    };
    killed_again_and_again(&home, &killed, &url, 22, expire).await;
}
