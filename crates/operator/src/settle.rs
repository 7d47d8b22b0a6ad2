//! Cleans up Jobs that are over, once status tells how they ended: a time to live for all but the newest
//! failed one, which stays readable without the key that it had.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::annotations::labels;
use crate::context::Context;
use crate::error::Error;
use crate::jobs::{self, Phase, RunJob};

/// What is to be done with a Job that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Settling {
    /// It goes after its time to live.
    Expire,
    /// It stays, marked as told.
    Keep,
}

/// Settles the Jobs of one connection, all of them over and told; returns those that were not before.
pub(crate) async fn settle(ctx: &Context, over: &[RunJob]) -> Result<Vec<RunJob>, Error> {
    let mut settled = Vec::new();
    for (job, settling) in decide(over) {
        let patch = match settling {
            Settling::Expire => {
                json!({"spec": {"ttlSecondsAfterFinished": ctx.config.job.ttl_seconds}})
            }
            Settling::Keep => {
                forget_key(ctx, &job.name).await?;
                let now = ctx.clock.now().to_string();
                json!({"metadata": {"annotations": {labels::RECORDED: now}}})
            }
        };
        write(ctx, &job.name, patch).await?;
        if !job.is_recorded {
            settled.push(job.clone());
        }
    }
    Ok(settled)
}

fn decide(over: &[RunJob]) -> Vec<(&RunJob, Settling)> {
    let newest_failed = over
        .iter()
        .filter(|job| matches!(job.phase, Phase::Failed { .. }))
        .max_by_key(|job| (job.created_at, &job.name));
    over.iter()
        .filter(|job| !job.is_deleting && !job.has_ttl)
        .filter_map(|job| {
            if newest_failed != Some(job) {
                Some((job, Settling::Expire))
            } else if job.is_recorded {
                None
            } else {
                Some((job, Settling::Keep))
            }
        })
        .collect()
}

async fn write(ctx: &Context, name: &str, patch: Value) -> Result<(), Error> {
    let api: Api<Job> = Api::namespaced(ctx.client.clone(), &ctx.config.namespace);
    match api
        .patch(name, &PatchParams::default(), &Patch::Merge(patch))
        .await
    {
        Ok(job) => {
            if let Some((name, job)) = jobs::reduce(&job) {
                ctx.jobs.note(name, job);
            }
            Ok(())
        }
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(error) => Err(Error::api("settle the Job")(error)),
    }
}

async fn forget_key(ctx: &Context, name: &str) -> Result<(), Error> {
    let api: Api<Secret> = Api::namespaced(ctx.client.clone(), &ctx.config.namespace);
    match api.delete(name, &DeleteParams::default()).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(error) => Err(Error::api("delete the Job's Secret")(error)),
    }
}

#[cfg(test)]
mod tests {
    use domain::ConnectionName;
    use jiff::Timestamp;

    use super::*;
    use crate::jobs::RunKind;

    fn job(name: &str, second: i64, is_failed: bool) -> RunJob {
        let at = Timestamp::from_second(second).unwrap();
        RunJob {
            namespace: "operator".to_owned(),
            name: name.to_owned(),
            uid: name.to_owned(),
            connection_uid: "uid".to_owned(),
            connection: ConnectionName::new("acme", "storefront"),
            kind: RunKind::Refresh,
            tick: name.to_owned(),
            fingerprint: "f".to_owned(),
            created_at: at,
            phase: if is_failed {
                Phase::Failed {
                    at,
                    reason: String::new(),
                    message: String::new(),
                }
            } else {
                Phase::Succeeded { at }
            },
            is_recorded: false,
            has_ttl: false,
            is_deleting: false,
        }
    }

    #[test]
    fn the_newest_failed_job_stays_and_the_others_expire() {
        let mut jobs = [
            job("old", 1, true),
            job("new", 3, true),
            job("good", 4, false),
        ];
        let decided: Vec<_> = decide(&jobs)
            .into_iter()
            .map(|(job, settling)| (job.name.clone(), settling))
            .collect();
        let wanted = [
            ("old".to_owned(), Settling::Expire),
            ("new".to_owned(), Settling::Keep),
            ("good".to_owned(), Settling::Expire),
        ];
        assert_eq!(decided, wanted);
        for job in &mut jobs {
            job.is_recorded = true;
            job.has_ttl = job.name != "new";
        }
        assert_eq!(decide(&jobs), []);
    }
}
