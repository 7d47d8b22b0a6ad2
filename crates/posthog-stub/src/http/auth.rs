//! Who is asking and whether they may: PostHog's order is authentication, project and organisation
//! scoping, scope, project existence, membership (POSTHOG.md 2).

use super::answer::Answer;
use super::request::Request;
use super::route::Route;
use crate::world::World;
use crate::world::key::Key;
use crate::world::project::Project;

/// The key of a request.
pub(crate) fn authenticate<'w>(
    world: &'w World,
    request: &Request,
    site: &str,
) -> Result<&'w Key, Answer> {
    let header = request
        .header("authorization")
        .and_then(|value| value.strip_prefix("Bearer "));
    let (value, place) =
        if let Some(value) = header.map(str::trim).filter(|value| !value.is_empty()) {
            if looks_like_jwt(value) {
                return Err(unauthorized(
                    request,
                    site,
                    "authentication_failed",
                    "Token invalid.",
                ));
            }
            if value.starts_with("pha_") {
                return Err(unauthorized(
                    request,
                    site,
                    "authentication_failed",
                    "Invalid access token.",
                ));
            }
            (value.to_owned(), "Authorization header")
        } else if let Some(value) = request.body_text("/personal_api_key") {
            (value, "body")
        } else if let Some(value) = request.parameter("personal_api_key") {
            (value.to_owned(), "query string")
        } else {
            let detail = "Authentication credentials were not provided.";
            return Err(unauthorized(request, site, "not_authenticated", detail));
        };
    world
        .keys
        .iter()
        .find(|key| key.value == value && !key.revoked)
        .ok_or_else(|| {
            let detail = format!("Personal API key found in request {place} is invalid.");
            unauthorized(request, site, "authentication_failed", &detail)
        })
}

/// 401 with the challenge, except on `/query/`, whose first authenticator has no challenge: DRF makes that 403.
fn unauthorized(request: &Request, site: &str, code: &str, detail: &str) -> Answer {
    let kind = "authentication_error";
    if matches!(request.route, Route::Query { .. }) {
        return Answer::error(403, kind, code, detail);
    }
    let challenge =
        format!("Bearer resource_metadata=\"{site}/.well-known/oauth-protected-resource\"");
    Answer::error(401, kind, code, detail).header("www-authenticate", challenge)
}

fn looks_like_jwt(value: &str) -> bool {
    value.starts_with("ey") && value.split('.').count() == 3
}

/// The project of a nested route, once the key may use it for `scope`.
pub(crate) fn open_project<'w>(
    world: &'w World,
    key: &Key,
    id: &str,
    scope: &str,
) -> Result<&'w Project, Answer> {
    let found = find(world, key, id);
    if !key.scoped_teams.is_empty() {
        let project = found.ok_or_else(|| Answer::not_found("Project not found."))?;
        within_teams(key, project)?;
    }
    if let Some(project) = found {
        within_organization(key, project)?;
    }
    require(key, scope)?;
    let project = found.ok_or_else(|| Answer::not_found("Project not found."))?;
    if !is_member(key, project) {
        return Err(Answer::denied("You don't have access to the project."));
    }
    Ok(project)
}

/// The project of `GET /api/projects/:id/`, which says "Not found." where nested routes say "Project not found.".
pub(crate) fn read_project<'w>(
    world: &'w World,
    key: &Key,
    id: &str,
) -> Result<&'w Project, Answer> {
    if id != "@current" && id.parse::<u64>().is_err() {
        let detail = "A valid integer is required.";
        return Err(Answer::error(
            400,
            "validation_error",
            "invalid_input",
            detail,
        ));
    }
    let found = find(world, key, id).filter(|project| is_member(key, project));
    if let Some(project) = found {
        within_teams(key, project)?;
        within_organization(key, project)?;
    }
    require(key, "project:read")?;
    found.ok_or_else(|| Answer::not_found("Not found."))
}

fn find<'w>(world: &'w World, key: &Key, id: &str) -> Option<&'w Project> {
    let id = if id == "@current" {
        key.current_project
    } else {
        id.parse().ok()
    };
    world.project(id?)
}

fn is_member(key: &Key, project: &Project) -> bool {
    key.member_of
        .as_ref()
        .is_none_or(|projects| projects.contains(&project.id))
}

fn within_teams(key: &Key, project: &Project) -> Result<(), Answer> {
    if key.scoped_teams.is_empty() || key.scoped_teams.contains(&project.id) {
        return Ok(());
    }
    let detail = format!(
        "API key does not have access to the requested project: ID {}.",
        project.id
    );
    Err(Answer::denied(&detail))
}

fn within_organization(key: &Key, project: &Project) -> Result<(), Answer> {
    let organization = project.organization_id;
    if !key.scoped_organizations.is_empty() && !key.scoped_organizations.contains(&organization) {
        let detail = format!(
            "API key does not have access to the requested organization: ID {organization}."
        );
        return Err(Answer::denied(&detail));
    }
    if !project.allows_personal_keys {
        return Err(Answer::denied(&format!(
            "Organization '{}' does not allow using personal API keys. \
             Contact an admin to enable personal API keys for this organization.",
            project.organization_name
        )));
    }
    Ok(())
}

pub(crate) fn require(key: &Key, scope: &str) -> Result<(), Answer> {
    if key.grants(scope) {
        return Ok(());
    }
    Err(Answer::denied(&format!(
        "API key missing required scope '{scope}'"
    )))
}
