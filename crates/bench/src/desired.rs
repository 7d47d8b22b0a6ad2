//! The connection of the parts that fill a store without a sync.

use domain::ApiHost;
use domain::clickmap::ClickmapPolicy;
use domain::connection::{ConnectionName, Epoch, ProjectId};
use domain::identity::IdProperty;
use domain::plan::{Plan, PlanStanding};
use domain::storage::{Deletion, DesiredConnection};

use crate::Outcome;

/// `bench/shop`, as it is wanted.
pub(crate) fn desired(id_properties: Vec<IdProperty>) -> Outcome<DesiredConnection> {
    Ok(DesiredConnection {
        name: ConnectionName::new("bench", "shop"),
        epoch: Epoch {
            host: ApiHost::parse("https://eu.posthog.com")?,
            project_id: ProjectId::try_from(1)?,
        },
        plan: PlanStanding::Eligible {
            plan: Plan::Starter,
        },
        suspended: false,
        backfill_days: 30,
        clickmaps: ClickmapPolicy::default(),
        retention_days: 400,
        id_properties,
        deletion: Deletion::Retain,
    })
}
