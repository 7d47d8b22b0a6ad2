//! Takes our key out of the tenant's Secret, where that is ours to do.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, Preconditions};
use kube::core::DynamicObject;
use serde_json::json;

use super::guard::{Obstacle, Removal, decide, holds, of_entry};
use super::last_applied::{self, LAST_APPLIED};
use super::loose::{SecretEntry, connections, secret_entry};
use super::report::KeyOutcome;
use crate::context::Context;
use crate::error::{Error, describe};
use crate::identity::Identity;

/// A Secret that others write to at this very moment is read again so often.
const ATTEMPTS: usize = 5;
/// Longer words of an API server (or of a webhook behind it) are cut: an Event holds 1 KiB.
const LONGEST_REFUSAL: usize = 300;

/// Takes the key out, unless something forbids it. What the API server refuses is an outcome; that it
/// does not answer is an error for as long as it may be tried again, so that no disconnect hangs.
pub(super) async fn forget_key(
    ctx: &Context,
    identity: &Identity,
    going: &DynamicObject,
) -> Result<KeyOutcome, Error> {
    let Some(entry) = secret_entry(going) else {
        return Ok(KeyOutcome::Absent);
    };
    match try_to_forget(ctx, identity, &entry).await {
        Ok(outcome) => Ok(outcome),
        Err(error) if is_refusal(&error) || is_late(ctx, going) => {
            let said: String = describe(&error).chars().take(LONGEST_REFUSAL).collect();
            Ok(KeyOutcome::Remains(entry, Obstacle::Refused(said)))
        }
        Err(error) => Err(Error::api("take the key out of the Secret")(error)),
    }
}

async fn try_to_forget(
    ctx: &Context,
    identity: &Identity,
    entry: &SecretEntry,
) -> kube::Result<KeyOutcome> {
    let namespace = &identity.name.namespace;
    let secrets: Api<Secret> = Api::namespaced(ctx.client.clone(), namespace);
    let mut attempt = 1;
    loop {
        let Some(secret) = secrets.get_opt(&entry.secret).await? else {
            return Ok(KeyOutcome::Absent);
        };
        if !ctx.config.may_forget_secrets {
            let is_there = holds(&secret, entry);
            return Ok(if is_there {
                KeyOutcome::Remains(entry.clone(), Obstacle::Withheld)
            } else {
                KeyOutcome::Absent
            });
        }
        // Asked anew rather than of what was seen last: one that came a moment ago counts.
        let all = connections(ctx.client.clone(), namespace);
        let mut others = all.list(&ListParams::default()).await?.items;
        others.retain(|other| other.metadata.uid.as_ref() != Some(&identity.uid));
        let removal = match decide(&secret, entry, &others) {
            Ok(None) => return Ok(KeyOutcome::Absent),
            Ok(Some(removal)) => removal,
            Err(obstacle) => return Ok(KeyOutcome::Remains(entry.clone(), obstacle)),
        };
        match remove(&secrets, &secret, entry, removal).await {
            Ok(removed) => return Ok(KeyOutcome::Forgotten(entry.clone(), removed)),
            Err(kube::Error::Api(status)) if status.is_not_found() => {
                return Ok(KeyOutcome::Absent);
            }
            // It changed since it was read, and the decision may be another now.
            Err(kube::Error::Api(status)) if status.is_conflict() && attempt < ATTEMPTS => {
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Removes the key from the very version of the Secret that was decided about; says how. Where only the
/// right to delete is missing, the Secret stays, empty.
async fn remove(
    secrets: &Api<Secret>,
    secret: &Secret,
    entry: &SecretEntry,
    removal: Removal,
) -> kube::Result<Removal> {
    let version = &secret.metadata.resource_version;
    if removal == Removal::Secret {
        let this_very_one = Preconditions {
            uid: secret.metadata.uid.clone(),
            resource_version: version.clone(),
        };
        let params = DeleteParams::default().preconditions(this_very_one);
        match secrets.delete(&entry.secret, &params).await {
            Err(kube::Error::Api(status)) if status.is_forbidden() => {}
            deleted => return deleted.map(|_| Removal::Secret),
        }
    }
    let mut patch = json!({
        "metadata": {"resourceVersion": version},
        "data": {&entry.key: null},
    });
    if let Some(rest) = last_applied::without(secret, entry) {
        patch["metadata"]["annotations"] = json!({LAST_APPLIED: rest});
    }
    secrets
        .patch_metadata(&entry.secret, &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    Ok(of_entry(secret, entry))
}

/// Whether asking again would bring the same: the right is missing, or the change is not allowed.
fn is_refusal(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else {
        return false;
    };
    (400..500).contains(&status.code) && ![408, 409, 429].contains(&status.code)
}

/// Whether it was tried for as long as it may be.
fn is_late(ctx: &Context, going: &DynamicObject) -> bool {
    let Some(since) = &going.metadata.deletion_timestamp else {
        return false;
    };
    let since = Timestamp::from_second(since.0.as_second()).unwrap_or(Timestamp::MIN);
    let patience = ctx.config.intervals.forget_patience;
    ctx.clock.now().duration_since(since).unsigned_abs() > patience
}
