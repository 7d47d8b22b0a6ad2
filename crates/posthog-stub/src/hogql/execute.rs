//! Runs a query: scan and filter, then project or group, then sort, limit and deduplicate.

mod grouped;
mod order;
mod scan;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};

use super::Env;
use super::aggregate;
use super::ast::{Expr, From, Item, Select};
use super::columns;
use super::compile::{Compiler, Grouping, Place, Typed};
use super::error::QueryError;
use super::node::Node;
use super::reads::Touched;
use super::source::{Column, Row, Schema, Source, Table};
use super::tables;
use super::value::Value;
use crate::world::event::Event;
use order::Sorter;

/// Runs queries over one project and adds up what they would have read.
pub(crate) struct Executor<'e, 'w> {
    pub(crate) env: &'e Env<'w>,
    bytes: Cell<u64>,
}

/// A query ready to run.
struct Plan {
    filter: Option<Node>,
    columns: Vec<Typed>,
    having: Option<Node>,
    order: Sorter,
    limit: Option<usize>,
}

impl<'e, 'w> Executor<'e, 'w> {
    pub(crate) fn new(env: &'e Env<'w>) -> Self {
        Self {
            env,
            bytes: Cell::new(0),
        }
    }

    pub(crate) fn bytes_read(&self) -> u64 {
        self.bytes.get()
    }

    /// The query's own LIMIT.
    pub(crate) fn limit(&self, query: &Select) -> Result<Option<usize>, QueryError> {
        query
            .limit
            .as_ref()
            .map(|expr| self.count(expr))
            .transpose()
    }

    /// A constant count.
    fn count(&self, expr: &Expr) -> Result<usize, QueryError> {
        let compiler = self.compiler(&Schema::Nothing, None, &[]);
        let (node, _) = compiler.compile(expr, compiler.on_rows())?;
        let count = node
            .as_const()
            .and_then(Value::as_int)
            .and_then(|count| usize::try_from(count).ok());
        count.ok_or_else(|| {
            QueryError::clickhouse(
                "invalid_limit_expression",
                "The LIMIT expression must be a constant whole number",
            )
        })
    }

    fn compiler<'c>(
        &'c self,
        schema: &'c Schema,
        table: Option<&'c str>,
        items: &'c [Item],
    ) -> Compiler<'c, 'w> {
        Compiler {
            env: self.env,
            executor: self,
            schema,
            table,
            items,
            touched: RefCell::new(Touched::default()),
            grouping: None,
        }
    }

    /// Runs a query; `limit` replaces its own.
    pub(crate) fn select(&self, query: &Select, limit: Option<usize>) -> Result<Table, QueryError> {
        let (schema, source, table) = self.from(&query.from)?;
        let items = expand(&query.items, &schema);
        let mut compiler = self.compiler(&schema, table.as_deref(), &items);
        let filter = query
            .filter
            .as_ref()
            .map(|expr| compiler.compile(expr, compiler.on_rows()))
            .transpose()?;
        compiler.grouping = self.grouping(query, &items, &compiler)?;
        let mut columns = Vec::new();
        for (at, item) in items.iter().enumerate() {
            let place = Place {
                aliases: at,
                ..compiler.after_grouping()
            };
            columns.push(compiler.compile(&item.expr, place)?);
        }
        let having = query
            .having
            .as_ref()
            .map(|expr| compiler.compile(expr, compiler.after_grouping()))
            .transpose()?;
        if having.is_some() && compiler.grouping.is_none() {
            return Err(QueryError::invalid(
                "HAVING needs GROUP BY or an aggregate function",
            ));
        }
        let mut order = Sorter::default();
        for key in &query.order {
            let expr = positional(&key.expr, &items);
            let (node, _) = compiler.compile(expr, compiler.after_grouping())?;
            order.push(node, key.descending, key.nulls_first);
        }
        let limit = if limit.is_some() {
            limit
        } else {
            self.limit(query)?
        };
        let plan = Plan {
            filter: filter.map(|(node, _)| node),
            columns,
            having: having.map(|(node, _)| node),
            order,
            limit,
        };
        let limit_by = self.limit_by(query, &items, &compiler)?;
        let late = query.distinct || limit_by.is_some();
        let matched = self.scan(
            &source,
            &plan,
            &compiler.touched.borrow(),
            late || compiler.grouping.is_some(),
        )?;
        self.refuse_members(&query.from, matched.len())?;
        let mut rows = match compiler.grouping.take() {
            Some(grouping) => self.grouped(&source, &matched, &plan, grouping, &limit_by)?,
            None => self.plain(&source, matched, &plan, late, &limit_by)?,
        };
        if query.distinct {
            let mut seen = HashSet::new();
            rows.retain(|row| seen.insert(row.clone()));
        }
        if let Some(limit) = plan.limit {
            rows.truncate(limit);
        }
        let columns = items
            .iter()
            .zip(plan.columns)
            .map(|(item, (_, kind))| Column {
                name: column_name(item),
                kind,
            })
            .collect();
        Ok(Table { columns, rows })
    }

    fn from(&self, from: &From) -> Result<(Schema, Source<'w>, Option<String>), QueryError> {
        match from {
            From::Nothing => Ok((Schema::Nothing, Source::Nothing, None)),
            From::Table { name, alias } => {
                let known_as = Some(alias.clone().unwrap_or_else(|| name.clone()));
                if name == "events" {
                    let floor = self.env.project.retention_floor(self.env.now);
                    let events = self.env.project.events();
                    let start = floor.map_or(0, |floor| {
                        events.partition_point(|event| event.timestamp < floor)
                    });
                    return Ok((
                        Schema::Events,
                        Source::Events(events.get(start..).unwrap_or_default()),
                        known_as,
                    ));
                }
                let table = tables::named(self.env, name)
                    .ok_or_else(|| QueryError::invalid(format!("Unknown table `{name}`.")))?;
                Ok((
                    Schema::Cells(table.columns),
                    Source::Cells(table.rows),
                    known_as,
                ))
            }
            From::Subquery { query, alias } => {
                let table = self.select(query, None)?;
                Ok((
                    Schema::Cells(table.columns),
                    Source::Cells(table.rows),
                    alias.clone(),
                ))
            }
        }
    }

    fn grouping(
        &self,
        query: &Select,
        items: &[Item],
        compiler: &Compiler<'_, 'w>,
    ) -> Result<Option<Grouping>, QueryError> {
        let aggregated = |expr: &Expr| {
            let mut found = false;
            expr.visit(&mut |part| {
                found |=
                    matches!(part, Expr::Call { name, .. } if aggregate::named(name).is_some());
            });
            found
        };
        let any = items.iter().any(|item| aggregated(&item.expr))
            || query.having.as_ref().is_some_and(aggregated)
            || query.order.iter().any(|key| aggregated(&key.expr));
        if query.group.is_empty() && !any {
            return Ok(None);
        }
        let mut grouping = Grouping::default();
        for expr in &query.group {
            grouping
                .keys
                .push(compiler.compile(positional(expr, items), compiler.on_rows())?);
        }
        Ok(Some(grouping))
    }

    fn limit_by(
        &self,
        query: &Select,
        items: &[Item],
        compiler: &Compiler<'_, 'w>,
    ) -> Result<Option<(usize, Vec<Node>)>, QueryError> {
        let Some((count, by)) = &query.limit_by else {
            return Ok(None);
        };
        let nodes: Result<Vec<Node>, QueryError> = by
            .iter()
            .map(|expr| {
                compiler
                    .compile(positional(expr, items), compiler.after_grouping())
                    .map(|(node, _)| node)
            })
            .collect();
        Ok(Some((self.count(count)?, nodes?)))
    }

    /// Rows of a query without groups: `late` keeps all of them for DISTINCT or LIMIT BY.
    fn plain(
        &self,
        source: &Source<'_>,
        mut matched: Vec<usize>,
        plan: &Plan,
        late: bool,
        limit_by: &LimitBy,
    ) -> Result<Vec<Vec<Value>>, QueryError> {
        let cap = if late { None } else { plan.limit };
        if let (Some(cap), Source::Events(events)) = (cap, source) {
            first_by_time(&mut matched, events, &plan.order, cap);
        }
        let mut rows: Vec<Row<'_>> = matched.into_iter().map(|at| source.row(at)).collect();
        plan.order.sort(self.env, &mut rows, cap)?;
        if let Some(cap) = cap {
            rows.truncate(cap);
        }
        let rows = self.capped_by(rows, limit_by)?;
        rows.into_iter()
            .map(|row| self.project(row, plan))
            .collect()
    }

    /// LIMIT n BY: the first n rows of each key.
    fn capped_by<'r>(
        &self,
        mut rows: Vec<Row<'r>>,
        limit_by: &LimitBy,
    ) -> Result<Vec<Row<'r>>, QueryError> {
        let Some((count, by)) = limit_by else {
            return Ok(rows);
        };
        let mut seen: HashMap<Vec<Value>, usize> = HashMap::new();
        let mut failed = None;
        rows.retain(|row| {
            let key: Result<Vec<Value>, QueryError> =
                by.iter().map(|node| node.eval(self.env, *row)).collect();
            match key {
                Ok(key) => {
                    let taken = seen.entry(key).or_default();
                    *taken += 1;
                    *taken <= *count
                }
                Err(error) => {
                    failed = Some(error);
                    false
                }
            }
        });
        failed.map_or(Ok(rows), Err)
    }

    fn project(&self, row: Row<'_>, plan: &Plan) -> Result<Vec<Value>, QueryError> {
        plan.columns
            .iter()
            .map(|(node, _)| node.eval(self.env, row))
            .collect()
    }
}

/// How many rows of each key, and the key.
type LimitBy = Option<(usize, Vec<Node>)>;

/// Events lie sorted by time, and matches come newest first: ordered by time, only the first `cap` of
/// them and those that tie with the last can be among the rows.
fn first_by_time(matched: &mut Vec<usize>, events: &[Event], order: &Sorter, cap: usize) {
    let Some(descending) = order.by_time() else {
        return;
    };
    if !descending {
        matched.reverse();
    }
    let time = |at: &usize| events.get(*at).map(|event| event.timestamp);
    let Some(last) = cap
        .checked_sub(1)
        .and_then(|last| matched.get(last))
        .map(time)
    else {
        return;
    };
    let ties = matched
        .iter()
        .skip(cap)
        .take_while(|at| time(at) == last)
        .count();
    matched.truncate(cap + ties);
}

/// `*` becomes the table's columns.
fn expand(items: &[Item], schema: &Schema) -> Vec<Item> {
    let field = |name: &str| Item {
        expr: Expr::Field(vec![name.to_owned()]),
        alias: None,
    };
    let mut all = Vec::new();
    for item in items {
        match (&item.expr, schema) {
            (Expr::Star, Schema::Events) => {
                all.extend(columns::STAR.iter().map(|(name, _)| field(name)));
            }
            (Expr::Star, Schema::Cells(columns)) => {
                all.extend(columns.iter().map(|column| field(&column.name)));
            }
            _ => all.push(item.clone()),
        }
    }
    all
}

/// A bare number in GROUP BY or ORDER BY is the place of a column in the select list.
fn positional<'i>(expr: &'i Expr, items: &'i [Item]) -> &'i Expr {
    let Expr::Number(text) = expr else {
        return expr;
    };
    let place = text
        .parse::<usize>()
        .ok()
        .and_then(|place| place.checked_sub(1));
    place
        .and_then(|place| items.get(place))
        .map_or(expr, |item| &item.expr)
}

/// The column's alias, the last part of a plain name, or the call as PostHog prints it.
fn column_name(item: &Item) -> String {
    if let Some(alias) = &item.alias {
        return alias.clone();
    }
    match &item.expr {
        Expr::Field(path) => path.last().cloned().unwrap_or_default(),
        Expr::Call { name, args, .. } => {
            let args: Vec<String> = args
                .iter()
                .map(|expr| {
                    column_name(&Item {
                        expr: expr.clone(),
                        alias: None,
                    })
                })
                .collect();
            format!("{name}({})", args.join(", "))
        }
        Expr::Number(text) => text.clone(),
        Expr::Text(text) => format!("'{text}'"),
        Expr::Null => "NULL".to_owned(),
        _ => "expression".to_owned(),
    }
}
