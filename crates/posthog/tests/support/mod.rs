//! A stand-in PostHog with a small shop, and a client of it.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use domain::identity::{IdProperty, IdPropertyKind};
use domain::sync::{Slice, SliceCursor, SliceEvents, Window};
use domain::{ApiHost, ApiKey, ProjectId};
use jiff::{SignedDuration, Timestamp};
use posthog::{Client, ClientConfig, Error, EventPage, Http, HttpConfig, LocalGate};
use posthog_stub::{Event, Key, Project, Stub, StubHandle, World};
use secrecy::SecretString;

/// What every test returns.
pub(crate) type TestResult = Result<(), Box<dyn StdError>>;

/// The key that opens the shop.
pub(crate) const KEY: &str = "phx_stand_in_key_0123456789";
/// The shop's project.
pub(crate) const PROJECT: u64 = 4242;

/// Noon of a quiet day.
pub(crate) fn noon() -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_767_268_800)
}

/// So many seconds after noon.
pub(crate) fn at(seconds: i64) -> Timestamp {
    noon() + SignedDuration::from_secs(seconds)
}

/// An event at so many seconds after noon.
pub(crate) fn event(name: &str, distinct_id: &str, seconds: i64) -> Event {
    Event::new(name, distinct_id, at(seconds))
}

/// A stand-in whose clock stands at noon, with these events captured in a project of this zone.
pub(crate) async fn start(zone: &str, events: Vec<Event>) -> Result<StubHandle, Box<dyn StdError>> {
    let mut project = Project::new(PROJECT, "Shop").timezone(zone);
    for event in events {
        project.capture(event);
    }
    let key = Key::new(KEY)
        .label("Ordinary")
        .scopes(["query:read", "project:read"]);
    let world = World::new().with_project(project).with_key(key).at(noon());
    Ok(Stub::start(world).await?)
}

/// Waits for answers as the product does, and hardly between two attempts.
pub(crate) fn patient() -> HttpConfig {
    HttpConfig {
        allow_insecure_hosts: vec!["127.0.0.1".to_owned()],
        backoff: Duration::from_millis(1),
        ..HttpConfig::default()
    }
}

/// Time limits so short that a test can wait for them; what is not about them may take longer on a busy
/// machine.
pub(crate) fn hasty() -> HttpConfig {
    HttpConfig {
        answer_timeout: Duration::from_millis(400),
        idle_timeout: Duration::from_millis(300),
        total_timeout: Duration::from_secs(5),
        ..patient()
    }
}

/// A client of whatever listens at this URL.
pub(crate) fn client_of(
    url: &str,
    key: &str,
    http: HttpConfig,
) -> Result<Client, Box<dyn StdError>> {
    client_through(url, key, Http::new(http)?)
}

/// The same through an HTTP client that others may share.
pub(crate) fn client_through(
    url: &str,
    key: &str,
    http: Http,
) -> Result<Client, Box<dyn StdError>> {
    Ok(Client::new(config(url, key, http)?))
}

/// A client of the stand-in that does not want to know what was clicked.
pub(crate) fn client_without_elements(stub: &StubHandle) -> Result<Client, Box<dyn StdError>> {
    let mut config = config(stub.url(), KEY, Http::new(patient())?)?;
    config.reads_elements = false;
    Ok(Client::new(config))
}

fn config(url: &str, key: &str, http: Http) -> Result<ClientConfig, Box<dyn StdError>> {
    let id_property = |kind, property: &str| IdProperty {
        kind,
        property: property.to_owned(),
    };
    Ok(ClientConfig {
        host: ApiHost::parse(url)?,
        project: ProjectId::try_from(i64::try_from(PROJECT)?)?,
        key: ApiKey::parse(&SecretString::from(key))?.0,
        http,
        gate: Arc::new(LocalGate::default()),
        reads_elements: true,
        id_properties: vec![
            id_property(IdPropertyKind::Customer, "customer_id"),
            id_property(IdPropertyKind::Anonymous, "weird `id`"),
        ],
    })
}

/// A client of the stand-in with the right key.
pub(crate) fn client(stub: &StubHandle) -> Result<Client, Box<dyn StdError>> {
    client_of(stub.url(), KEY, patient())
}

/// The day of noon.
pub(crate) fn day() -> Window {
    Window {
        from: at(-12 * 3600),
        to: at(12 * 3600),
    }
}

/// All events of a kind in a window.
pub(crate) fn slice(window: Window, events: SliceEvents) -> Slice {
    Slice {
        from: window.from,
        to: window.to,
        arrived_since: None,
        events,
        part: None,
        expected_rows: 0,
        export: None,
    }
}

/// Every event of a slice, answer by answer.
pub(crate) async fn read_all(client: &Client, slice: &Slice) -> Result<Vec<domain::Event>, Error> {
    let mut events = Vec::new();
    let mut after = None;
    loop {
        let (pages, more) = read_once(client, slice, after).await?;
        events.extend(pages.into_iter().flat_map(|page| page.events));
        after = more;
        if after.is_none() {
            return Ok(events);
        }
    }
}

/// The pages of one answer, and where to go on.
pub(crate) async fn read_once(
    client: &Client,
    slice: &Slice,
    after: Option<SliceCursor>,
) -> Result<(Vec<EventPage>, Option<SliceCursor>), Error> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let deliver = move |page| sender.send(page).is_ok();
    let more = client.read(slice, after, deliver).await?;
    Ok((receiver.into_iter().collect(), more))
}

/// The error of an outcome that must be one.
pub(crate) fn failure<T>(outcome: Result<T, Error>) -> Result<Error, Box<dyn StdError>> {
    outcome.err().ok_or_else(|| "it succeeded".into())
}
