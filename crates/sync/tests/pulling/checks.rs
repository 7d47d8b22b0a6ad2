use domain::ApiHost;
use domain::check::OptionalScope;
use domain::sync::SyncMode;
use jiff::SignedDuration;
use posthog::{Client, ClientConfig, LocalGate};
use posthog_stub::{Endpoint, Event, Fault, Key, Project};
use std::sync::Arc;
use sync::{CheckError, CheckReport, CheckWarning, RegionProbe, check};

use crate::shop::{KEY, NOW, PROJECT, Shop, at, hasty_http, key};

async fn shop(scopes: Option<&[&str]>, with_event: bool) -> Shop {
    let mut project = Project::new(PROJECT, "Storefront").timezone("Europe/Berlin");
    if with_event {
        for hours in [-3, 5] {
            let stamp = at(NOW) + SignedDuration::from_hours(hours);
            project.capture(Event::new("$pageview", "a", stamp));
        }
    }
    let shop = Shop::open(project).await;
    if let Some(scopes) = scopes {
        shop.stub.edit(|world| {
            world.key_mut(KEY).unwrap().scopes =
                Some(scopes.iter().map(|&scope| scope.to_owned()).collect());
        });
    }
    shop
}

async fn save_and_test(shop: &Shop) -> Result<CheckReport, CheckError> {
    check(&shop.client(), None, at(NOW)).await
}

#[tokio::test]
async fn a_good_connection_is_described() {
    let all = [
        "query:read",
        "project:read",
        "event_definition:read",
        "cohort:read",
        "batch_export:write",
    ];
    let report = save_and_test(&shop(Some(&all), true).await).await.unwrap();
    assert_eq!(report.warnings, []);
    let summary = report.summary;
    assert_eq!(summary.project.name, "Storefront");
    assert_eq!(summary.project.time_zone, "Europe/Berlin");
    let latest = summary.latest_event.unwrap();
    assert_eq!(latest.name, "$pageview");
    assert_eq!(
        latest.timestamp,
        at(NOW) - SignedDuration::from_hours(3),
        "not one ahead of time"
    );
    assert!(summary.key.masked_value.starts_with("phx_"));
    assert!(!summary.key.masked_value.contains("0123456789"));
}

#[tokio::test]
async fn an_empty_project_is_a_warning() {
    let report = save_and_test(&shop(None, false).await).await.unwrap();
    assert!(report.warnings.contains(&CheckWarning::NoEventsYet));
    assert_eq!(report.summary.latest_event, None);
}

#[tokio::test]
async fn a_key_of_another_region_names_the_region_that_knows_it() {
    let (here, there) = (shop(None, true).await, shop(None, true).await);
    here.stub.edit(|world| world.revoke_key(KEY));
    let other = ApiHost::parse(there.stub.url()).unwrap();
    let key = key(KEY);
    let probe = RegionProbe {
        http: &here.http,
        key: &key,
        other: &other,
    };
    let error = check(&here.client(), Some(probe), at(NOW))
        .await
        .unwrap_err();
    assert_eq!(error.reason(), "WrongRegion");
    assert!(
        error.to_string().contains(&format!("set host to {other}")),
        "{error}"
    );

    there.stub.edit(|world| world.revoke_key(KEY));
    let error = check(&here.client(), Some(probe), at(NOW))
        .await
        .unwrap_err();
    assert_eq!(error.reason(), "InvalidApiKey", "neither knows it");
}

#[tokio::test]
async fn every_missing_scope_is_named_at_once() {
    let error = save_and_test(&shop(Some(&["cohort:read"]), true).await)
        .await
        .unwrap_err();
    assert_eq!(error.reason(), "MissingScope");
    let text = error.to_string();
    assert!(
        text.contains("query:read") && text.contains("project:read"),
        "{text}"
    );
}

#[tokio::test]
async fn optional_scopes_are_named_with_their_loss_and_broad_ones_as_too_broad() {
    let report = save_and_test(&shop(Some(&["query:read", "project:write"]), true).await)
        .await
        .unwrap();
    assert_eq!(report.summary.key.missing_scopes, OptionalScope::ALL);
    assert_eq!(report.summary.key.too_broad, ["project:write"]);
    let broad = CheckWarning::TooBroad {
        scopes: vec!["project:write".to_owned()],
    };
    assert!(report.warnings.contains(&broad));
    let everything = save_and_test(&shop(Some(&["*"]), true).await)
        .await
        .unwrap();
    assert_eq!(everything.summary.key.too_broad, ["*"]);
}

#[tokio::test]
async fn each_thing_that_is_wrong_has_its_own_reason() {
    let good = shop(None, true).await;
    good.stub.edit(|world| world.revoke_key(KEY));
    assert_eq!(
        save_and_test(&good).await.unwrap_err().reason(),
        "InvalidApiKey"
    );

    let good = shop(None, true).await;
    good.stub.edit(|world| world.remove_project(PROJECT));
    assert_eq!(
        save_and_test(&good).await.unwrap_err().reason(),
        "ProjectNotFound"
    );

    let good = shop(None, true).await;
    good.stub.edit(|world| {
        world.keys.clear();
        world.keys.push(Key::new(KEY).teams([1]));
    });
    assert_eq!(
        save_and_test(&good).await.unwrap_err().reason(),
        "NoProjectAccess"
    );

    for (fault, reason) in [
        (Fault::Html { status: 200 }, "NotPostHog"),
        (Fault::Hang, "Timeout"),
        (Fault::Truncated { bytes: 20 }, "Truncated"),
    ] {
        let mut good = shop(None, true).await;
        if fault == Fault::Hang {
            good.http = hasty_http();
        }
        good.stub.faults().always(Endpoint::Any, fault);
        assert_eq!(save_and_test(&good).await.unwrap_err().reason(), reason);
    }
}

#[tokio::test]
async fn a_host_where_nobody_listens_is_unreachable() {
    let good = shop(None, true).await;
    let client = Client::new(ClientConfig {
        host: ApiHost::parse("http://127.0.0.1:9").unwrap(),
        project: domain::ProjectId::try_from(1).unwrap(),
        key: key(KEY),
        http: good.http.clone(),
        gate: Arc::new(LocalGate::default()),
        reads_elements: true,
        id_properties: Vec::new(),
    });
    let error = check(&client, None, at(NOW)).await.unwrap_err();
    assert_eq!(error.reason(), "Unreachable");
}

#[tokio::test]
async fn a_check_of_the_same_project_number_on_another_host_is_not_trusted() {
    let shop = shop(None, true).await;
    let mut checked = save_and_test(&shop).await.unwrap().summary;
    checked.project.time_zone = "Asia/Kathmandu".to_owned();
    let (store, name) = (&shop.store, &shop.settings.desired.name);
    for (host, zone) in [
        (None, "Europe/Berlin"),
        (Some("https://eu.posthog.com"), "Europe/Berlin"),
        (Some(shop.stub.url()), "Asia/Kathmandu"),
    ] {
        checked.host = host.map(|host| ApiHost::parse(host).unwrap());
        store.record_check(name, &checked).await.unwrap();
        shop.run(SyncMode::Refresh).await.unwrap();
        let epoch = store.epoch(shop.id()).await.unwrap().unwrap();
        assert_eq!(epoch.time_zone.as_deref(), Some(zone), "{host:?}");
    }
}
