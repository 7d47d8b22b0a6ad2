//! An operator is killed around each of its writes, through a connection's whole life; the next one ends
//! what it began, and comes to what an operator that lives comes to.

mod record;
mod step;

use std::time::Duration;

use crd::PostHogConnection;
use futures_util::{StreamExt, stream};
use kube::CustomResourceExt;
use test_kubernetes::{Death, Kubelet, Server};
use tokio::time::Instant;

use self::record::Record;
use self::step::Step;
use crate::harness::{Corner, PATIENCE, PAUSE};

/// Lives at once: they mostly wait for the Job controller.
const AT_ONCE: usize = 12;
/// How long nothing changes any more where everything is done.
const REST: Duration = Duration::from_millis(800);
/// How late watches are that lag.
const LAG: Duration = Duration::from_millis(250);

/// Who goes on after an operator that died, or works from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    /// It sees at once what changes.
    Clear,
    /// It sees it late.
    Late,
}

/// One life of a connection.
struct Life {
    server: &'static Server,
    corner: Corner,
    /// Absent while no node runs pods.
    kubelet: Option<Kubelet>,
}

/// What a life came to, step by step, and how many writes each step took.
type Story = Vec<(Record, usize)>;

#[tokio::test(flavor = "multi_thread")]
async fn whenever_an_operator_dies_the_next_one_comes_to_the_same() {
    let story = Life::begin().await.told().await;
    let most = story.iter().map(|(_, writes)| *writes).max().unwrap();
    assert!(most >= 5, "finalizer, first status, Job, Secret, status");
    let deaths = (1..=most).flat_map(|write| {
        [
            // What it made goes on meanwhile; the next operator sees late what became of it.
            (Death::Before(write), Sight::Clear),
            (Death::After(write), Sight::Late),
        ]
    });
    let lives = stream::iter(deaths).map(|(death, sight)| {
        let story = story.clone();
        async move {
            let life = Life::begin().await;
            tokio::spawn(async move { life.cut_short(&story, death, sight).await })
                .await
                .unwrap()
        }
    });
    let died: Vec<usize> = lives.buffer_unordered(AT_ONCE).collect().await;
    let crashes: usize = died.iter().sum();
    let writes: usize = story.iter().map(|(_, writes)| writes).sum();
    // Two writes of status may come together, or not.
    assert!(
        crashes + 2 * story.len() >= 2 * writes,
        "{crashes} crashes, {writes} writes: {died:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_sees_everything_late_comes_to_the_same() {
    let story = Life::begin().await.told().await;
    let mut life = Life::begin().await;
    for (step, (expected, _)) in step::LIFE.into_iter().zip(&story) {
        life.take(step).await;
        let operator = life.operate(Sight::Late);
        life.comes_to(step, expected, "with watches that lag").await;
        operator.stop().await;
    }
}

impl Life {
    async fn begin() -> Self {
        let server = Server::shared().unwrap();
        server.install(&PostHogConnection::crd()).await.unwrap();
        Self {
            server,
            corner: Corner::on(server, Some("starter")).await,
            kubelet: None,
        }
    }

    fn operate(&self, sight: Sight) -> crate::harness::Running {
        match sight {
            Sight::Clear => self.corner.operate(),
            Sight::Late => self.corner.operate_as(self.server.lagging(LAG).unwrap()),
        }
    }

    /// The story of a life that nothing disturbs.
    async fn told(mut self) -> Story {
        let mut story = Vec::new();
        for step in step::LIFE {
            self.take(step).await;
            let (client, mortal) = self.server.mortal().unwrap();
            let operator = self.corner.operate_as(client);
            let record = self.rests(step).await;
            operator.stop().await;
            tracing::info!(?step, writes = mortal.writes(), "A step is taken.");
            story.push((record, mortal.writes()));
        }
        story
    }

    /// The same life with an operator that dies so in every step; how often one did.
    async fn cut_short(mut self, story: &Story, death: Death, sight: Sight) -> usize {
        let mut crashes = 0;
        for (step, (expected, _)) in step::LIFE.into_iter().zip(story) {
            self.take(step).await;
            let (client, mortal) = self.server.mortal().unwrap();
            mortal.dies(death);
            let operator = self.corner.operate_as(client);
            let when = format!("killed {death:?}");
            tokio::select! {
                () = mortal.died() => {
                    operator.kill().await;
                    crashes += 1;
                    if sight == Sight::Late {
                        self.jobs_end().await;
                    }
                    let next = self.operate(sight);
                    self.comes_to(step, expected, &when).await;
                    next.stop().await;
                }
                () = self.comes_to(step, expected, &when) => operator.stop().await,
            }
        }
        crashes
    }

    /// What has come about once the step is taken and nothing changes any more.
    async fn rests(&self, step: Step) -> Record {
        let deadline = Instant::now() + PATIENCE;
        let mut last = Record::read(&self.corner).await;
        let mut since = Instant::now();
        let mut changed = String::new();
        loop {
            tokio::time::sleep(PAUSE).await;
            // Asked before the record is read, which so is no older than the answer.
            let is_over = !self.goes_on().await && step.is_taken(&self.corner).await;
            let now = Record::read(&self.corner).await;
            if now != last {
                changed = now.unlike(&last);
                tracing::debug!(?step, changed, "Something has come about.");
                (last, since) = (now, Instant::now());
            } else if is_over && since.elapsed() >= REST {
                return last;
            }
            assert!(
                Instant::now() < deadline,
                "{step:?} never rests, {} s after\n{changed}\n{last:#?}",
                since.elapsed().as_secs()
            );
        }
    }

    /// Waits until what has come about is what is expected.
    async fn comes_to(&self, step: Step, expected: &Record, when: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = Record::read(&self.corner).await;
            if now == *expected && step.is_taken(&self.corner).await {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{step:?}, {when}, never comes to\n{}",
                now.unlike(expected)
            );
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until every Job is over that can be: its Secret is there, and a node.
    async fn jobs_end(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.goes_on().await {
            assert!(Instant::now() < deadline, "a Job runs for ever");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Whether a node runs a Job.
    async fn goes_on(&self) -> bool {
        let jobs = record::jobs(&self.corner).await;
        let goes_on = |job: &record::JobRecord| job.phase == "Active" && job.has_secret;
        self.kubelet.is_some() && jobs.iter().any(goes_on)
    }
}
