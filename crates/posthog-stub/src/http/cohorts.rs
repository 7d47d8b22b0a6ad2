//! `GET /api/projects/:id/cohorts/`: cohorts that are not deleted, newest first.

use serde_json::{Value as Json, json};

use super::answer::Answer;
use super::auth;
use super::page;
use super::request::Request;
use crate::world::World;
use crate::world::cohort::Cohort;
use crate::world::key::Key;

pub(crate) fn answer(
    world: &World,
    key: &Key,
    project: &str,
    request: &Request,
    site: &str,
) -> Result<Answer, Answer> {
    let project = auth::open_project(world, key, project, "cohort:read")?;
    let mut found: Vec<&Cohort> = project
        .cohorts()
        .values()
        .filter(|cohort| !cohort.deleted)
        .collect();
    found.sort_by_key(|cohort| std::cmp::Reverse((cohort.created_at, cohort.id)));
    let items: Vec<Json> = found.into_iter().map(item).collect();
    Ok(page::answer(request, site, &items))
}

fn item(cohort: &Cohort) -> Json {
    json!({
        "id": cohort.id,
        "name": cohort.name,
        "description": cohort.description,
        "groups": [],
        "deleted": false,
        "filters": cohort.filters,
        "query": null,
        "version": cohort.version,
        "pending_version": cohort.version,
        "is_calculating": cohort.is_calculating,
        "created_by": null,
        "created_at": cohort.created_at.to_string(),
        "last_calculation": cohort.last_calculation.map(|at| at.to_string()),
        "errors_calculating": cohort.errors_calculating,
        "last_error_message": null,
        "count": cohort.is_listed().then_some(cohort.people.len()),
        "is_static": cohort.is_static,
        "experiment_set": [],
    })
}
