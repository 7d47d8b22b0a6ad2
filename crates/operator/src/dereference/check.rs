//! "Save and test" of one connection, given up as soon as the connection changes under it.

use std::sync::Arc;
use std::time::Duration;

use crd::PostHogConnection;
use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use posthog::{Client, ClientConfig};
use sync::{CheckError, CheckReport, RegionProbe, Share, StoreGate};

use super::{Asked, ReadKey};
use crate::context::{Context, Guarded};

/// How often the cache is looked at while PostHog answers: that costs nothing.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Asks PostHog about the connection; nothing when it changed or was deleted before the answer came, for
/// then nobody needs the answer, and a deletion must not wait for PostHog.
pub(crate) async fn check(
    ctx: &Context,
    connection: &PostHogConnection,
    asked: &Asked,
    key: &ReadKey,
    now: Timestamp,
) -> Option<Result<CheckReport, CheckError>> {
    let desired = &asked.settings.desired;
    if let Err(refused) = ctx.http.check_host(&desired.epoch.host) {
        return Some(Err(refused.into()));
    }
    let gate = StoreGate::new(Arc::clone(&ctx.store), desired.epoch.clone(), Share::Check);
    let client = Client::new(ClientConfig {
        host: desired.epoch.host.clone(),
        project: desired.epoch.project_id,
        key: key.key.clone(),
        http: ctx.http.clone(),
        gate: Arc::new(gate),
        reads_elements: desired.clickmaps.rules().is_some(),
        id_properties: desired.id_properties.clone(),
    });
    let other = posthog::region::other(client.host(), &key.key);
    let other = other.filter(|_| ctx.config.region_probe);
    let probe = other.as_ref().map(|other| RegionProbe {
        http: &ctx.http,
        key: &key.key,
        other,
    });
    let asking = tokio::time::timeout(
        ctx.config.intervals.check_timeout,
        sync::check(&client, probe, now),
    );
    let outcome = tokio::select! {
        outcome = asking => outcome,
        () = changed(ctx, connection) => return None,
    };
    let outcome = outcome.unwrap_or_else(|_| {
        Err(posthog::Error::Timeout {
            request: "the check of the connection".to_owned(),
            reason: format!(
                "more than {} s",
                ctx.config.intervals.check_timeout.as_secs()
            ),
        }
        .into())
    });
    ctx.metrics.checked(match &outcome {
        Ok(_) => "complete",
        Err(error) => error.reason(),
    });
    Some(outcome)
}

/// Returns once the cache has another generation of the connection, or none.
async fn changed(ctx: &Context, connection: &PostHogConnection) {
    let key = ObjectRef::<Guarded>::new(&connection.name_any())
        .within(&connection.namespace().unwrap_or_default());
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = ctx.connections.get(&key);
        let is_same = now.is_some_and(|now| match &now.0 {
            Ok(now) => {
                now.metadata.uid == connection.metadata.uid
                    && now.metadata.generation == connection.metadata.generation
            }
            Err(_) => false,
        });
        if !is_same {
            return;
        }
    }
}
