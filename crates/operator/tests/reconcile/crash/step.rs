//! The life of a connection in steps: what somebody changes while no operator is there, and by what one
//! tells that an operator has taken note of it.

use crd::{BACKFILL_COMPLETE, Condition, ConditionStatus, READY, SYNCED, reasons};
use jiff::Timestamp;
use kube::api::{DeleteParams, ListParams};
use posthog_stub::{Event, Key, Project};
use serde_json::json;

use super::Life;
use super::record::jobs;
use crate::harness::{Corner, KEY, LIFETIME, condition, tick_after};

/// The connection.
pub(super) const NAME: &str = "storefront";
/// The project that it moves to.
pub(super) const OTHER: u64 = 777;
const OTHER_KEY: &str = "phx_abcdefghijklmnopqrstuvwxyzABCD0123456789";

/// A step of the life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It is created, while no node runs its backfill.
    Connect,
    /// The backfill is stopped.
    Suspend,
    /// A new one reads everything.
    Resume,
    /// Somebody asks for a refresh, and its Job fails.
    Fail,
    /// Somebody asks again, and it works.
    Recover,
    /// Two stages swap their events.
    Remap,
    /// A refresh is asked for, while no node runs it.
    Begin,
    /// The workspace's plan does not admit PostHog any more: the refresh is stopped.
    Downgrade,
    /// It does again.
    Upgrade,
    /// PostHog does not know the key any more.
    LoseKey,
    /// The Secret has another.
    RotateKey,
    /// Another project.
    Move,
    /// The timetable's next tick.
    Tick,
    /// It is deleted; its rows stay for the grace period.
    Disconnect,
    /// It is there again, and has them.
    Recreate,
    /// It is deleted again, and has no grace period: its rows go.
    Purge,
}

/// All of them, in order.
pub(super) const LIFE: [Step; 16] = [
    Step::Connect,
    Step::Suspend,
    Step::Resume,
    Step::Fail,
    Step::Recover,
    Step::Remap,
    Step::Begin,
    Step::Downgrade,
    Step::Upgrade,
    Step::LoseKey,
    Step::RotateKey,
    Step::Move,
    Step::Tick,
    Step::Disconnect,
    Step::Recreate,
    Step::Purge,
];

impl Step {
    /// Whether an operator has taken note of it, as far as the connection tells, or what is left of it.
    pub(super) async fn is_taken(self, corner: &Corner) -> bool {
        let Some(found) = corner.connections().get_opt(NAME).await.unwrap() else {
            return self.is_over(corner).await;
        };
        let status = found.status.clone().unwrap_or_default();
        let is = |kind: &str, status: ConditionStatus, reason: &str| {
            condition(&found, kind).is_some_and(|c: &Condition| {
                (c.status, c.reason.as_str()) == (status, reason)
                    && c.observed_generation == found.metadata.generation
            })
        };
        let ready = || is(READY, ConditionStatus::True, reasons::AS_DESIRED);
        let synced = || is(SYNCED, ConditionStatus::True, reasons::UP_TO_DATE);
        let refused = |reason| is(READY, ConditionStatus::False, reason);
        let handled =
            |request: &str| status.last_handled_refresh_request.as_deref() == Some(request);
        let active = async || jobs(corner).await.iter().any(|job| job.phase == "Active");
        match self {
            Self::Connect => ready() && active().await,
            Self::Suspend => refused(reasons::SUSPENDED),
            Self::Fail => {
                handled("first") && is(SYNCED, ConditionStatus::False, reasons::MALFORMED)
            }
            Self::Recover => handled("second") && synced() && !active().await,
            Self::Remap => ready() && status.mapping[1].events[0].name == "checkout started",
            Self::Begin => handled("third") && active().await,
            Self::Downgrade => refused(reasons::PLAN_TOO_LOW),
            Self::Resume | Self::Upgrade | Self::RotateKey => ready() && synced(),
            Self::Recreate => ready() && synced() && !active().await,
            Self::Disconnect | Self::Purge => false,
            Self::LoseKey => refused(reasons::INVALID_API_KEY),
            Self::Move => {
                let other = status
                    .project
                    .is_some_and(|project| project.name == "Other");
                other
                    && is(
                        BACKFILL_COMPLETE,
                        ConditionStatus::True,
                        reasons::BACKFILL_DONE,
                    )
            }
            Self::Tick => {
                let since = corner.now() - LIFETIME / 2;
                let ran = status.last_sync.is_some_and(|run| run.start_time > since);
                ran && synced()
                    && status
                        .next_sync_time
                        .is_some_and(|next| next > corner.now())
            }
        }
    }
}

impl Step {
    /// The same of a connection that is gone.
    async fn is_over(self, corner: &Corner) -> bool {
        let record = corner.store.connection(&corner.name(NAME)).await.unwrap();
        let jobs = jobs(corner).await;
        match self {
            Self::Disconnect => {
                record.is_some_and(|record| record.deleted_at.is_some()) && jobs.is_empty()
            }
            Self::Purge => record.is_none() && jobs.iter().all(|job| job.phase == "Complete"),
            _ => false,
        }
    }
}

impl Life {
    /// What somebody does to begin the step.
    pub(super) async fn take(&mut self, step: Step) {
        let corner = &self.corner;
        let kubelet = &mut self.kubelet;
        match step {
            Step::Connect => {
                corner.connect_between_ticks(NAME, json!({})).await;
            }
            Step::Suspend => corner.patch(NAME, json!({"spec": {"suspend": true}})).await,
            Step::Resume => {
                *kubelet = Some(corner.kubelet());
                corner
                    .patch(NAME, json!({"spec": {"suspend": false}}))
                    .await;
            }
            Step::Fail => {
                *kubelet = None;
                // An answer that was not understood.
                *kubelet = Some(corner.failing_kubelet(18));
                // It would be tried again in a minute.
                corner.clock.stop();
                corner.ask(NAME, "first").await;
            }
            Step::Recover => {
                *kubelet = None;
                *kubelet = Some(corner.kubelet());
                corner.clock.go_on();
                corner.ask(NAME, "second").await;
            }
            Step::Remap => {
                let mapping = json!({
                    "productViewed": {"events": [{"name": "$pageview"}]},
                    "addedToCart": {"events": [{"name": "checkout started"}]},
                    "checkoutStarted": {"events": [{"name": "product added to cart"}]},
                });
                corner
                    .patch(NAME, json!({"spec": {"mapping": mapping}}))
                    .await;
            }
            Step::Begin => {
                *kubelet = None;
                corner.ask(NAME, "third").await;
            }
            Step::Downgrade => corner.plan(Some("free")).await,
            Step::Upgrade => {
                *kubelet = Some(corner.kubelet());
                corner.plan(Some("growth")).await;
            }
            Step::LoseKey => {
                corner.stub.edit(|world| world.revoke_key(KEY));
                corner.clock.stop();
                corner.ask(NAME, "fourth").await;
            }
            Step::RotateKey => {
                corner.clock.go_on();
                corner
                    .stub
                    .edit(|world| *world = std::mem::take(world).with_key(Key::new(OTHER_KEY)));
                corner.secret("posthog", json!({"apiKey": OTHER_KEY})).await;
            }
            Step::Move => {
                corner.stub.edit(|world| {
                    let mut other = Project::new(OTHER, "Other");
                    other.insert(Event::new("$pageview", "somebody", Timestamp::now()));
                    world.add_project(other);
                });
                corner
                    .patch(NAME, json!({"spec": {"projectId": OTHER}}))
                    .await;
            }
            Step::Tick => {
                let found = corner.connections().get(NAME).await.unwrap();
                let now = corner.now();
                let tick = tick_after(&found, now);
                corner
                    .clock
                    .advance(tick.duration_since(now) + LIFETIME / 4);
            }
            Step::Disconnect => {
                // The time to live of those that are over is so, too.
                let jobs = corner.jobs();
                let (background, all) = (DeleteParams::background(), ListParams::default());
                jobs.delete_collection(&background, &all).await.unwrap();
                corner.wait_jobs(<[_]>::is_empty).await;
                corner.delete(NAME).await;
            }
            Step::Recreate => {
                corner.secret("posthog", json!({"apiKey": OTHER_KEY})).await;
                let spec = json!({"projectId": OTHER, "deletionGracePeriod": "0s"});
                corner.connect_between_ticks(NAME, spec).await;
            }
            Step::Purge => corner.delete(NAME).await,
        }
    }
}
