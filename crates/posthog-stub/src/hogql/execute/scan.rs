//! Finds the rows that pass the filter, and reckons what ClickHouse would have read for it.

use super::super::ast::From;
use super::super::error::QueryError;
use super::super::reads::{Bounds, Touched};
use super::super::source::Source;
use super::{Executor, Plan};

impl Executor<'_, '_> {
    /// Places of matching rows. Without ORDER BY they come newest first, so that nobody relies on an
    /// order that ClickHouse does not promise; `all` forbids stopping at the limit.
    pub(super) fn scan(
        &self,
        source: &Source<'_>,
        plan: &Plan,
        touched: &Touched,
        all: bool,
    ) -> Result<Vec<usize>, QueryError> {
        let stop = if all || !plan.order.is_empty() {
            None
        } else {
            plan.limit
        };
        let Source::Events(events) = source else {
            return self.matching((0..source.len()).rev(), source, plan, stop);
        };
        let bounds = Bounds::of(plan.filter.as_ref());
        self.refuse_span(&bounds)?;
        let within = bounds.cut(events);
        let start = if within.is_empty() {
            0
        } else {
            events.partition_point(|event| event.timestamp < first(within))
        };
        let matched = self.matching((start..start + within.len()).rev(), source, plan, stop)?;
        if let Some(too_much) = self.env.too_much
            && too_much.rows.is_some_and(|rows| matched.len() > rows)
        {
            return Err(QueryError::TooMuch {
                status: too_much.status,
            });
        }
        let wide: u64 = matched
            .iter()
            .filter_map(|at| events.get(*at))
            .map(|event| touched.wide_bytes(event))
            .sum();
        self.bytes
            .set(self.bytes.get() + bounds.unskipped(events) * touched.narrow_bytes() + wide);
        Ok(matched)
    }

    fn matching(
        &self,
        places: impl Iterator<Item = usize>,
        source: &Source<'_>,
        plan: &Plan,
        stop: Option<usize>,
    ) -> Result<Vec<usize>, QueryError> {
        let mut matched = Vec::new();
        for at in places {
            if stop.is_some_and(|stop| matched.len() >= stop) {
                break;
            }
            let fits = match &plan.filter {
                Some(filter) => filter.eval(self.env, source.row(at))?.is_true(),
                None => true,
            };
            if fits {
                matched.push(at);
            }
        }
        Ok(matched)
    }

    /// Refuses too many rows of a table of cohorts.
    pub(super) fn refuse_members(&self, from: &From, rows: usize) -> Result<(), QueryError> {
        let is_of_cohorts =
            matches!(from, From::Table { name, .. } if name.ends_with("cohort_people"));
        match self.env.too_much {
            Some(too_much) if is_of_cohorts && too_much.members.is_some_and(|most| rows > most) => {
                Err(QueryError::TooMuch {
                    status: too_much.status,
                })
            }
            _ => Ok(()),
        }
    }

    fn refuse_span(&self, bounds: &Bounds) -> Result<(), QueryError> {
        let Some(too_much) = self.env.too_much else {
            return Ok(());
        };
        let Some(span) = too_much.span else {
            return Ok(());
        };
        let asked = bounds
            .from
            .zip(bounds.to)
            .map(|(from, to)| i128::from(to) - i128::from(from));
        if asked.is_none_or(|asked| asked > span.as_micros()) {
            return Err(QueryError::TooMuch {
                status: too_much.status,
            });
        }
        Ok(())
    }
}

fn first(events: &[crate::world::event::Event]) -> jiff::Timestamp {
    events
        .first()
        .map_or(jiff::Timestamp::MIN, |event| event.timestamp)
}
