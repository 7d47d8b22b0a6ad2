//! What status tells of the last check: the key and the project, as PostHog knows them.

use crd::{KeyStatus, LatestEventStatus, PostHogConnectionStatus, ProjectStatus};
use domain::check::CheckSummary;
use sync::backoff::{Class, Setback};

use crate::dereference::{Found, KeyFound};

/// Writes down what was found out about the key.
pub(super) fn describe_check(status: &mut PostHogConnectionStatus, found: &Found) {
    let checked = match &found.key {
        KeyFound::Checked(checked) => checked,
        KeyFound::Missing(_) => {
            status.key = None;
            return;
        }
        KeyFound::NotRead | KeyFound::Unchecked(_) => return,
    };
    let old = status.key.take();
    // What another key could see says nothing of this one.
    status.key = Some(KeyStatus {
        secret_resource_version: Some(checked.key.version.clone()),
        ..KeyStatus::default()
    });
    match &checked.outcome {
        Ok(report) => describe_project(status, &report.summary),
        Err(error) if Setback::of_check(error).class == Class::NeedsPerson => {}
        // Of the same key nothing else is known than before.
        Err(_) => {
            if let (Some(key), Some(old)) = (&mut status.key, old)
                && old.secret_resource_version == key.secret_resource_version
            {
                *key = old;
            }
        }
    }
}

fn describe_project(status: &mut PostHogConnectionStatus, summary: &CheckSummary) {
    status.project = Some(ProjectStatus {
        id: summary.project.id,
        name: summary.project.name.clone(),
        time_zone: summary.project.time_zone.clone(),
    });
    let key = status.key.get_or_insert_default();
    key.masked_value = Some(summary.key.masked_value.clone());
    key.scopes = summary.key.scopes.clone();
    key.missing_scopes = summary
        .key
        .missing_scopes
        .iter()
        .map(|scope| scope.as_str().to_owned())
        .collect();
    key.too_broad = summary.key.too_broad.clone();
    status.latest_event = summary
        .latest_event
        .as_ref()
        .map(|event| LatestEventStatus {
            name: event.name.clone(),
            timestamp: event.timestamp,
        });
}
