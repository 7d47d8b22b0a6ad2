use posthog_stub::{Cohort, EventDefinition};
use serde_json::{Value, json};

use super::{at, body, get, started};

fn names(answer: &Value) -> Vec<&str> {
    answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_project_tells_its_zone_and_retention_with_or_without_a_trailing_slash() {
    let stub = started().await;
    stub.edit(|world| world.project_mut(1).unwrap().event_retention_months = Some(12));
    for path in ["/api/projects/1/", "/api/projects/1"] {
        let answer = body(get(&stub, path).await).await;
        assert_eq!(answer["id"], 1);
        assert_eq!(answer["name"], "Shop");
        assert_eq!(answer["timezone"], "Europe/Berlin");
        assert_eq!(answer["event_retention_months"], 12);
    }
}

#[tokio::test]
async fn event_definitions_are_paged_filtered_and_ordered() {
    let stub = started().await;
    stub.edit(|world| {
        let mut hidden = EventDefinition::new("old thing", at("2020-01-01T00:00:00Z"), None);
        hidden.hidden = true;
        world.project_mut(1).unwrap().declare(hidden);
    });
    let list = |parameters: &'static str| {
        let stub = &stub;
        async move {
            body(
                get(
                    stub,
                    &format!("/api/projects/1/event_definitions/?{parameters}"),
                )
                .await,
            )
            .await
        }
    };
    let all = list("").await;
    assert_eq!(all["count"], 3);
    assert_eq!(names(&all), ["order \"x\"", "$pageview", "old thing"]);
    assert!(all["results"][0]["last_seen_at"].is_string());
    assert_eq!(
        names(&list("exclude_hidden=true&ordering=name").await),
        ["$pageview", "order \"x\""]
    );
    assert_eq!(
        names(&list("event_type=event_custom&ordering=-name").await),
        ["order \"x\"", "old thing"]
    );
    assert_eq!(names(&list("search=page").await), ["$pageview"]);
    let first = list("limit=2&ordering=name").await;
    assert_eq!(names(&first), ["$pageview", "old thing"]);
    let next = first["next"]
        .as_str()
        .unwrap()
        .strip_prefix(stub.url())
        .unwrap()
        .to_owned();
    let second = body(get(&stub, &next).await).await;
    assert_eq!(names(&second), ["order \"x\""]);
    assert_eq!(second["next"], json!(null));
    assert!(second["previous"].is_string());
}

#[tokio::test]
async fn cohorts_are_listed_without_the_deleted() {
    let stub = started().await;
    stub.edit(|world| {
        let project = world.project_mut(1).unwrap();
        let people: Vec<_> = project.persons().keys().copied().collect();
        project.add_cohort(Cohort::new(1, "Buyers").people(people));
        project.add_cohort(Cohort::new(2, "Uploaded").fixed());
        let mut deleted = Cohort::new(3, "Gone");
        deleted.deleted = true;
        project.add_cohort(deleted);
    });
    let answer = body(get(&stub, "/api/projects/1/cohorts/").await).await;
    assert_eq!(names(&answer), ["Uploaded", "Buyers"]);
    assert_eq!(answer["results"][0]["is_static"], true);
    assert_eq!(answer["results"][1]["count"], 2);
    assert_eq!(answer["results"][1]["version"], 1);
}

#[tokio::test]
async fn a_cohort_tells_of_each_computation() {
    let stub = started().await;
    stub.edit(|world| {
        let mut fresh = Cohort::new(1, "Buyers").filters(json!({"properties": {"type": "AND"}}));
        (fresh.version, fresh.is_calculating) = (None, true);
        world.project_mut(1).unwrap().add_cohort(fresh);
    });
    let first = body(get(&stub, "/api/projects/1/cohorts/").await).await["results"][0].clone();
    assert_eq!(first["count"], json!(null));
    assert_eq!(first["is_calculating"], true);
    assert_eq!(first["filters"], json!({"properties": {"type": "AND"}}));
    let computed_at = at("2026-01-02T00:00:00Z");
    stub.edit(|world| {
        let project = world.project_mut(1).unwrap();
        let people: Vec<_> = project.persons().keys().copied().collect();
        let cohort = project.cohort_mut(1).unwrap();
        cohort.recalculate(people, computed_at);
        cohort.is_calculating = false;
    });
    let then = body(get(&stub, "/api/projects/1/cohorts/").await).await["results"][0].clone();
    assert_eq!((&then["count"], &then["version"]), (&json!(2), &json!(1)));
    assert_eq!(then["last_calculation"], json!(computed_at.to_string()));
}
