//! Events by file exports: the same as by queries, whatever their properties are; the key never leaves
//! PostHog; every way in which an export ends is told.

mod support;

use std::collections::BTreeMap;

use domain::Event as Stored;
use domain::sync::{SliceEvents, Window};
use jiff::SignedDuration;
use posthog::{Client, Error, ExportFile, ExportState};
use posthog_stub::{
    Endpoint, Event, ExportOutcome, ExportPolicy, Fault, Key, Project, Property, PropertyType,
    Stub, StubHandle, World,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::*;
use uuid::Uuid;

const SCOPES: [&str; 3] = ["query:read", "project:read", "batch_export:write"];

async fn start_project(project: Project) -> Result<StubHandle, Box<dyn std::error::Error>> {
    let world = World::new()
        .with_project(project)
        .with_key(Key::new(KEY).scopes(SCOPES))
        .at(at(86_400));
    Ok(Stub::start(world).await?)
}

async fn shop() -> Result<(StubHandle, Client), Box<dyn std::error::Error>> {
    let mut project = Project::new(PROJECT, "Shop");
    for nth in 0..200 {
        project.capture(event("$pageview", "a", nth));
    }
    let stub = start_project(project).await?;
    let client = client(&stub)?;
    Ok((stub, client))
}

/// The week that holds noon.
fn received() -> Window {
    Window {
        from: at(-6 * 86_400),
        to: at(86_000),
    }
}

/// Waits for an export.
async fn ready(client: &Client, export: Uuid) -> Result<Vec<Uuid>, Error> {
    loop {
        if let ExportState::Ready { files, .. } = client.export_state(export).await? {
            return Ok(files);
        }
    }
}

/// The events of an export that are stamped on the day.
async fn exported(client: &Client) -> Result<Vec<Stored>, Error> {
    let columns = client.export_columns(day()).await?;
    let export = client.start_export(received()).await?;
    let mut events = Vec::new();
    for file in ready(client, export).await? {
        let file = ExportFile { export, file };
        let mut after = None;
        loop {
            let (sender, receiver) = std::sync::mpsc::channel();
            let deliver = move |page| sender.send(page).is_ok();
            after = client
                .read_export(file, &columns, day(), after, deliver)
                .await?;
            events.extend(receiver.into_iter().flat_map(|page| page.events));
            if after.is_none() {
                break;
            }
        }
    }
    events.sort_by_key(|event| event.uuid);
    Ok(events)
}

async fn queried(client: &Client) -> Result<Vec<Stored>, Error> {
    let mut events = read_all(client, &slice(day(), SliceEvents::All)).await?;
    events.sort_by_key(|event| event.uuid);
    Ok(events)
}

const PROPERTIES: [&str; 14] = [
    "$current_url",
    "$session_id",
    "$window_id",
    "$referrer",
    "$event_type",
    "$anon_distinct_id",
    "utm_source",
    "product_id",
    "sku",
    "price",
    "currency",
    "quantity",
    "customer_id",
    "weird `id`",
];

fn any_text() -> impl Strategy<Value = String> {
    let odd = [
        "",
        "null",
        "true",
        "false",
        "nan",
        "-inf",
        "19.90",
        "1e3",
        "+5",
        ".5",
        " 5",
        "0x10",
        "\"",
        "\"\"",
        "a\"b\\",
        "\n\t\u{1}\u{1f}\u{2028}",
        "größe/\u{1f600}",
        "[1]",
        "{\"a\": 1}",
    ];
    prop_oneof![
        prop::sample::select(odd.to_vec()).prop_map(str::to_owned),
        any::<String>(),
    ]
}

fn any_leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        // PostHog's ingestion is JavaScript, which keeps whole numbers up to this.
        (-(1_i64 << 53)..1 << 53).prop_map(Value::from),
        any::<f64>().prop_filter_map("JSON has no such number", |number| {
            // Nor has PostHog's JavaScript a negative zero.
            (number.is_finite() && number != 0.0).then(|| Value::from(number))
        }),
        (-10_000_000_i64..10_000_000).prop_map(|cents| Value::from(cents as f64 / 100.0)),
        any_text().prop_map(Value::from),
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    any_leaf().prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any_text(), inner, 0..4).prop_map(|fields| json!(fields)),
        ]
    })
}

#[derive(Debug, Clone)]
struct Made {
    name: &'static str,
    distinct_id: String,
    properties: BTreeMap<&'static str, Value>,
    chain: &'static str,
}

fn any_event() -> impl Strategy<Value = Made> {
    (
        prop::sample::select(&["$pageview", "$autocapture", "bought \"x\"\n"][..]),
        any_text().prop_filter("no id is empty", |id| !id.is_empty()),
        prop::collection::btree_map(prop::sample::select(&PROPERTIES[..]), any_value(), 0..10),
        prop::sample::select(&["", "a:href=\"/cart\"", "button:text=\"a \\\"b\\\"\";div"][..]),
    )
        .prop_map(|(name, distinct_id, properties, chain)| Made {
            name,
            distinct_id,
            properties,
            chain,
        })
}

fn any_types() -> impl Strategy<Value = BTreeMap<&'static str, PropertyType>> {
    let types = [
        ("price", PropertyType::Numeric),
        ("sku", PropertyType::Numeric),
        ("customer_id", PropertyType::Numeric),
        ("quantity", PropertyType::Boolean),
        ("customer_id", PropertyType::Boolean),
        ("utm_source", PropertyType::Boolean),
        ("$referrer", PropertyType::Boolean),
    ];
    let some = prop::collection::vec(prop::sample::select(types.to_vec()), 0..4);
    some.prop_map(|types| types.into_iter().collect())
}

async fn both(
    made: Vec<Made>,
    types: BTreeMap<&'static str, PropertyType>,
) -> Result<(Vec<Stored>, Vec<Stored>), Box<dyn std::error::Error>> {
    let mut project = Project::new(PROJECT, "Shop").timezone("Europe/Berlin");
    for (name, kind) in types {
        project.property_types.insert(name.to_owned(), kind);
    }
    for (nth, made) in made.into_iter().enumerate() {
        let nth = i64::try_from(nth)?;
        let mut event = Event::new(made.name, &made.distinct_id, at(nth / 2))
            .created_at(at(nth) + SignedDuration::from_micros(nth))
            .elements_chain(made.chain);
        for (name, value) in made.properties {
            event = event.property(name, Property::from(value));
        }
        project.insert(event);
    }
    let stub = start_project(project).await?;
    stub.set_exports(ExportPolicy {
        rows_a_file: 7,
        ..ExportPolicy::default()
    });
    let client = client(&stub)?;
    Ok((exported(&client).await?, queried(&client).await?))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_export_and_queries_give_the_same_events(
        made in prop::collection::vec(any_event(), 1..20),
        types in any_types(),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| TestCaseError::fail(error.to_string()))?;
        let outcome = runtime.block_on(both(made, types));
        let (exported, queried) = outcome.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(exported, queried);
    }
}

#[tokio::test]
async fn the_key_goes_to_posthog_alone_and_no_error_tells_a_files_address() -> TestResult {
    let (stub, client) = shop().await?;
    assert_eq!(exported(&client).await?, queried(&client).await?);
    let requests = stub.requests();
    let of = |endpoint| requests.iter().filter(move |r| r.endpoint == endpoint);
    assert_eq!(of(Endpoint::Bucket).count(), 1);
    assert!(of(Endpoint::Bucket).all(|request| !request.authorized && request.status == 200));
    assert!(of(Endpoint::ExportFile).all(|request| request.authorized));
    for fault in [
        Fault::Status {
            status: 403,
            body: "<Error/>".to_owned(),
        },
        Fault::Redirect {
            to: format!("{}/elsewhere", stub.url()),
        },
    ] {
        stub.faults().push(Endpoint::Bucket, fault);
        let error = failure(exported(&client).await)?;
        assert!(error.ends_exports(), "{error}");
        let text = format!("{error} {error:?}");
        assert!(text.contains("127.0.0.1"), "{text}");
        assert!(
            !text.contains("Signature") && !text.contains("batch-exports"),
            "{text}"
        );
    }
    let elsewhere = |r: &posthog_stub::LoggedRequest| r.path.contains("elsewhere");
    assert!(
        !stub.requests().iter().any(elsewhere),
        "a second redirect is not followed"
    );
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_kept_where_the_policy_forbids_is_not_fetched() -> TestResult {
    let (stub, client) = shop().await?;
    for (to, part) in [
        ("http://files.example/a?X-Amz-Signature=b", "plain http"),
        ("https://10.0.0.1/a?X-Amz-Signature=b", "not public"),
        ("/relative", "does not say where it is"),
    ] {
        let to = to.to_owned();
        stub.faults()
            .push(Endpoint::ExportFile, Fault::Redirect { to });
        let error = failure(exported(&client).await)?;
        assert!(error.to_string().contains(part), "{error}");
        assert!(error.ends_exports());
    }
    Ok(())
}

#[tokio::test]
async fn every_way_in_which_an_export_comes_to_nothing_is_told() -> TestResult {
    let (stub, client) = shop().await?;
    for (status, error, part) in [
        (
            "Failed",
            Some("Something went wrong"),
            "Something went wrong",
        ),
        ("FailedBilling", Some("over its limit"), "over its limit"),
        ("FailedRetryable", None, "does not say why"),
        ("TimedOut", None, "TimedOut"),
        ("Terminated", None, "Terminated"),
        ("Cancelled", None, "Cancelled"),
        ("SomethingNew", None, "SomethingNew"),
    ] {
        stub.set_exports(ExportPolicy {
            outcome: ExportOutcome::Ended { status, error },
            ..ExportPolicy::default()
        });
        let error = failure(exported(&client).await)?;
        assert_eq!(error.reason(), "ExportFailed");
        assert!(
            error.ends_exports() && error.to_string().contains(part),
            "{error}"
        );
    }
    stub.set_exports(ExportPolicy::default());
    for (endpoint, status, body, reason) in [
        (
            Endpoint::Exports,
            402,
            "{\"detail\": \"Pay first.\"}",
            "QuotaExceeded",
        ),
        (
            Endpoint::Exports,
            404,
            "{\"code\": \"not_found\", \"detail\": \"Endpoint not found.\"}",
            "NotPostHog",
        ),
        (
            Endpoint::Exports,
            403,
            "{\"code\": \"permission_denied\", \"detail\": \"Not on this plan.\"}",
            "NoProjectAccess",
        ),
        (
            Endpoint::ExportState,
            404,
            "{\"code\": \"not_found\", \"detail\": \"Not found.\"}",
            "ExportFailed",
        ),
        (
            Endpoint::ExportFile,
            400,
            "{\"code\": \"invalid_input\", \"detail\": \"This file download has expired\"}",
            "Refused",
        ),
    ] {
        let body = body.to_owned();
        stub.faults().push(endpoint, Fault::Status { status, body });
        let error = failure(exported(&client).await)?;
        assert_eq!(error.reason(), reason, "{error}");
        assert!(error.ends_exports(), "{error}");
    }
    assert_eq!(exported(&client).await?.len(), 200);
    Ok(())
}

#[tokio::test]
async fn no_more_exports_are_made_at_once_than_posthog_allows() -> TestResult {
    let (stub, client) = shop().await?;
    stub.set_exports(ExportPolicy {
        at_once: Some(1),
        ..ExportPolicy::default()
    });
    let first = client.start_export(received()).await?;
    let error = failure(client.start_export(received()).await)?;
    assert_eq!(error.reason(), "ExportsBusy");
    ready(&client, first).await?;
    client.start_export(received()).await?;
    Ok(())
}

#[tokio::test]
async fn a_key_without_the_scope_and_a_property_of_an_untold_type_end_exports() -> TestResult {
    let (stub, client) = shop().await?;
    stub.edit(|world| {
        if let Some(project) = world.project_mut(PROJECT) {
            let types = &mut project.property_types;
            types.insert("sku".to_owned(), PropertyType::DateTime);
        }
    });
    let error = failure(client.export_columns(day()).await)?;
    assert!(
        error.ends_exports() && error.to_string().contains("sku"),
        "{error}"
    );
    stub.edit(|world| {
        if let Some(key) = world.key_mut(KEY) {
            key.scopes = Some(vec!["query:read".to_owned()]);
        }
    });
    let error = failure(client.start_export(received()).await)?;
    assert!(
        error.ends_exports() && error.to_string().contains("batch_export:write"),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn a_file_that_breaks_off_is_gone_on_with_and_one_that_always_does_is_told() -> TestResult {
    let mut project = Project::new(PROJECT, "Shop");
    for nth in 0..9000 {
        project.capture(event("$pageview", "a", nth % 40_000));
    }
    let stub = start_project(project).await?;
    stub.set_exports(ExportPolicy {
        rows_a_file: 10_000,
        ..ExportPolicy::default()
    });
    let client = client(&stub)?;
    // More than a page is through by then.
    let bytes = 1_200_000;
    stub.faults()
        .push(Endpoint::Bucket, Fault::Truncated { bytes });
    let events = exported(&client).await?;
    assert_eq!(events.len(), 9000);
    stub.faults()
        .always(Endpoint::Bucket, Fault::Truncated { bytes: 300 });
    let error = failure(exported(&client).await)?;
    assert_eq!(error.reason(), "Truncated");
    assert!(
        !error.ends_exports() && error.is_outage(),
        "the network may be better later"
    );
    Ok(())
}

#[tokio::test]
async fn a_file_that_breaks_off_between_two_lines_is_not_taken_for_whole() -> TestResult {
    let (stub, client) = shop().await?;
    let export = client.start_export(received()).await?;
    let file = ready(&client, export).await?.remove(0);
    let http = reqwest::Client::builder().no_proxy().no_gzip().build()?;
    let url = format!(
        "{}/api/projects/{PROJECT}/file_download_batch_exports/{export}/download/{file}/",
        stub.url()
    );
    // reqwest takes the key off where a redirect leads to another host.
    let bytes = http.get(url).bearer_auth(KEY).send().await?.bytes().await?;
    let mut line = flate2::bufread::GzDecoder::new(&bytes[..]);
    std::io::copy(&mut line, &mut std::io::sink())?;
    let cut = bytes.len() - line.into_inner().len();
    assert!(cut > 100 && cut < bytes.len() / 50, "{cut}");
    stub.faults()
        .push_times(Endpoint::Bucket, 2, Fault::Truncated { bytes: cut });
    assert_eq!(exported(&client).await?.len(), 200);
    assert_eq!(stub.faults().remaining(), 0);
    Ok(())
}
