use posthog_stub::{Key, Stub, World};
use serde_json::json;

use super::{
    KEY, ask, body, client, error, get, post, project, query, started, started_with, told,
};

const INVALID: &str = "Personal API key found in request Authorization header is invalid.";
const FAILED: &str = "authentication_error";

#[tokio::test]
async fn a_key_sees_itself_whatever_its_scopes() {
    let stub = started_with(
        Key::new(KEY)
            .label("Ordinary")
            .scopes(["query:read"])
            .teams([1]),
    )
    .await;
    let answer = body(get(&stub, "/api/personal_api_keys/@current/").await).await;
    assert_eq!(answer["scopes"], json!(["query:read"]));
    assert_eq!(answer["scoped_teams"], json!([1]));
    assert_eq!(answer["label"], "Ordinary");
    assert_eq!(answer["value"], json!(null));
    assert_eq!(answer["mask_value"], "phx_...cdef");
    let everything = started().await;
    assert_eq!(
        body(get(&everything, "/api/personal_api_keys/@current").await).await["scopes"],
        json!(["*"])
    );
    let refused = client()
        .delete(format!("{}/api/personal_api_keys/@current/", stub.url()))
        .bearer_auth(KEY)
        .send()
        .await
        .unwrap();
    let detail = "This action does not support personal API key access";
    assert_eq!(
        error(refused).await,
        told(403, FAILED, "permission_denied", detail)
    );
}

#[tokio::test]
async fn a_bad_key_is_403_on_query_and_401_with_a_challenge_elsewhere() {
    let stub = started().await;
    stub.edit(|world| assert!(world.revoke_key(KEY)));
    let elsewhere = get(&stub, "/api/personal_api_keys/@current/").await;
    let challenge = elsewhere.headers()["www-authenticate"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        challenge,
        format!(
            "Bearer resource_metadata=\"{}/.well-known/oauth-protected-resource\"",
            stub.url()
        )
    );
    assert_eq!(
        error(elsewhere).await,
        told(401, FAILED, "authentication_failed", INVALID)
    );
    let on_query = ask(&stub, "select 1").await;
    assert!(!on_query.headers().contains_key("www-authenticate"));
    assert_eq!(
        error(on_query).await,
        told(403, FAILED, "authentication_failed", INVALID)
    );
}

#[tokio::test]
async fn a_missing_key_is_not_authenticated() {
    let stub = started().await;
    let detail = "Authentication credentials were not provided.";
    let elsewhere = client()
        .get(format!("{}/api/projects/1/", stub.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(
        error(elsewhere).await,
        told(401, FAILED, "not_authenticated", detail)
    );
    let on_query = client()
        .post(format!("{}/api/projects/1/query/", stub.url()))
        .body(query("select 1").to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(
        error(on_query).await,
        told(403, FAILED, "not_authenticated", detail)
    );
}

#[tokio::test]
async fn keys_of_other_kinds_look_invalid() {
    let stub = started().await;
    let with = |key: &'static str| {
        let request = client()
            .get(format!("{}/api/projects/1/", stub.url()))
            .bearer_auth(key);
        async move { error(request.send().await.unwrap()).await }
    };
    assert_eq!(with("phc_public").await.3, INVALID);
    assert_eq!(with("phs_secret").await.3, INVALID);
    assert_eq!(with("pha_token").await.3, "Invalid access token.");
    assert_eq!(with("eyJhbGciOi.eyJzdWIiOi.c2ln").await.3, "Token invalid.");
}

#[tokio::test]
async fn a_key_in_the_body_or_the_query_string_is_read_too() {
    let stub = started().await;
    let url = |key: &str| format!("{}/api/projects/1/?personal_api_key={key}", stub.url());
    assert_eq!(client().get(url(KEY)).send().await.unwrap().status(), 200);
    let refused = error(client().get(url("phx_wrong")).send().await.unwrap()).await;
    assert_eq!(
        refused.3,
        "Personal API key found in request query string is invalid."
    );
    let mut in_body = query("select 1");
    in_body["personal_api_key"] = json!("phx_wrong");
    let sent = client()
        .post(format!("{}/api/projects/1/query/", stub.url()))
        .body(in_body.to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(
        error(sent).await.3,
        "Personal API key found in request body is invalid."
    );
}

#[tokio::test]
async fn a_missing_scope_is_named_and_write_implies_read() {
    let stub = started_with(Key::new(KEY).scopes(["project:write"])).await;
    assert_eq!(get(&stub, "/api/projects/1/").await.status(), 200);
    for (path, scope) in [
        (
            "/api/projects/1/event_definitions/",
            "event_definition:read",
        ),
        ("/api/projects/1/cohorts/", "cohort:read"),
    ] {
        let detail = format!("API key missing required scope '{scope}'");
        assert_eq!(
            error(get(&stub, path).await).await,
            told(403, FAILED, "permission_denied", &detail)
        );
    }
    assert_eq!(
        error(ask(&stub, "select 1").await).await.3,
        "API key missing required scope 'query:read'"
    );
}

#[tokio::test]
async fn an_empty_scope_list_opens_nothing() {
    let stub = started_with(Key::new(KEY).scopes(Vec::<String>::new())).await;
    assert_eq!(get(&stub, "/api/projects/1/").await.status(), 403);
    assert_eq!(
        get(&stub, "/api/personal_api_keys/@current/")
            .await
            .status(),
        200
    );
}

#[tokio::test]
async fn project_scoping_comes_before_scopes() {
    let stub = started_with(Key::new(KEY).scopes(["cohort:read"]).teams([2])).await;
    let outside = "API key does not have access to the requested project: ID 1.";
    assert_eq!(
        error(ask(&stub, "select 1").await).await,
        told(403, FAILED, "permission_denied", outside)
    );
    assert_eq!(error(get(&stub, "/api/projects/1/").await).await.3, outside);
    let lists = "API keys with scoped projects are only supported on project-based endpoints.";
    assert_eq!(error(get(&stub, "/api/projects/").await).await.3, lists);
}

#[tokio::test]
async fn organisations_may_refuse_keys_and_members_may_lack_access() {
    let stub = started_with(Key::new(KEY).member_of([2])).await;
    assert_eq!(
        error(ask(&stub, "select 1").await).await.3,
        "You don't have access to the project."
    );
    assert_eq!(
        error(get(&stub, "/api/projects/1/").await).await,
        told(404, "invalid_request", "not_found", "Not found.")
    );
    stub.edit(|world| world.project_mut(1).unwrap().allows_personal_keys = false);
    assert!(
        error(ask(&stub, "select 1").await)
            .await
            .3
            .starts_with("Organization 'Stand-in organisation' does not allow")
    );
    let scoped = started_with(Key::new(KEY).organizations([uuid::Uuid::nil()])).await;
    assert!(
        error(ask(&scoped, "select 1").await)
            .await
            .3
            .starts_with("API key does not have access to the requested organization: ID ")
    );
}

#[tokio::test]
async fn unknown_projects_and_paths_have_their_own_texts() {
    let stub = started().await;
    let not_found = |detail| told(404, "invalid_request", "not_found", detail);
    let nested = post(&stub, "/api/projects/99/query/", &query("select 1"))
        .await
        .unwrap();
    assert_eq!(error(nested).await, not_found("Project not found."));
    let named = post(&stub, "/api/projects/shop/query/", &query("select 1"))
        .await
        .unwrap();
    assert_eq!(error(named).await, not_found("Project not found."));
    assert_eq!(
        error(get(&stub, "/api/projects/99/").await).await,
        not_found("Not found.")
    );
    assert_eq!(
        error(get(&stub, "/api/nonsense/").await).await,
        not_found("Endpoint not found.")
    );
    assert_eq!(get(&stub, "/api/projects/shop/").await.status(), 400);
    assert_eq!(get(&stub, "/api/projects/1/query/").await.status(), 405);
}

#[tokio::test]
async fn two_stubs_are_two_regions() {
    let us = started().await;
    let eu = Stub::start(
        World::new()
            .with_project(project())
            .with_key(Key::new("phx_eu")),
    )
    .await
    .unwrap();
    assert_eq!(
        get(&us, "/api/personal_api_keys/@current/").await.status(),
        200
    );
    assert_eq!(
        error(get(&eu, "/api/personal_api_keys/@current/").await)
            .await
            .3,
        INVALID
    );
}
