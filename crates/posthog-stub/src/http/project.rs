//! `GET /api/projects/:id/` and the list, which a team-scoped key may not read.

use serde_json::{Value as Json, json};

use super::answer::Answer;
use super::auth;
use crate::world::World;
use crate::world::key::Key;
use crate::world::project::Project;

pub(crate) fn one(world: &World, key: &Key, id: &str) -> Result<Answer, Answer> {
    let project = auth::read_project(world, key, id)?;
    Ok(Answer::json(200, &body(project)))
}

pub(crate) fn list(world: &World, key: &Key) -> Result<Answer, Answer> {
    if !key.scoped_teams.is_empty() {
        let detail = "API keys with scoped projects are only supported on project-based endpoints.";
        return Err(Answer::denied(detail));
    }
    auth::require(key, "project:read")?;
    let results: Vec<Json> = world
        .projects()
        .filter(|project| {
            key.member_of
                .as_ref()
                .is_none_or(|own| own.contains(&project.id))
        })
        .map(body)
        .collect();
    let count = results.len();
    Ok(Answer::json(
        200,
        &json!({"count": count, "next": null, "previous": null, "results": results}),
    ))
}

fn body(project: &Project) -> Json {
    json!({
        "id": project.id,
        "organization": project.organization_id,
        "name": project.name,
        "product_description": null,
        "timezone": project.timezone_name(),
        "event_retention_months": project.event_retention_months,
        "events_retention_enforced": project.events_retention_enforced,
        "is_demo": false,
        "ingested_event": !project.events().is_empty(),
        "person_on_events_querying_enabled": true,
    })
}
