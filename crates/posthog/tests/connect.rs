//! What "Save and test" learns: the key, the project, the latest event, and what stands in the way.

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::SignedDuration;
use posthog::{Error, Http, region};
use posthog_stub::{Endpoint, EventDefinition, Fault, Key, Project};
use support::*;

#[tokio::test]
async fn a_good_connection_tells_key_project_and_latest_event() -> TestResult {
    let stub = start(
        "Europe/Berlin",
        vec![event("$pageview", "a", -30), event("late", "a", -90)],
    )
    .await?;
    let client = client(&stub)?;
    let key = client.key_info().await?;
    assert_eq!((key.label.as_str(), key.scoped_teams), ("Ordinary", None));
    assert_eq!(key.scopes, ["query:read", "project:read"]);
    assert!(key.masked_value.starts_with("phx_...") && !key.masked_value.contains("stand"));
    let project = client.project().await?;
    assert_eq!(
        (project.id, project.time_zone.as_str()),
        (4242, "Europe/Berlin")
    );
    let latest = client.latest_event(noon()).await?.ok_or("no event")?;
    assert_eq!(
        (latest.name.as_str(), latest.timestamp),
        ("$pageview", at(-30))
    );
    let cost = client.cost();
    assert_eq!(cost.requests, 3);
    assert!(cost.bytes_received > 0 && cost.bytes_read > 0);
    Ok(())
}

#[tokio::test]
async fn the_latest_event_is_found_however_old_it_is_and_never_in_the_future() -> TestResult {
    let stub = start("UTC", vec![event("ahead", "a", 3600)]).await?;
    let client = client(&stub)?;
    assert_eq!(client.latest_event(noon()).await?, None);
    for seconds in [-400 * 86_400, -20 * 86_400, -7200, -60] {
        stub.edit(|world| {
            let project = world.project_mut(PROJECT)?;
            project.capture(event("real", "a", seconds));
            Some(())
        });
        let latest = client.latest_event(noon()).await?.ok_or("no event")?;
        assert_eq!(latest.timestamp, at(seconds));
    }
    Ok(())
}

#[tokio::test]
async fn an_unknown_key_is_invalid_on_every_endpoint_although_the_status_differs() -> TestResult {
    let stub = start("UTC", Vec::new()).await?;
    let client = client_of(stub.url(), "phx_nobody_knows_this", patient())?;
    let errors = [
        failure(client.key_info().await)?,
        failure(client.project().await)?,
        failure(client.latest_event(noon()).await)?,
    ];
    for error in errors {
        assert!(matches!(error, Error::InvalidApiKey { .. }), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("phx_nobody"));
    }
    let statuses: Vec<u16> = stub
        .requests()
        .iter()
        .map(|request| request.status)
        .collect();
    assert_eq!(statuses, [401, 401, 403]);
    Ok(())
}

#[tokio::test]
async fn each_missing_scope_is_named_and_write_implies_read() -> TestResult {
    let stub = start("UTC", Vec::new()).await?;
    let client = client(&stub)?;
    let scopes = |scopes: Option<Vec<&str>>| {
        stub.edit(|world| {
            let key = world.key_mut(KEY)?;
            key.scopes = scopes.map(|list| list.into_iter().map(str::to_owned).collect());
            Some(())
        })
    };
    scopes(Some(vec!["project:read"]));
    let error = failure(client.latest_event(noon()).await)?;
    assert!(matches!(error, Error::MissingScope { scope } if scope == "query:read"));
    scopes(Some(vec!["query:read"]));
    let error = failure(client.project().await)?;
    assert!(matches!(error, Error::MissingScope { scope } if scope == "project:read"));
    let error = failure(client.event_definitions().await)?;
    assert!(matches!(error, Error::MissingScope { scope } if scope == "event_definition:read"));
    scopes(Some(Vec::new()));
    assert!(client.key_info().await?.scopes.is_empty());
    assert!(client.project().await.is_err());
    scopes(None);
    assert_eq!(client.key_info().await?.scopes, ["*"]);
    scopes(Some(vec!["project:write"]));
    assert!(client.project().await.is_ok());
    Ok(())
}

#[tokio::test]
async fn a_project_out_of_reach_keeps_posthogs_reason() -> TestResult {
    let stub = start("UTC", Vec::new()).await?;
    let client = client(&stub)?;
    stub.edit(|world| {
        world.add_project(Project::new(7, "Other"));
        world.key_mut(KEY)?.scoped_teams = vec![7];
        Some(())
    });
    for error in [
        failure(client.project().await)?,
        failure(client.latest_event(noon()).await)?,
    ] {
        assert!(
            matches!(&error, Error::NoProjectAccess { reason, .. } if reason.contains("4242")),
            "{error:?}"
        );
    }
    assert_eq!(client.key_info().await?.scoped_teams, Some(vec![7]));
    stub.edit(|world| {
        world.key_mut(KEY)?.scoped_teams = Vec::new();
        world.project_mut(PROJECT)?.allows_personal_keys = false;
        Some(())
    });
    let error = failure(client.project().await)?;
    assert!(
        matches!(&error, Error::NoProjectAccess { reason, .. } if reason.contains("does not allow")),
        "{error:?}"
    );
    stub.edit(|world| world.remove_project(PROJECT));
    for error in [
        failure(client.project().await)?,
        failure(client.latest_event(noon()).await)?,
    ] {
        assert!(matches!(error, Error::ProjectNotFound { .. }), "{error:?}");
    }
    Ok(())
}

#[tokio::test]
async fn only_the_region_that_knows_a_key_says_so() -> TestResult {
    let (here, there) = (
        start("UTC", Vec::new()).await?,
        start("UTC", Vec::new()).await?,
    );
    there.edit(|world| world.keys.push(Key::new("phx_of_the_other_region")));
    let http = Http::new(patient())?;
    let key = domain::ApiKey::parse(&"phx_of_the_other_region".into())?.0;
    for (stub, known) in [(&here, false), (&there, true)] {
        let host = domain::ApiHost::parse(stub.url())?;
        assert_eq!(region::knows(&http, &host, &key).await?, known);
        assert_eq!(region::other(&host, &key), None, "no Cloud host");
    }
    Ok(())
}

#[test]
fn only_prefixed_keys_of_cloud_hosts_have_another_region_to_ask() -> TestResult {
    let us = domain::ApiHost::parse("https://us.posthog.com")?;
    let prefixed = domain::ApiKey::parse(&"phx_of_the_other_region".into())?.0;
    let legacy = domain::ApiKey::parse(&"a".repeat(43).into())?.0;
    let other = region::other(&us, &prefixed);
    assert_eq!(
        other,
        Some(domain::ApiHost::parse("https://eu.i.posthog.com")?)
    );
    assert_eq!(region::other(&us, &legacy), None);
    Ok(())
}

#[tokio::test]
async fn every_definition_is_read_page_by_page_though_one_is_seen_meanwhile() -> TestResult {
    let stub = start("UTC", vec![event("seen", "a", 0)]).await?;
    let ago = |days: i64| noon() - SignedDuration::from_hours(24 * days);
    let seen = |number: i64, days: i64| {
        EventDefinition::new(&format!("event {number}"), ago(2_000), Some(ago(days)))
    };
    stub.edit(|world| {
        world.key_mut(KEY)?.scopes = None;
        let project = world.project_mut(PROJECT)?;
        for number in 0..1_100 {
            project.declare(seen(number, number + 1));
        }
        Some(())
    });
    let second = Fault::Delay(Duration::from_secs(1));
    stub.faults()
        .push_after(Endpoint::EventDefinitions, 1, 1, second);
    let client = client(&stub)?;
    let occurs = async {
        while stub.requests().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        stub.edit(|world| {
            world.project_mut(PROJECT)?.declare(seen(700, 0));
            Some(())
        });
    };
    let (definitions, ()) = tokio::join!(client.event_definitions(), occurs);
    let definitions = definitions?;
    let names: BTreeSet<&str> = definitions.iter().map(|it| it.name.as_str()).collect();
    assert_eq!((names.len(), definitions.len()), (1_101, 1_101));
    assert_eq!(client.cost().requests, 3);
    let first = definitions.iter().find(|it| it.name.as_str() == "event 0");
    let times = first.map(|it| (it.created_at, it.last_seen_at));
    assert_eq!(times, Some((Some(ago(2_000)), Some(ago(1)))));
    Ok(())
}
