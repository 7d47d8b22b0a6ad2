//! An operator is killed around each of its writes to the API server and to the store, through a
//! connection's whole life; the next one ends what it began, and comes to what an operator that lives
//! comes to.

mod blow;
mod record;
mod step;

use std::time::Duration;

use crd::PostHogConnection;
use futures_util::{StreamExt, stream};
use kube::CustomResourceExt;
use test_kubernetes::{Kubelet, Server};
use tokio::time::Instant;

use self::blow::{Blow, Doomed, Writes};
use self::record::Record;
use self::step::Step;
use crate::harness::{Corner, PATIENCE, PAUSE, Running};

/// Lives at once: they mostly wait for the Job controller.
const AT_ONCE: usize = 12;
/// How long nothing changes any more where everything is done.
const REST: Duration = Duration::from_millis(800);
/// From one comparison of the store with the cluster to the next.
const SWEEP: Duration = Duration::from_millis(500);
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
type Story = Vec<(Record, Writes)>;

#[tokio::test(flavor = "multi_thread")]
async fn whenever_an_operator_dies_the_next_one_comes_to_the_same() {
    let story = Life::begin().await.told().await;
    let writes = || story.iter().map(|(_, writes)| writes);
    let most = Writes {
        server: writes().map(|writes| writes.server).max().unwrap(),
        store: writes().map(|writes| writes.store).max().unwrap(),
    };
    assert!(
        most.server >= 5,
        "finalizer, first status, Job, Secret, status"
    );
    assert!(most.store >= 2, "connection, check");
    let (before, after) = Blow::all(most);
    let before = before.into_iter().map(|blow| (blow, Sight::Clear));
    // What it made goes on meanwhile; the next operator sees late what became of it.
    let after = after.into_iter().map(|blow| (blow, Sight::Late));
    let lives = stream::iter(before.chain(after)).map(|(blow, sight)| {
        let story = story.clone();
        async move {
            let life = Life::begin().await;
            tokio::spawn(async move { (blow, life.cut_short(&story, blow, sight).await) })
                .await
                .unwrap()
        }
    });
    let died: Vec<(Blow, usize)> = lives.buffer_unordered(AT_ONCE).collect().await;
    let crashes = |is_counted: fn(&Blow) -> bool| -> usize {
        let counted = died.iter().filter(|(blow, _)| is_counted(blow));
        counted.map(|(_, crashes)| crashes).sum()
    };
    // Two writes of status may come together, or not; and a step may be taken before the last write.
    let at_server = crashes(|blow| matches!(blow, Blow::AtServer(_)));
    let written: usize = writes().map(|writes| writes.server).sum();
    assert!(
        at_server + 2 * story.len() >= 2 * written,
        "{at_server} crashes, {written} writes to the API server: {died:?}"
    );
    let at_store = crashes(|blow| matches!(blow, Blow::AtStore(..)));
    let written: usize = writes().map(|writes| writes.store).sum();
    assert!(
        at_store + story.len() >= 2 * written,
        "{at_store} crashes, {written} writes to the store: {died:?}"
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
        let mut corner = Corner::on(server, Some("starter")).await;
        corner.config.may_forget_secrets = true;
        corner.config.intervals.sweep = SWEEP;
        Self {
            server,
            corner,
            kubelet: None,
        }
    }

    fn operate(&self, sight: Sight) -> Running {
        match sight {
            Sight::Clear => self.corner.operate(),
            Sight::Late => self.corner.operate_as(self.server.lagging(LAG).unwrap()),
        }
    }

    fn operate_as(&self, doomed: &Doomed) -> Running {
        let store = doomed.store.clone();
        self.corner.operate_through(doomed.client.clone(), store)
    }

    /// The story of a life that nothing disturbs.
    async fn told(mut self) -> Story {
        let mut story = Vec::new();
        for step in step::LIFE {
            self.take(step).await;
            let spared = Doomed::new(self.server, &self.corner.store, Blow::Spared);
            let operator = self.operate_as(&spared);
            let record = self.rests(step, &operator).await;
            operator.stop().await;
            let writes = spared.writes();
            tracing::info!(?step, ?writes, "A step is taken.");
            story.push((record, writes));
        }
        story
    }

    /// The same life with an operator that dies so in every step; how often one did.
    async fn cut_short(mut self, story: &Story, blow: Blow, sight: Sight) -> usize {
        let mut crashes = 0;
        for (step, (expected, _)) in step::LIFE.into_iter().zip(story) {
            self.take(step).await;
            let doomed = Doomed::new(self.server, &self.corner.store, blow);
            let operator = self.operate_as(&doomed);
            let when = format!("killed {blow:?}");
            tokio::select! {
                () = doomed.died() => {
                    operator.kill().await;
                    crashes += 1;
                    if sight == Sight::Late {
                        self.jobs_end().await;
                    }
                    let next = self.operate(sight);
                    self.comes_to(step, expected, &when).await;
                    next.stop().await;
                }
                // Told to stop, it may die yet, and never end.
                () = self.comes_to(step, expected, &when) => operator.kill().await,
            }
        }
        crashes
    }

    /// What has come about once the step is taken, nobody does anything and nothing changes any more.
    async fn rests(&self, step: Step, operator: &Running) -> Record {
        let deadline = Instant::now() + PATIENCE;
        let mut last = Record::read(&self.corner).await;
        let mut changed = String::new();
        // Since when all of that is so. Times are not in a record, so it can be the same before all is over.
        let mut since = None;
        loop {
            tokio::time::sleep(PAUSE).await;
            // Asked before the record is read, which so is no older than the answer.
            let is_over =
                operator.is_idle() && !self.goes_on().await && step.is_taken(&self.corner).await;
            let now = Record::read(&self.corner).await;
            if now != last {
                changed = now.unlike(&last);
                tracing::debug!(?step, changed, "Something has come about.");
                (last, since) = (now, None);
            } else if !is_over || !last.is_settled() {
                since = None;
            } else if since.get_or_insert_with(Instant::now).elapsed() >= REST {
                return last;
            }
            assert!(
                Instant::now() < deadline,
                "{step:?} never rests, over since {since:?}, after\n{changed}\n{last:#?}"
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

    /// Waits until every Job is over that can be: the Secret that it needs is there, and a node.
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
        let goes_on =
            |job: &record::JobRecord| job.phase == "Active" && (job.has_secret || job.needs_none());
        self.kubelet.is_some() && jobs.iter().any(goes_on)
    }
}
