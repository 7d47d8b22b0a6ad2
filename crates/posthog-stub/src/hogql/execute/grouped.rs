//! Grouping: rows are gathered by key, then filtered by HAVING, sorted and projected like rows.

use std::collections::HashMap;

use super::super::aggregate::{Spec, State};
use super::super::compile::Grouping;
use super::super::error::QueryError;
use super::super::source::{Row, Source};
use super::super::value::Value;
use super::{Executor, LimitBy, Plan};

impl Executor<'_, '_> {
    pub(super) fn grouped(
        &self,
        source: &Source<'_>,
        matched: &[usize],
        plan: &Plan,
        grouping: Grouping,
        limit_by: &LimitBy,
    ) -> Result<Vec<Vec<Value>>, QueryError> {
        let specs = grouping.aggregates.into_inner();
        let start = || -> Vec<State> { specs.iter().map(Spec::start).collect() };
        let mut places: HashMap<Vec<Value>, usize> = HashMap::new();
        let mut groups: Vec<Vec<State>> = Vec::new();
        if grouping.keys.is_empty() {
            // Without GROUP BY there is one group, even of no rows.
            places.insert(Vec::new(), 0);
            groups.push(start());
        }
        for at in matched {
            let row = source.row(*at);
            let key: Result<Vec<Value>, QueryError> = grouping
                .keys
                .iter()
                .map(|(node, _)| node.eval(self.env, row))
                .collect();
            let place = *places.entry(key?).or_insert_with(|| {
                groups.push(start());
                groups.len() - 1
            });
            let Some(states) = groups.get_mut(place) else {
                continue;
            };
            for (spec, state) in specs.iter().zip(states) {
                spec.add(state, self.env, row)?;
            }
        }
        let mut keys: Vec<Vec<Value>> = vec![Vec::new(); groups.len()];
        for (key, place) in places {
            if let Some(slot) = keys.get_mut(place) {
                *slot = key;
            }
        }
        let finished: Vec<Vec<Value>> = groups
            .into_iter()
            .map(|states| {
                specs
                    .iter()
                    .zip(states)
                    .map(|(spec, state)| spec.finish(state))
                    .collect()
            })
            .collect();
        let mut rows = Vec::new();
        for (key, values) in keys.iter().zip(&finished) {
            let row = Row::Group(key, values);
            if match &plan.having {
                Some(having) => having.eval(self.env, row)?.is_true(),
                None => true,
            } {
                rows.push(row);
            }
        }
        plan.order.sort(self.env, &mut rows, None)?;
        let rows = self.capped_by(rows, limit_by)?;
        rows.into_iter()
            .map(|row| self.project(row, plan))
            .collect()
    }
}
