//! Puts the wanted time zone and mapping in force before anything is read, so that every stored
//! row is assigned by what the connection asks for now.

use std::collections::BTreeMap;

use domain::event::EventName;
use domain::mapping::{self, KnownEvent, Mapping, MappingSpec};
use domain::page_path::PathPattern;
use domain::storage::EpochRecord;
use domain::sync::Window;
use jiff::SignedDuration;

use crate::error::SyncError;
use crate::progress::Step;
use crate::project::Project;
use crate::session::Session;
use crate::settings::MappingPolicy;

/// What defaults look back on: "seen in the last 30 days".
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(24 * 30);
/// The pages that make a `$pageview` a product view.
const PRODUCT_PAGES: &str = "/products/*";

/// Rebuilds counts and assignments where the epoch's time zone or mapping is not the wanted one.
/// Returns how many events moved.
pub(crate) async fn settle(
    session: &Session<'_>,
    epoch: &EpochRecord,
    project: &Project,
) -> Result<u64, SyncError> {
    let zone = session
        .settings
        .time_zone
        .as_ref()
        .unwrap_or(&project.summary.time_zone);
    domain::day::time_zone(zone)?;
    session.begin(Step::Mapping)?;
    let store = &session.ctx.store;
    store.set_time_zone(session.lease(), zone).await?;
    let mapping = wanted(session, epoch, project).await?;
    // Also when it is in force already: an interrupted remap is finished by asking again.
    let moved = store.remap(session.lease(), &mapping).await?;
    if moved > 0 {
        tracing::info!(moved, "Stored events were assigned by the new mapping.");
    }
    Ok(moved)
}

async fn wanted(
    session: &Session<'_>,
    epoch: &EpochRecord,
    project: &Project,
) -> Result<Mapping, SyncError> {
    let policy = &session.settings.mapping;
    match (policy, &epoch.mapping) {
        (MappingPolicy::Fixed(mapping), _) => Ok(mapping.clone()),
        (_, Some(mapping)) if policy.accepts(mapping) => Ok(mapping.clone()),
        (MappingPolicy::Spec(spec), _) => resolve(session, spec, project).await,
    }
}

/// Asks which events the project has and chooses; what it chose stays for this spec.
async fn resolve(
    session: &Session<'_>,
    spec: &MappingSpec,
    project: &Project,
) -> Result<Mapping, SyncError> {
    let (asker, client) = (&session.asker, &session.ctx.client);
    let to = session.ctx.clock.now();
    let window = Window {
        from: to - LOOK_BACK,
        to,
    };
    let seen = asker
        .ask_in_parts((window, None), |part, _| {
            client.known_events(part.from, part.to)
        })
        .await?;
    let mut known = sum(seen.into_iter().flatten());
    if project.definitions_readable {
        match asker.ask(|| client.event_definitions()).await {
            Ok(definitions) => add_unseen(&mut known, definitions.into_iter().map(|d| d.name)),
            Err(SyncError::PostHog(error)) => {
                tracing::warn!(%error, "stages are chosen without the project's event definitions");
            }
            Err(error) => return Err(error),
        }
    }
    let paths = asker
        .ask_in_parts((window, None), |part, _| {
            client.product_page_paths(part.from, part.to)
        })
        .await?;
    let product_pageviews = PathPattern::parse(PRODUCT_PAGES)
        .is_ok_and(|pattern| paths.iter().flatten().any(|path| pattern.matches(path)));
    let resolution = mapping::resolve(spec, &known, product_pageviews);
    for note in &resolution.notes {
        tracing::info!(note, "The mapping changes a default.");
    }
    Ok(resolution.mapping)
}

/// One entry a name, over parts of the time.
fn sum(parts: impl Iterator<Item = KnownEvent>) -> Vec<KnownEvent> {
    let mut events: BTreeMap<EventName, u64> = BTreeMap::new();
    for part in parts {
        *events.entry(part.name).or_default() += part.events;
    }
    events
        .into_iter()
        .map(|(name, events)| KnownEvent { name, events })
        .collect()
}

fn add_unseen(known: &mut Vec<KnownEvent>, names: impl Iterator<Item = EventName>) {
    for name in names {
        if known.iter().all(|event| event.name != name) {
            known.push(KnownEvent { name, events: 0 });
        }
    }
}
