//! GetFunnel: events by day and stage, from PostHog where it feeds the stage.

use std::collections::BTreeMap;

use domain::funnel::{CHECKOUT_LOOK_BACK_DAYS, checkout_feed, funnel};
use domain::mapping::{SILENT_DAYS, is_silent, known_since, renamed_since};
use domain::storage::{DailyStageCount, EpochRecord};
use domain::{EventName, Mapping, PostHogStage};
use jiff::Span;
use jiff::civil::Date;

use super::EventServer;
use crate::access::Readable;
use crate::answer;
use crate::check::{check_connection, check_days};
use crate::errors::ApiError;
use crate::proto::v1;
use crate::reads::ReadStore;

impl<S: ReadStore + ?Sized> EventServer<S> {
    pub(super) async fn funnel(
        &self,
        request: v1::GetFunnelRequest,
    ) -> Result<v1::GetFunnelResponse, ApiError> {
        let name = check_connection("parent", &request.parent)?;
        let days = check_days(request.start_date, request.end_date)?;

        let readable = self.reads.open(&name).await?;
        let today = readable.today()?;
        let range = days.as_of(today)?;
        let epoch = &readable.epoch;
        let mapping = epoch.mapping.as_ref().ok_or(ApiError::NotSynced { name })?;
        let counts = self
            .reads
            .store
            .daily_stage_counts(epoch.id, range.from, range.to)
            .await?;
        let recent = self.recent(epoch, today).await?;
        let checkout = checkout_feed(mapping, &recent);
        let renamed = self.renamed(&readable, mapping, &recent, today).await?;
        let days = std::iter::successors(Some(range.from), |day| day.tomorrow().ok())
            .take_while(|day| *day < range.to);
        let verdicts = self.day_verdicts(epoch, range.from, range.to).await?;
        let (stages, days) = answer::funnel(
            funnel(mapping, &counts, checkout, days),
            mapping,
            &renamed,
            &verdicts,
        );
        Ok(v1::GetFunnelResponse {
            stages,
            days,
            time_zone: readable.time_zone()?.to_owned(),
        })
    }

    /// The stages' counts by which today decides, whatever days are asked for.
    async fn recent(
        &self,
        epoch: &EpochRecord,
        today: Date,
    ) -> Result<Vec<DailyStageCount>, ApiError> {
        let after_today = today.saturating_add(Span::new().days(1));
        let from = after_today.saturating_sub(Span::new().days(CHECKOUT_LOOK_BACK_DAYS));
        let store = &self.reads.store;
        Ok(store
            .daily_stage_counts(epoch.id, from, after_today)
            .await?)
    }

    /// Stages whose event may have been renamed. Names are only counted where a stage is silent.
    async fn renamed(
        &self,
        readable: &Readable,
        mapping: &Mapping,
        recent: &[DailyStageCount],
        today: Date,
    ) -> Result<BTreeMap<PostHogStage, EventName>, ApiError> {
        let after_today = today.saturating_add(Span::new().days(1));
        let from = after_today.saturating_sub(Span::new().days(SILENT_DAYS));
        let mut in_stage: BTreeMap<PostHogStage, u64> = BTreeMap::new();
        for count in recent.iter().filter(|count| count.day >= from) {
            *in_stage.entry(count.stage).or_default() += count.events;
        }
        let is_silent = |stage| is_silent(mapping, stage, &in_stage);
        if !PostHogStage::ALL.into_iter().any(is_silent) {
            return Ok(BTreeMap::new());
        }
        let (store, id) = (&self.reads.store, readable.epoch.id);
        let counts = store.daily_event_counts(id, from, after_today, &[]).await?;
        let known = known_since(&counts, from);
        let since = readable.start_of(from)?;
        Ok(renamed_since(&**store, id, mapping, &known, &in_stage, since).await?)
    }
}
