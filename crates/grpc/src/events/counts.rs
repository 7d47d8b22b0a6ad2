//! ListDailyEventCounts: pages of counts by (day, name).

use std::collections::HashMap;

use domain::EventName;
use domain::storage::{DailyEventCount, EpochRecord};
use jiff::Span;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::EventServer;
use crate::answer::{DayVerdicts, date, mapped_stage, stage};
use crate::check::{DayRange, check_connection, check_days, check_event_names};
use crate::errors::ApiError;
use crate::paging::{check_page_size, fill};
use crate::proto::v1;
use crate::reads::ReadStore;
use crate::token::Scope;

/// Days that are counted at once: a page seldom needs more, and a long range of many names
/// would otherwise be read whole for each page.
const DAYS_AT_ONCE: i64 = 31;

/// The place of a count in the order (day, name).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct CountKey(Date, EventName);

impl<S: ReadStore + ?Sized> EventServer<S> {
    pub(super) async fn daily_event_counts(
        &self,
        mut request: v1::ListDailyEventCountsRequest,
    ) -> Result<v1::ListDailyEventCountsResponse, ApiError> {
        let name = check_connection("parent", &request.parent)?;
        let days = check_days(request.start_date, request.end_date)?;
        let names = check_event_names(&request.event_names)?;
        let size = check_page_size(request.page_size)?;
        let token = std::mem::take(&mut request.page_token);
        request.page_size = 0;

        let readable = self.reads.open(&name).await?;
        let days = days.as_of(readable.today()?)?;
        let time_zone = readable.time_zone()?.to_owned();
        let scope = Scope::page("ListDailyEventCounts", &request, Some(&readable.epoch));
        let after: Option<CountKey> = self.reads.cursor(&scope, &token).await?;
        let counts = self
            .counts_after(&readable.epoch, days, &names, after.as_ref(), size + 1)
            .await?;
        let verdicts = self
            .day_verdicts(&readable.epoch, days.from, days.to)
            .await?;
        let counts = self.described(&readable.epoch, counts, &verdicts).await?;
        let page = fill(counts, size);
        // Days without a count are told too: nothing may be stored of what PostHog has.
        let first = after.map_or(days.from, |key| key.0);
        let last = match &page.last {
            Some(key) => key.0,
            None => days.to.saturating_sub(Span::new().days(1)),
        };
        Ok(v1::ListDailyEventCountsResponse {
            next_page_token: self.reads.next_token(&scope, page.last.as_ref()).await?,
            daily_event_counts: page.rows,
            time_zone,
            day_recounts: verdicts.recounts(first, last),
        })
    }

    async fn counts_after(
        &self,
        epoch: &EpochRecord,
        days: DayRange,
        names: &[EventName],
        after: Option<&CountKey>,
        limit: usize,
    ) -> Result<Vec<DailyEventCount>, ApiError> {
        let mut found = Vec::new();
        let mut from = after.map_or(days.from, |key| key.0);
        while from < days.to && found.len() < limit {
            let to = from
                .saturating_add(Span::new().days(DAYS_AT_ONCE))
                .min(days.to);
            let counts = self
                .reads
                .store
                .daily_event_counts(epoch.id, from, to, names)
                .await?;
            found.extend(counts.into_iter().filter(|count| {
                after.is_none_or(|after| (count.day, &count.name) > (after.0, &after.1))
            }));
            from = to;
        }
        found.truncate(limit);
        Ok(found)
    }

    /// The counts with what is known of their names and days.
    async fn described(
        &self,
        epoch: &EpochRecord,
        counts: Vec<DailyEventCount>,
        verdicts: &DayVerdicts,
    ) -> Result<Vec<(CountKey, v1::DailyEventCount)>, ApiError> {
        let (Some(first), Some(last)) = (counts.first(), counts.last()) else {
            return Ok(Vec::new());
        };
        let (from, to) = (first.day, last.day.saturating_add(Span::new().days(1)));
        let mut in_stage = HashMap::new();
        for count in self
            .reads
            .store
            .daily_stage_counts(epoch.id, from, to)
            .await?
        {
            in_stage.insert((count.day, count.name), (count.stage, count.events));
        }
        let described = counts.into_iter().map(|count| {
            let key = CountKey(count.day, count.name);
            let counted = in_stage.get(&(key.0, key.1.clone())).copied();
            let mapped = counted
                .map(|(stage, _)| stage)
                .or_else(|| mapped_stage(epoch.mapping.as_ref(), key.1.as_str()));
            let row = v1::DailyEventCount {
                day: Some(date(key.0)),
                event: key.1.as_str().to_owned(),
                event_count: count.events,
                order_like: domain::recogniser::is_order_like(key.1.as_str()),
                stage: mapped.map_or(v1::FunnelStage::Unspecified, stage).into(),
                stage_event_count: counted.map_or(0, |(_, events)| events),
                completeness: verdicts.of(key.0).into(),
            };
            (key, row)
        });
        Ok(described.collect())
    }

    /// What recounts have proven of the days `[from, to)` of the epoch's time zone.
    pub(super) async fn day_verdicts(
        &self,
        epoch: &EpochRecord,
        from: Date,
        to: Date,
    ) -> Result<DayVerdicts, ApiError> {
        let zone = domain::day::time_zone(epoch.time_zone.as_deref().unwrap_or("UTC")).map_err(
            |error| ApiError::Internal {
                detail: error.to_string(),
            },
        )?;
        let (from, to) = DayVerdicts::padded(from, to);
        let verdicts = self.reads.store.verdicts(epoch.id, from, to).await?;
        Ok(DayVerdicts::new(verdicts, zone))
    }
}
