use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use k8s_openapi::api::events::v1::Event as Published;
use kube::Api;
use kube::api::{ListParams, PostParams};
use kube::core::{ObjectMeta, Status};
use prometheus_client::registry::Registry;
use test_kubernetes::Server;

use super::*;

fn server() -> &'static Server {
    Server::shared().unwrap()
}

fn config(namespace: &str) -> OperatorConfig {
    let yaml =
        format!("namespace: {namespace}\njob: {{image: x, database: {{name: db, key: url}}}}");
    OperatorConfig {
        identity: "ordinary-posthog-operator-0".to_owned(),
        ..OperatorConfig::from_yaml(&yaml).unwrap()
    }
}

fn event(note: &str) -> Event {
    Event {
        kind: EventType::Warning,
        reason: "InvalidApiKey",
        action: "Check",
        note: note.to_owned(),
    }
}

/// An object to tell of.
async fn something(namespace: &str) -> ObjectReference {
    let api: Api<ConfigMap> = Api::namespaced(server().client().unwrap(), namespace);
    let object = ConfigMap {
        metadata: ObjectMeta {
            name: Some("storefront".to_owned()),
            ..ObjectMeta::default()
        },
        ..ConfigMap::default()
    };
    let made = api.create(&PostParams::default(), &object).await.unwrap();
    made.object_ref(&())
}

fn count(registry: &Registry, outcome: &str) -> u64 {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
    let series = format!("ordinary_posthog_kubernetes_events_total{{outcome=\"{outcome}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&series));
    line.unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_same_event_again_is_told_once_with_a_count() {
    let namespace = server().namespace("events", &[]).await.unwrap();
    let about = something(&namespace).await;
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let events = Events::new(server().client().unwrap(), &config(&namespace), metrics);
    let long = format!("Invalid API key {}", "ä".repeat(LONGEST_NOTE));
    for _ in 0..3 {
        events.publish_about(&about, &event(&long));
        events.drained().await;
    }
    let api: Api<Published> = Api::namespaced(server().client().unwrap(), &namespace);
    let published = api.list(&ListParams::default()).await.unwrap().items;
    assert_eq!(published.len(), 1, "{published:?}");
    let one = &published[0];
    assert_eq!(one.series.as_ref().map(|series| series.count), Some(3));
    assert_eq!(one.reason.as_deref(), Some("InvalidApiKey"));
    assert_eq!(one.type_.as_deref(), Some("Warning"));
    assert_eq!(one.reporting_controller.as_deref(), Some(FIELD_MANAGER));
    assert_eq!(count(&registry, "published"), 3);
}

#[tokio::test]
async fn forbidden_events_are_counted_and_harm_nothing() {
    let namespace = server().namespace("events", &[]).await.unwrap();
    let about = something(&namespace).await;
    let accounts: Api<ServiceAccount> = Api::namespaced(server().client().unwrap(), &namespace);
    let account = ServiceAccount {
        metadata: ObjectMeta {
            name: Some("powerless".to_owned()),
            ..ObjectMeta::default()
        },
        ..ServiceAccount::default()
    };
    accounts
        .create(&PostParams::default(), &account)
        .await
        .unwrap();
    let client = server().client_of(&namespace, "powerless").await.unwrap();
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let events = Events::new(client, &config(&namespace), metrics);
    for _ in 0..40 {
        events.publish_about(&about, &event("Invalid API key"));
    }
    events.drained().await;
    assert_eq!(count(&registry, "refused"), 40);
    assert!(events.publisher.is_forbidden.load(Ordering::Relaxed));
}

#[tokio::test]
async fn that_events_are_forbidden_is_told_once_until_one_is_published_again() {
    let events = Events::new(
        server().client().unwrap(),
        &config("acme"),
        Metrics::default(),
    );
    let publisher = &events.publisher;
    let refusal = |message: &str| {
        kube::Error::Api(Box::new(
            Status::failure(message, "Forbidden").with_code(403),
        ))
    };
    let forbidden = refusal("events.events.k8s.io is forbidden");
    // Nobody's mistake: no warning at all.
    let going =
        refusal("unable to create new content in namespace acme because it is being terminated");
    let told = [&going, &forbidden, &forbidden, &going].map(|error| publisher.tell("Check", error));
    assert_eq!(told, [false, true, false, false]);
    publisher.is_forbidden.store(false, Ordering::Relaxed);
    assert!(publisher.tell("Check", &forbidden));
}

#[test]
fn a_note_is_cut_where_an_event_takes_no_more_and_between_letters() {
    assert_eq!(shorten("short"), "short");
    let long = "ä".repeat(LONGEST_NOTE);
    assert_eq!(shorten(&long).len(), LONGEST_NOTE);
    let odd = format!("a{long}");
    assert_eq!(shorten(&odd).len(), LONGEST_NOTE - 1);
}
