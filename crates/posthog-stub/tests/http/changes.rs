use posthog_stub::shop::Shop;
use posthog_stub::{Event, Key, Stub, World};
use serde_json::json;

use super::{KEY, ask, at, body, client, get, started};

#[tokio::test]
async fn the_world_changes_under_a_running_server() {
    let stub = started().await;
    let count = async || {
        body(ask(&stub, "select count() from events limit 1").await).await["results"][0][0]
            .as_i64()
            .unwrap()
    };
    assert_eq!(count().await, 3);
    stub.edit(|world| {
        let project = world.project_mut(1).unwrap();
        project.capture(Event::new("earlier", "ada", at("2026-01-01T00:00:00Z")));
    });
    assert_eq!(count().await, 4);
    let bounded = "select count() from events where timestamp < '2026-02-01' limit 1";
    assert_eq!(
        body(ask(&stub, bounded).await).await["results"],
        json!([[1]]),
        "an early event is found by its time"
    );
    let removed = stub.edit(|world| {
        world
            .project_mut(1)
            .unwrap()
            .retain_events(|event| event.event.as_str() != "$pageview")
    });
    assert_eq!((removed, count().await), (2, 2));
    assert_eq!(
        stub.read(|world| world.project(1).unwrap().events().len()),
        2
    );
}

#[tokio::test]
async fn a_merge_moves_the_person_of_past_events() {
    let stub = started().await;
    let persons = async || {
        body(ask(&stub, "select uniq(person_id) from events limit 1").await).await["results"][0][0]
            .clone()
    };
    assert_eq!(persons().await, json!(2));
    stub.edit(|world| world.project_mut(1).unwrap().merge("bob", "ada"));
    assert_eq!(persons().await, json!(1));
}

#[tokio::test]
async fn a_deleted_person_leaves_no_trace() {
    let stub = started().await;
    stub.edit(|world| {
        let project = world.project_mut(1).unwrap();
        let ada = project.distinct_ids()["ada"].person_id;
        project.delete_person(ada, true);
    });
    let left = body(ask(&stub, "select distinct_id from events limit 9").await).await;
    assert_eq!(left["results"], json!([["bob"]]));
    let links = body(ask(&stub, "select distinct_id from person_distinct_ids limit 9").await).await;
    assert_eq!(links["results"], json!([["bob"]]));
}

#[tokio::test]
async fn after_shutdown_nobody_answers() {
    let stub = started().await;
    let url = format!("{}/api/projects/1/", stub.url());
    let client = client();
    let first = client.get(&url).bearer_auth(KEY).send().await.unwrap();
    assert_eq!(first.status(), 200);
    first.bytes().await.unwrap();
    stub.shutdown().await;
    assert!(
        client.get(&url).bearer_auth(KEY).send().await.is_err(),
        "the kept connection is cut too"
    );
    assert!(
        super::client()
            .get(&url)
            .bearer_auth(KEY)
            .send()
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_generated_shop_is_served() {
    let shop = Shop {
        events: 5_000,
        ..Shop::new(at("2026-03-03T00:00:00Z"))
    };
    let world = World::new()
        .with_project(shop.generate())
        .with_key(Key::new(KEY))
        .at(shop.now);
    let stub = Stub::start(world).await.unwrap();
    assert_eq!(
        body(get(&stub, "/api/projects/4242/").await).await["name"],
        "Linden & Loom"
    );
    let asked = super::query(
        "select event, count() as n from events group by event order by n desc limit 3",
    );
    let answer = body(
        super::post(&stub, "/api/projects/4242/query/", &asked)
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(answer["results"][0][0], "$pageview");
}
