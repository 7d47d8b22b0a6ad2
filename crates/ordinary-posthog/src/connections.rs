//! From documents to connections that can be checked and pulled.

use std::path::PathBuf;
use std::sync::Arc;

use documents::{Documents, LoadedConnection, Loader, Refused};
use domain::storage::Store;
use domain::{ConnectionName, Plan};
use jiff::{SignedDuration, Timestamp};
use posthog::{Client, ClientConfig, Gate, Http, HttpConfig, LocalGate};
use sync::{
    CheckReport, MappingPolicy, RefreshPolicy, RegionProbe, Scheduled, Settings, Share, StoreGate,
};

use crate::exit::{Exit, Failure};
use crate::settings::{DocumentSettings, PostHogSettings};

/// Reads the files once.
///
/// # Errors
/// All problems of all files.
pub(crate) fn load(settings: &DocumentSettings) -> Result<Vec<Scheduled>, Failure> {
    let documents = loader(&settings.files).load().map_err(refused)?;
    Ok(scheduled(documents, settings.default_plan))
}

/// A loader of these files, to load again when they change.
pub(crate) fn loader(files: &[PathBuf]) -> Loader {
    Loader::new(files.to_vec())
}

/// The failure that refused documents are; its message has one line a problem.
pub(crate) fn refused(refused: Refused) -> Failure {
    let exit = if refused.is_only_wrong_keys() {
        Exit::WrongKindOfKey
    } else {
        Exit::Configuration
    };
    Failure::new(exit, refused)
}

/// Logs the warnings of a load and gives its connections.
pub(crate) fn scheduled(documents: Documents, default_plan: Plan) -> Vec<Scheduled> {
    for warning in &documents.warnings {
        tracing::warn!("{warning}");
    }
    documents
        .connections
        .into_iter()
        .map(|loaded| one(loaded, default_plan))
        .collect()
}

fn one(loaded: LoadedConnection, default_plan: Plan) -> Scheduled {
    let plan = loaded.plan(default_plan);
    let valid = loaded.valid;
    // Validation bounds both to a day, far from what cannot be converted.
    let signed =
        |length| SignedDuration::try_from(length).unwrap_or(SignedDuration::from_hours(24));
    Scheduled {
        settings: Settings {
            mapping: MappingPolicy::Spec(valid.mapping.clone()),
            time_zone: valid
                .time_zone
                .as_ref()
                .and_then(|zone| zone.iana_name())
                .map(str::to_owned),
            refresh: RefreshPolicy {
                interval: signed(valid.refresh.interval),
                lookback: signed(valid.refresh.lookback),
            },
            cohorts: valid.cohorts,
            backfill_via: valid.backfill.via,
            desired: valid.into_desired(plan),
        },
        key: loaded.key,
        refresh_requested: loaded.refresh_requested,
    }
}

/// The process's HTTP client.
///
/// # Errors
/// When the CA bundle cannot be read.
pub(crate) fn http(settings: &PostHogSettings) -> Result<Http, Failure> {
    Ok(Http::new(HttpConfig {
        ca_bundle: settings.ca_bundle.clone(),
        allow_insecure_hosts: settings.allow_insecure_host.clone(),
        ..HttpConfig::default()
    })?)
}

/// A client of the connection's project whose requests pass `gate`.
pub(crate) fn client(connection: &Scheduled, http: &Http, gate: Arc<dyn Gate>) -> Client {
    let desired = &connection.settings.desired;
    Client::new(ClientConfig {
        host: desired.epoch.host.clone(),
        project: desired.epoch.project_id,
        key: connection.key.clone(),
        http: http.clone(),
        gate,
        reads_elements: desired.clickmaps.rules().is_some(),
        id_properties: desired.id_properties.clone(),
    })
}

/// A client that shares the project's budget with every process on the store.
pub(crate) fn run_client(connection: &Scheduled, http: &Http, store: &Arc<dyn Store>) -> Client {
    let epoch = connection.settings.desired.epoch.clone();
    let gate = StoreGate::new(Arc::clone(store), epoch, Share::Run);
    client(connection, http, Arc::new(gate))
}

/// "Save and test" without a store.
///
/// # Errors
/// A plan too low, or what PostHog refused.
pub(crate) async fn check(
    connection: &Scheduled,
    http: &Http,
    settings: &PostHogSettings,
) -> Result<CheckReport, Failure> {
    sync::admit(&connection.settings.desired)?;
    let client = client(connection, http, Arc::new(LocalGate::default()));
    let other = posthog::region::other(client.host(), &connection.key);
    let other = other.filter(|_| !settings.no_region_probe);
    let probe = other.as_ref().map(|other| RegionProbe {
        http,
        key: &connection.key,
        other,
    });
    Ok(sync::check::check(&client, probe, Timestamp::now()).await?)
}

/// The connection that an argument names.
///
/// # Errors
/// How to write it.
pub(crate) fn parse_name(given: &str) -> Result<ConnectionName, String> {
    match given.split_once('/') {
        Some((namespace, name)) if crd::is_dns_label(namespace) && crd::is_dns_subdomain(name) => {
            Ok(ConnectionName::new(namespace, name))
        }
        _ => Err("write a namespace and a name, such as acme/storefront".to_owned()),
    }
}
