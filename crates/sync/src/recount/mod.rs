//! The daily recount that proves completeness: compares PostHog's distinct events of whole UTC
//! days with the stored ones, and says which days must be read again.

mod removal;
pub(crate) mod rules;

use std::collections::{BTreeMap, BTreeSet};

use domain::storage::DayVerdict;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use self::removal::Gone;
use self::rules::{Bounds, Call, Counts, Scope};
use crate::error::SyncError;
use crate::progress::Step;
use crate::session::Session;
use crate::summary::Completeness;

/// Days counted by one query.
const DAYS_PER_QUERY: usize = 31;

/// What one recount is to do.
pub(crate) struct Recount<'a> {
    /// Where the earliest complete backfill began.
    pub(crate) covered_from: Timestamp,
    /// Up to where the run has read.
    pub(crate) read_to: Timestamp,
    /// Months after which PostHog no longer answers with events, where it enforces that.
    pub(crate) project_months: Option<u32>,
    /// Every day, as a backfill's end asks; else what is due.
    pub(crate) all: bool,
    /// The days that this run has read again.
    pub(crate) repulled: &'a BTreeSet<Date>,
}

/// What a recount found.
#[derive(Default)]
pub(crate) struct Recounted {
    /// Days that must be read again.
    pub(crate) repull: BTreeSet<Date>,
    /// Events removed because PostHog deleted them.
    pub(crate) removed: u64,
}

impl Recount<'_> {
    fn scope(&self, session: &Session<'_>) -> Option<Scope> {
        Scope::of(&Bounds {
            covered_from: self.covered_from,
            read_to: self.read_to,
            now: session.ctx.clock.now(),
            retention_days: session.settings.desired.retention_days,
            project_months: self.project_months,
        })
    }

    /// Counts the days that are due. A failure of PostHog's is logged, proves nothing and is
    /// made good by the next recount.
    pub(crate) async fn run(&self, session: &Session<'_>) -> Result<Recounted, SyncError> {
        let mut found = Recounted::default();
        let Some(scope) = self.scope(session) else {
            return Ok(found);
        };
        let earlier = verdicts(session, scope).await?;
        let due = self.due(session, scope, &earlier);
        if due.is_empty() {
            return Ok(found);
        }
        session.begin(Step::Recounting)?;
        for chunk in chunks(&due) {
            match self.count(session, chunk, &earlier, &mut found).await {
                Err(SyncError::PostHog(error)) if error.wants_smaller_query() => {
                    tracing::warn!(%error, "a day is too heavy for PostHog to count");
                }
                Err(SyncError::PostHog(error)) => {
                    tracing::warn!(%error, "some days are not counted now");
                    break;
                }
                other => other?,
            }
        }
        Ok(found)
    }

    fn due(
        &self,
        session: &Session<'_>,
        scope: Scope,
        earlier: &BTreeMap<Date, DayVerdict>,
    ) -> Vec<Date> {
        let (now, interval) = (session.ctx.clock.now(), session.settings.refresh.interval);
        let due = rules::days_due(scope, earlier, now, interval, self.all);
        let mut due = BTreeSet::from_iter(due);
        due.extend(scope.days().filter(|day| self.repulled.contains(day)));
        due.into_iter().collect()
    }

    async fn count(
        &self,
        session: &Session<'_>,
        days: &[Date],
        earlier: &BTreeMap<Date, DayVerdict>,
        found: &mut Recounted,
    ) -> Result<(), SyncError> {
        let (Some(first), Some(end)) = (days.first(), days.last().and_then(|d| d.tomorrow().ok()))
        else {
            return Ok(());
        };
        let (store, client) = (&session.ctx.store, &session.ctx.client);
        let remote = match session.asker.ask(|| client.recount(*first, end)).await {
            Ok(counts) => counts.into_iter().collect::<BTreeMap<_, _>>(),
            Err(SyncError::PostHog(error)) if error.wants_smaller_query() && days.len() > 1 => {
                let (left, right) = days.split_at(days.len() / 2);
                let left = Box::pin(self.count(session, left, earlier, found)).await;
                let right = Box::pin(self.count(session, right, earlier, found)).await;
                return left.and(right);
            }
            Err(error) => return Err(error),
        };
        let local: BTreeMap<Date, u64> = store
            .count_by_utc_day(session.id, *first, end)
            .await?
            .into_iter()
            .collect();
        let erased: BTreeMap<Date, u64> = store
            .erased_by_utc_day(session.id, *first, end)
            .await?
            .into_iter()
            .collect();
        let of = |counts: &BTreeMap<Date, u64>, day| counts.get(day).copied().unwrap_or(0);
        let mut judged = Vec::with_capacity(days.len());
        for day in days {
            let counts = Counts {
                remote: of(&remote, day),
                stored: of(&local, day),
                erased: of(&erased, day),
            };
            let before = earlier.get(day);
            let now = session.ctx.clock.now();
            if !self.all && before.is_none() && counts.are_settling(*day, now) {
                continue;
            }
            let (mut verdict, mut call) =
                rules::judge(*day, counts, before, self.repulled.contains(day), now);
            if let Call::Removal(surplus) = call {
                let removal = removal::remove_deleted(session, *day, counts.remote, surplus);
                let gone = match removal.await {
                    // The other days' verdicts stand; this one stays as it was judged.
                    Err(SyncError::PostHog(error)) => {
                        tracing::warn!(%day, %error, "the day's events could not be compared now");
                        Gone::default()
                    }
                    gone => gone?,
                };
                found.removed += gone.removed;
                let rest = Counts {
                    stored: counts.stored.saturating_sub(gone.removed),
                    erased: counts.erased.saturating_sub(gone.forgotten),
                    ..counts
                };
                (verdict, call) = rules::judge(*day, rest, before, false, now);
                if matches!(call, Call::Removal(_)) {
                    call = Call::Nothing;
                }
            }
            if call == Call::Repull {
                found.repull.insert(*day);
            }
            judged.push(verdict);
        }
        store.put_verdicts(session.lease(), &judged).await?;
        Ok(())
    }

    /// What recounts say of the days in scope.
    pub(crate) async fn completeness(
        &self,
        session: &Session<'_>,
    ) -> Result<Completeness, SyncError> {
        let Some(scope) = self.scope(session) else {
            return Ok(Completeness::default());
        };
        let verdicts: Vec<DayVerdict> = verdicts(session, scope).await?.into_values().collect();
        Ok(Completeness::of(&verdicts))
    }

    /// Days in scope that an earlier recount wants read again.
    pub(crate) async fn awaited(&self, session: &Session<'_>) -> Result<BTreeSet<Date>, SyncError> {
        let Some(scope) = self.scope(session) else {
            return Ok(BTreeSet::new());
        };
        Ok(verdicts(session, scope)
            .await?
            .into_values()
            .filter(rules::wants_repull)
            .map(|verdict| verdict.day)
            .collect())
    }
}

async fn verdicts(
    session: &Session<'_>,
    scope: Scope,
) -> Result<BTreeMap<Date, DayVerdict>, SyncError> {
    let end = scope.last.saturating_add(1.day());
    let verdicts = session
        .ctx
        .store
        .verdicts(session.id, scope.first, end)
        .await?;
    Ok(verdicts.into_iter().map(|v| (v.day, v)).collect())
}

/// Runs of days that one query each can count, without days between that are not to be counted; the latest
/// first, for they are due most often.
fn chunks(days: &[Date]) -> impl Iterator<Item = &[Date]> {
    let follow = |one: &Date, next: &Date| one.tomorrow().is_ok_and(|tomorrow| tomorrow == *next);
    days.chunk_by(follow)
        .rev()
        .flat_map(|run| run.rchunks(DAYS_PER_QUERY))
}
