//! An object that does not fit this version of the type, such as one that an older definition let in: it
//! harms nobody else, and whoever looks at it is told.

use crd::{Condition, ConditionStatus, reasons};
use jiff::Timestamp;
use kube::api::{ApiResource, DynamicObject, PatchParams};
use kube::core::error_boundary::InvalidObject;
use kube::runtime::controller::Action;
use kube::runtime::events::EventType;
use kube::{Api, Resource};
use serde_json::json;

use crate::annotations::FIELD_MANAGER;
use crate::context::Context;
use crate::error::{Error, describe};
use crate::events::Event;
use crate::patch;

/// Tells in status, and if that is refused in an Event, that the object cannot be read; then waits
/// until it changes.
pub(crate) async fn tell(ctx: &Context, invalid: &InvalidObject) -> Result<Action, Error> {
    let meta = &invalid.metadata;
    let (Some(namespace), Some(name)) = (&meta.namespace, &meta.name) else {
        return Err(Error::Incomplete("name"));
    };
    let message = message(&invalid.error);
    tracing::warn!(
        namespace,
        name,
        message,
        "A PostHogConnection cannot be read."
    );
    ctx.slots.leave(&format!("{namespace}/{name}"), |creating| {
        ctx.places_taken(creating)
    });
    let kind = ApiResource::erase::<crd::PostHogConnection>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(ctx.client.clone(), namespace, &kind);
    let object = match api.get_opt(name).await {
        Ok(Some(object)) if object.metadata.uid == meta.uid => object,
        Ok(_) => return Ok(Action::await_change()),
        Err(error) => return Err(Error::api("read the connection")(error)),
    };
    let wanted = conditions(meta.generation, &message, ctx.clock.now());
    if is_told(&object, &message) {
        return Ok(Action::await_change());
    }
    let operations = json!([
        {"op": "test", "path": "/metadata/uid", "value": meta.uid},
        {"op": "add", "path": "/status", "value": {
            "observedGeneration": meta.generation,
            "conditions": wanted,
        }},
    ]);
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    if let Err(error) = api
        .patch_status(name, &params, &patch::json(operations)?)
        .await
    {
        // The API server may not take any more what it took before.
        tracing::debug!(
            namespace,
            name,
            error = describe(&error),
            "Nor can its status be written."
        );
    }
    let event = Event {
        kind: EventType::Warning,
        reason: reasons::INVALID_SPEC,
        action: "Read",
        note: message,
    };
    ctx.events.publish_about(&object.object_ref(&kind), &event);
    Ok(Action::await_change())
}

fn message(error: &str) -> String {
    format!(
        "The object does not fit this version's definition ({}): apply it again in the form that kubectl explain posthogconnection shows",
        crd::quoted(error)
    )
}

fn conditions(generation: Option<i64>, message: &str, now: Timestamp) -> Vec<Condition> {
    [
        (crd::STALLED, ConditionStatus::True),
        (crd::READY, ConditionStatus::False),
    ]
    .into_iter()
    .map(|(kind, status)| Condition {
        kind: kind.to_owned(),
        status,
        observed_generation: generation,
        last_transition_time: Timestamp::from_second(now.as_second()).unwrap_or(now),
        reason: reasons::INVALID_SPEC.to_owned(),
        message: message.to_owned(),
    })
    .collect()
}

fn is_told(object: &DynamicObject, message: &str) -> bool {
    let conditions = object.data["status"]["conditions"].as_array();
    conditions.is_some_and(|all| all.iter().any(|condition| condition["message"] == message))
}
