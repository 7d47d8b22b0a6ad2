//! `GET /api/projects/:id/event_definitions/`: filters, order and paging (POSTHOG.md 3.1).

use std::cmp::Ordering;

use serde_json::{Value as Json, json};

use super::answer::Answer;
use super::auth;
use super::page;
use super::request::Request;
use crate::world::World;
use crate::world::definition::EventDefinition;
use crate::world::key::Key;

pub(crate) fn answer(
    world: &World,
    key: &Key,
    project: &str,
    request: &Request,
    site: &str,
) -> Result<Answer, Answer> {
    let project = auth::open_project(world, key, project, "event_definition:read")?;
    let search = request
        .parameter("search")
        .unwrap_or_default()
        .to_lowercase();
    let kind = request.parameter("event_type").unwrap_or("all");
    let hidden_too = request.parameter("exclude_hidden") != Some("true");
    let mut found: Vec<EventDefinition> = project
        .event_definitions()
        .into_values()
        .filter(|definition| hidden_too || !definition.hidden)
        .filter(|definition| {
            let name = definition.name.to_lowercase();
            search.split_whitespace().all(|word| name.contains(word))
        })
        .filter(|definition| match kind {
            "event_custom" => !definition.name.starts_with('$'),
            "event_posthog" => definition.name.starts_with('$'),
            "action_event" => false,
            _ => true,
        })
        .collect();
    sort(&mut found, request.parameter("ordering"));
    let items: Vec<Json> = found.iter().map(item).collect();
    Ok(page::answer(request, site, &items))
}

fn sort(found: &mut [EventDefinition], ordering: Option<&str>) {
    let seen =
        |one: &EventDefinition, two: &EventDefinition| one.last_seen_at.cmp(&two.last_seen_at);
    let name = |one: &EventDefinition, two: &EventDefinition| one.name.cmp(&two.name);
    // By default the newest day first, then by name: the time of day does not count.
    let day = |definition: &EventDefinition| {
        definition
            .last_seen_at
            .map(|at| at.as_second().div_euclid(86_400))
    };
    found.sort_by(|one, two| -> Ordering {
        match ordering {
            Some("name") => name(one, two),
            Some("-name") => name(two, one),
            Some("last_seen_at") => seen(one, two),
            Some("-last_seen_at") => seen(two, one),
            _ => day(two).cmp(&day(one)).then_with(|| name(one, two)),
        }
    });
}

fn item(definition: &EventDefinition) -> Json {
    json!({
        "id": definition.id,
        "name": definition.name,
        "created_at": definition.created_at.to_string(),
        "last_seen_at": definition.last_seen_at.map(|at| at.to_string()),
        "last_updated_at": definition.created_at.to_string(),
        "tags": definition.tags,
        "is_action": false,
        "action_id": null,
        "hidden": definition.hidden,
        "verified": false,
        "post_to_slack": false,
        "default_columns": [],
    })
}
