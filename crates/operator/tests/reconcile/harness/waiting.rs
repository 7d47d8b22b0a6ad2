//! Waiting for what an operator makes of things.

use std::time::Duration;

use crd::{BACKFILL_COMPLETE, ConditionStatus, PostHogConnection, READY, SYNCED, reasons};
use k8s_openapi::api::batch::v1::Job;
use kube::api::PostParams;
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{Corner, condition};

/// No test waits longer for what is to come: many times what it takes, for the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);
/// From one look to the next.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);

impl Corner {
    /// Waits until `wanted` holds of a connection; panics with its last state when it never does.
    pub(crate) async fn wait(
        &self,
        name: &str,
        wanted: impl Fn(&PostHogConnection) -> bool,
    ) -> PostHogConnection {
        let api = self.connections();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = api.get_opt(name).await.unwrap();
            match now {
                Some(connection) if wanted(&connection) => return connection,
                now if Instant::now() > deadline => {
                    let status = now.and_then(|now| now.status);
                    panic!(
                        "never came: {}",
                        serde_json::to_string_pretty(&status).unwrap()
                    );
                }
                _ => sleep(PAUSE).await,
            }
        }
    }

    /// Waits until a condition has this status and reason at the present generation.
    pub(crate) async fn condition(
        &self,
        name: &str,
        kind: &str,
        status: ConditionStatus,
        reason: &str,
    ) -> PostHogConnection {
        self.wait(name, |connection| {
            condition(connection, kind).is_some_and(|condition| {
                condition.status == status
                    && condition.reason == reason
                    && condition.observed_generation == connection.metadata.generation
            })
        })
        .await
    }

    /// Waits until a connection is ready.
    pub(crate) async fn ready(&self, name: &str) -> PostHogConnection {
        self.condition(name, READY, ConditionStatus::True, reasons::AS_DESIRED)
            .await
    }

    /// Waits until a connection is not ready for this reason.
    pub(crate) async fn not_ready(&self, name: &str, reason: &str) -> PostHogConnection {
        self.condition(name, READY, ConditionStatus::False, reason)
            .await
    }

    /// Waits until the last due run of a connection has succeeded.
    pub(crate) async fn synced(&self, name: &str) -> PostHogConnection {
        self.condition(name, SYNCED, ConditionStatus::True, reasons::UP_TO_DATE)
            .await
    }

    /// Waits until the backfill of a connection is complete.
    pub(crate) async fn filled(&self, name: &str) -> PostHogConnection {
        let done = reasons::BACKFILL_DONE;
        self.condition(name, BACKFILL_COMPLETE, ConditionStatus::True, done)
            .await
    }

    /// Waits until `wanted` holds of the Jobs.
    pub(crate) async fn wait_jobs(&self, wanted: impl Fn(&[Job]) -> bool) -> Vec<Job> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let jobs = self.all_jobs().await;
            if wanted(&jobs) {
                return jobs;
            }
            assert!(
                Instant::now() < deadline,
                "never came: {:?}",
                jobs.iter().map(ResourceExt::name_any).collect::<Vec<_>>()
            );
            sleep(PAUSE).await;
        }
    }

    /// Waits until the API server admits Jobs into the operator's namespace, or refuses them. It looks
    /// at quotas through a cache of its own, which follows a change a moment later.
    pub(crate) async fn jobs_admitted(&self, wanted: bool) {
        let jobs: Api<Job> = Api::namespaced(self.client.clone(), &self.own);
        let container = json!({"name": "asked", "image": "asked"});
        let asked = json!({
            "metadata": {"name": "asked"},
            "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}},
        });
        let asked: Job = serde_json::from_value(asked).unwrap();
        let dry_run = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let admitted = match jobs.create(&dry_run, &asked).await {
                Ok(_) => true,
                Err(kube::Error::Api(refusal)) if refusal.is_forbidden() => false,
                Err(error) => panic!("a Job could not be asked for: {error}"),
            };
            if admitted == wanted {
                return;
            }
            assert!(Instant::now() < deadline, "still {admitted}");
            sleep(PAUSE).await;
        }
    }
}

/// Returns once `look` finds something.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            sleep(PAUSE).await;
        }
    });
    found.await.unwrap_or_else(|_| panic!("never: {what}"))
}
