//! What tests of either store from inside need: a connection, and a look at what is committed midway.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use domain::ApiHost;
use domain::clickmap::ClickmapPolicy;
use domain::connection::{ConnectionName, Epoch, ProjectId};
use domain::plan::{Plan, PlanStanding};
use domain::storage::{Deletion, DesiredConnection};

/// The connection `acme/shop`.
pub(crate) fn shop() -> DesiredConnection {
    DesiredConnection {
        name: ConnectionName::new("acme", "shop"),
        epoch: Epoch {
            host: ApiHost::parse("https://eu.posthog.com").unwrap(),
            project_id: ProjectId::try_from(7).unwrap(),
        },
        plan: PlanStanding::Eligible {
            plan: Plan::Starter,
        },
        suspended: false,
        backfill_days: 30,
        retention_days: 400,
        id_properties: Vec::new(),
        deletion: Deletion::Retain,
        clickmaps: ClickmapPolicy::default(),
    }
}

/// Leads `future` to its end and counts what is left of something each time that it waits, so after
/// each of its transactions. Returns its output and by how much the count fell at once at most.
pub(crate) async fn most_at_once<T>(
    future: impl Future<Output = T>,
    left: impl AsyncFn() -> i64,
) -> (T, i64) {
    let mut future = pin!(future);
    let (mut before, mut most) = (left().await, 0);
    loop {
        let ended = std::future::poll_fn(|context| {
            Poll::Ready(match future.as_mut().poll(context) {
                Poll::Ready(output) => Some(output),
                Poll::Pending => None,
            })
        });
        let ended = ended.await;
        let now = left().await;
        most = most.max(before - now);
        before = now;
        if let Some(output) = ended {
            return (output, most);
        }
    }
}
