//! What a Job of the operator pulls: a connection that is in the store already, as the store has it.

use domain::ConnectionId;
use domain::storage::ConnectionStore;

use crate::error::SyncError;
use crate::settings::Settings;

/// The settings with everything that the store knows as wanted in place of what the caller read
/// elsewhere, earlier: plan, suspension, bounds. Writes nothing, so that a connection that was
/// disconnected meanwhile stays so.
///
/// # Errors
/// [`SyncError::NotRegistered`] and [`SyncError::Disconnected`] when there is nothing to pull any
/// more, [`SyncError::Moved`] when the connection now reads another project.
pub async fn registered(
    store: &dyn ConnectionStore,
    settings: Settings,
) -> Result<Settings, SyncError> {
    let name = &settings.desired.name;
    let record = store.connection(name).await?;
    let Some(record) = record else {
        return Err(SyncError::NotRegistered);
    };
    if record.deleted_at.is_some() {
        return Err(SyncError::Disconnected);
    }
    if record.target != ConnectionId::of(name, &settings.desired.epoch) {
        return Err(SyncError::Moved {
            to: record.desired.epoch,
        });
    }
    Ok(Settings {
        desired: record.desired,
        ..settings
    })
}
