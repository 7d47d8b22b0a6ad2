//! GetFunnel: events by day and stage, from PostHog where it feeds the stage.

use domain::Mapping;
use domain::funnel::{CHECKOUT_LOOK_BACK_DAYS, Feed, checkout_feed, funnel};
use domain::storage::EpochRecord;
use jiff::Span;
use jiff::civil::Date;

use super::EventServer;
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
        let checkout = self.checkout(epoch, mapping, today).await?;
        let days = std::iter::successors(Some(range.from), |day| day.tomorrow().ok())
            .take_while(|day| *day < range.to);
        let verdicts = self.day_verdicts(epoch, range.from, range.to).await?;
        let (stages, days) =
            answer::funnel(funnel(mapping, &counts, checkout, days), mapping, &verdicts);
        Ok(v1::GetFunnelResponse {
            stages,
            days,
            time_zone: readable.time_zone()?.to_owned(),
        })
    }

    /// Who feeds Checkout started today, whatever days are asked for.
    async fn checkout(
        &self,
        epoch: &EpochRecord,
        mapping: &Mapping,
        today: Date,
    ) -> Result<Feed, ApiError> {
        let after_today = today.saturating_add(Span::new().days(1));
        let from = after_today.saturating_sub(Span::new().days(CHECKOUT_LOOK_BACK_DAYS));
        let recent = self
            .reads
            .store
            .daily_stage_counts(epoch.id, from, after_today)
            .await?;
        Ok(checkout_feed(mapping, &recent))
    }
}
