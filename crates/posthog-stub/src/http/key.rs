//! `GET /api/personal_api_keys/@current/`: a key sees itself, whatever its scopes. Nothing else is open to keys.

use axum::http::Method;
use serde_json::json;

use super::answer::Answer;
use crate::world::key::Key;

pub(crate) fn answer(method: &Method, id: Option<&str>, key: &Key) -> Answer {
    if *method != Method::GET || id != Some("@current") {
        return Answer::denied("This action does not support personal API key access");
    }
    let scopes = key.scopes.clone().unwrap_or_else(|| vec!["*".to_owned()]);
    Answer::json(
        200,
        &json!({
            "id": "stand-in-key",
            "label": key.label,
            "description": "",
            "value": null,
            "mask_value": key.mask_value(),
            "created_at": key.created_at.to_string(),
            "last_used_at": null,
            "last_rolled_at": null,
            "user_id": 1,
            "is_legacy_hashing": false,
            "scopes": scopes,
            "scoped_teams": key.scoped_teams,
            "scoped_organizations": key.scoped_organizations,
            "local_dev_value": null,
        }),
    )
}
