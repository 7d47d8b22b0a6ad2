//! Connections: what is wanted, what was found, how far it is synced.

use domain::Mapping;
use domain::check::CheckSummary;
use domain::mapping::{CheckoutSource, StageSource};
use domain::plan::PlanStanding;
use domain::storage::{ConnectionRecord, DayVerdict, EpochRecord, RunRecord};

use super::completeness::completeness;
use super::run::{backfill, run};
use super::stage::stage;
use super::time::timestamp;
use crate::proto::v1;
use crate::proto::v1::plan_standing::Standing;
use crate::proto::v1::stage_mapping::Source;

/// All that is told of a connection.
#[derive(Debug)]
pub(crate) struct ConnectionView {
    /// What is wanted.
    pub(crate) record: ConnectionRecord,
    /// The epoch that reads are answered from.
    pub(crate) serving: Option<EpochRecord>,
    /// The latest backfill of the epoch that is wanted.
    pub(crate) backfill: Option<RunRecord>,
    /// The latest run of that epoch that ended.
    pub(crate) last_run: Option<RunRecord>,
    /// What was proven of the serving epoch's days that are still counted.
    pub(crate) verdicts: Vec<DayVerdict>,
}

/// A connection.
pub(crate) fn connection(view: &ConnectionView) -> v1::Connection {
    let record = &view.record;
    let desired = &record.desired;
    let serving = view.serving.as_ref();
    v1::Connection {
        name: desired.name.resource_name(),
        host: desired.epoch.host.to_string(),
        project_id: desired.epoch.project_id.get(),
        plan: Some(plan(&desired.plan)),
        suspended: desired.suspended,
        time_zone: serving
            .and_then(|epoch| epoch.time_zone.clone())
            .unwrap_or_default(),
        mapping: serving.and_then(|epoch| {
            let in_force = epoch.mapping.as_ref()?;
            Some(mapping(in_force, epoch.mapping_revision))
        }),
        check: record.check.as_ref().map(check),
        failure: record
            .failure
            .as_ref()
            .map(|failure| v1::ConnectionFailure {
                reason: failure.reason.clone(),
                message: failure.message.clone(),
                fail_time: Some(timestamp(failure.at)),
            }),
        backfill: view.backfill.as_ref().map(backfill),
        last_run: view.last_run.as_ref().map(run),
        completeness: Some(completeness(&view.verdicts)),
        serving_previous_project: record.serving != record.target,
    }
}

fn plan(standing: &PlanStanding) -> v1::PlanStanding {
    let (standing, plan) = match standing {
        PlanStanding::Eligible { plan } => (Standing::Eligible, plan.to_string()),
        PlanStanding::TooLow { plan } => (Standing::TooLow, plan.to_string()),
        PlanStanding::Unknown { label } => (Standing::Unknown, label.clone().unwrap_or_default()),
    };
    v1::PlanStanding {
        standing: standing.into(),
        plan,
    }
}

fn mapping(mapping: &Mapping, revision: i64) -> v1::Mapping {
    let checkout_source = match mapping.checkout_source {
        CheckoutSource::Auto => v1::CheckoutSource::Auto,
        CheckoutSource::PostHog => v1::CheckoutSource::Posthog,
        CheckoutSource::Shopify => v1::CheckoutSource::Shopify,
    };
    v1::Mapping {
        stages: mapping
            .stages
            .iter()
            .map(|mapped| v1::StageMapping {
                stage: stage(mapped.stage).into(),
                source: match mapped.source {
                    StageSource::Default => Source::Default,
                    StageSource::Override => Source::Override,
                    StageSource::Shopify => Source::Shopify,
                }
                .into(),
                rules: mapped
                    .rules
                    .iter()
                    .map(|rule| v1::StageRule {
                        event: rule.name.as_str().to_owned(),
                        url_path: rule
                            .url_path
                            .as_ref()
                            .map(|pattern| pattern.as_str().to_owned())
                            .unwrap_or_default(),
                    })
                    .collect(),
            })
            .collect(),
        checkout_source: checkout_source.into(),
        revision,
    }
}

fn check(check: &CheckSummary) -> v1::CheckSummary {
    v1::CheckSummary {
        check_time: Some(timestamp(check.checked_at)),
        project_id: check.project.id,
        project_name: check.project.name.clone(),
        project_time_zone: check.project.time_zone.clone(),
        event_retention_months: check.project.event_retention_months,
        masked_key: check.key.masked_value.clone(),
        key_label: check.key.label.clone(),
        scopes: check.key.scopes.clone(),
        missing_scopes: check
            .key
            .missing_scopes
            .iter()
            .map(|scope| v1::MissingScope {
                scope: scope.as_str().to_owned(),
                loss: scope.loss().to_owned(),
            })
            .collect(),
        too_broad_scopes: check.key.too_broad.clone(),
        latest_event: check.latest_event.as_ref().map(|latest| v1::LatestEvent {
            event: latest.name.clone(),
            timestamp: Some(timestamp(latest.timestamp)),
        }),
    }
}
