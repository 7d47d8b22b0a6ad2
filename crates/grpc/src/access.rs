//! Who may be read: a connection that lives, on a plan that admits PostHog.

use domain::clickmap::ClickmapRules;
use domain::plan::PlanStanding;
use domain::storage::{ConnectionRecord, ConnectionStore, EpochRecord};
use domain::{ConnectionName, day};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::errors::ApiError;

/// A connection whose events and identities may be answered.
#[derive(Debug, Clone)]
pub(crate) struct Readable {
    /// The epoch that reads are answered from.
    pub(crate) epoch: EpochRecord,
    /// The connection's name.
    pub(crate) name: ConnectionName,
    /// Whether it is to have clickmaps.
    has_clickmaps: bool,
}

impl Readable {
    /// The IANA zone whose days are counted.
    ///
    /// # Errors
    /// [`ApiError::NotSynced`] before the first run, when nothing has been counted.
    pub(crate) fn time_zone(&self) -> Result<&str, ApiError> {
        self.epoch
            .time_zone
            .as_deref()
            .ok_or_else(|| ApiError::NotSynced {
                name: self.name.clone(),
            })
    }

    /// The rules by which its clickmaps were made.
    ///
    /// # Errors
    /// [`ApiError::ClickmapsOff`] where there are to be none, [`ApiError::ClickmapsNotMade`] before the
    /// first run has ended.
    pub(crate) fn clickmap_rules(&self) -> Result<&ClickmapRules, ApiError> {
        let name = || self.name.clone();
        if !self.has_clickmaps {
            return Err(ApiError::ClickmapsOff { name: name() });
        }
        let rules = self.epoch.clickmap_rules.as_ref();
        rules.ok_or_else(|| ApiError::ClickmapsNotMade { name: name() })
    }

    /// The day that it is there.
    ///
    /// # Errors
    /// As [`Readable::time_zone`].
    pub(crate) fn today(&self) -> Result<Date, ApiError> {
        Ok(day::day_of(Timestamp::now(), &self.zone()?))
    }

    /// When a day begins there.
    ///
    /// # Errors
    /// As [`Readable::time_zone`].
    pub(crate) fn start_of(&self, day: Date) -> Result<Timestamp, ApiError> {
        Ok(day::day_bounds(day, &self.zone()?).0)
    }

    fn zone(&self) -> Result<TimeZone, ApiError> {
        day::time_zone(self.time_zone()?).map_err(|error| ApiError::Internal {
            detail: error.to_string(),
        })
    }
}

/// A connection that lives, whatever its plan.
pub(crate) async fn living<S: ConnectionStore + ?Sized>(
    store: &S,
    name: &ConnectionName,
) -> Result<ConnectionRecord, ApiError> {
    let record = store.connection(name).await?;
    let found = record.filter(is_living);
    found.ok_or_else(|| ApiError::ConnectionNotFound { name: name.clone() })
}

/// Whether it is answered from: one that was deleted is as if it were not there.
fn is_living(record: &ConnectionRecord) -> bool {
    record.deleted_at.is_none()
}

/// A connection that may be read, and the epoch to read.
pub(crate) async fn open<S: ConnectionStore + ?Sized>(
    store: &S,
    name: &ConnectionName,
) -> Result<Readable, ApiError> {
    let (record, epoch) = store
        .served(name)
        .await?
        .filter(|(record, _)| is_living(record))
        .ok_or_else(|| ApiError::ConnectionNotFound { name: name.clone() })?;
    match record.desired.plan {
        PlanStanding::Eligible { .. } => {}
        PlanStanding::TooLow { plan } => {
            return Err(ApiError::PlanTooLow {
                name: name.clone(),
                plan,
            });
        }
        PlanStanding::Unknown { label } => {
            return Err(ApiError::PlanUnknown {
                name: name.clone(),
                label: label.unwrap_or_default(),
            });
        }
    }
    let epoch = epoch.ok_or_else(|| ApiError::Internal {
        detail: format!(
            "the epoch {} that {name} is served from is not in the store",
            record.serving
        ),
    })?;
    Ok(Readable {
        epoch,
        has_clickmaps: record.desired.clickmaps.rules().is_some(),
        name: name.clone(),
    })
}
