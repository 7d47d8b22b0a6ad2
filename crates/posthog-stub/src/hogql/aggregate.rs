//! Aggregate functions. As in ClickHouse, a row with a NULL among an aggregate's arguments is left out.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::Env;
use super::error::QueryError;
use super::node::Node;
use super::source::Row;
use super::types::{Kind, Type};
use super::value::Value;

/// What is aggregated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aggregate {
    Count,
    Unique,
    Min,
    Max,
    Sum,
    Average,
    Any,
    Last,
    ArgMin,
    ArgMax,
    Collect,
    CollectUnique,
    BitXor,
}

/// An aggregate by its HogQL name: the function, its least and greatest number of arguments, and
/// whether its last argument is a condition.
pub(crate) fn named(name: &str) -> Option<(Aggregate, usize, usize, bool)> {
    let lower = name.to_ascii_lowercase();
    let folded = ["count", "min", "max", "sum", "avg"].contains(&lower.as_str());
    if let Some(found) = exact(if folded { &lower } else { name }) {
        return Some((found.0, found.1, found.2, false));
    }
    let (found, min, max) = exact(name.strip_suffix("If")?)?;
    Some((found, min + 1, max.saturating_add(1), true))
}

fn exact(name: &str) -> Option<(Aggregate, usize, usize)> {
    Some(match name {
        "count" => (Aggregate::Count, 0, 1),
        "countDistinct" => (Aggregate::Unique, 1, 1),
        "uniq" | "uniqExact" | "uniqHLL12" | "uniqTheta" => (Aggregate::Unique, 1, usize::MAX),
        "min" => (Aggregate::Min, 1, 1),
        "max" => (Aggregate::Max, 1, 1),
        "sum" => (Aggregate::Sum, 1, 1),
        "avg" => (Aggregate::Average, 1, 1),
        "any" => (Aggregate::Any, 1, 1),
        "anyLast" => (Aggregate::Last, 1, 1),
        "argMin" => (Aggregate::ArgMin, 2, 2),
        "argMax" => (Aggregate::ArgMax, 2, 2),
        "groupArray" | "array_agg" => (Aggregate::Collect, 1, 1),
        "groupUniqArray" => (Aggregate::CollectUnique, 1, 1),
        "groupBitXor" => (Aggregate::BitXor, 1, 1),
        _ => return None,
    })
}

/// One aggregate of a query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spec {
    pub(crate) aggregate: Aggregate,
    pub(crate) args: Vec<Node>,
    pub(crate) condition: Option<Node>,
    pub(crate) kind: Type,
}

/// The type of an aggregate over arguments of these types.
pub(crate) fn kind(aggregate: Aggregate, args: &[Type]) -> Type {
    let first = args.first().cloned().unwrap_or(Type::of(Kind::Nothing));
    match aggregate {
        // HogQL's hashes, the only whole numbers that anybody combines bit by bit, are UInt64.
        Aggregate::Count | Aggregate::Unique | Aggregate::BitXor => Type::of(Kind::UInt64),
        Aggregate::Average => Type::of(Kind::Float64).or_null(first.nullable),
        Aggregate::Sum => {
            let kind = match first.kind {
                Kind::Float64 => Kind::Float64,
                Kind::UInt64 | Kind::UInt8 | Kind::Bool => Kind::UInt64,
                _ => Kind::Int64,
            };
            Type::of(kind).or_null(first.nullable)
        }
        Aggregate::Collect | Aggregate::CollectUnique => {
            Type::of(Kind::Array(Box::new(Type::of(first.kind))))
        }
        Aggregate::Min
        | Aggregate::Max
        | Aggregate::Any
        | Aggregate::Last
        | Aggregate::ArgMin
        | Aggregate::ArgMax => first,
    }
}

/// What an aggregate has gathered so far.
#[derive(Debug)]
pub(crate) enum State {
    Count(u64),
    Set(HashSet<Value>),
    One(Option<Value>),
    /// The greatest or least key so far and its value.
    Keyed(Option<(Value, Value)>),
    Sum(i128, f64, u64),
    List(Vec<Value>),
    Bits(u64),
}

impl Spec {
    pub(crate) fn start(&self) -> State {
        match self.aggregate {
            Aggregate::Count => State::Count(0),
            Aggregate::Unique | Aggregate::CollectUnique => State::Set(HashSet::new()),
            Aggregate::Min | Aggregate::Max | Aggregate::Any | Aggregate::Last => State::One(None),
            Aggregate::ArgMin | Aggregate::ArgMax => State::Keyed(None),
            Aggregate::Sum | Aggregate::Average => State::Sum(0, 0.0, 0),
            Aggregate::Collect => State::List(Vec::new()),
            Aggregate::BitXor => State::Bits(0),
        }
    }

    /// Takes a row.
    pub(crate) fn add(
        &self,
        state: &mut State,
        env: &Env<'_>,
        row: Row<'_>,
    ) -> Result<(), QueryError> {
        if let Some(condition) = &self.condition
            && !condition.eval(env, row)?.is_true()
        {
            return Ok(());
        }
        let first = match self.args.first() {
            Some(arg) => arg.eval(env, row)?,
            None => Value::Int(1),
        };
        if first.is_null() {
            return Ok(());
        }
        match state {
            State::Count(count) => *count += 1,
            State::Set(set) => {
                let mut rest = Vec::new();
                for arg in self.args.iter().skip(1) {
                    rest.push(arg.eval(env, row)?);
                }
                if rest.is_empty() {
                    set.insert(first);
                } else if !rest.iter().any(Value::is_null) {
                    rest.insert(0, first);
                    set.insert(Value::Tuple(rest.into()));
                }
            }
            State::One(best) => {
                if self.replaces(best.as_ref(), &first) {
                    *best = Some(first);
                }
            }
            State::Keyed(best) => {
                let key = self
                    .args
                    .get(1)
                    .map_or(Ok(Value::Null), |arg| arg.eval(env, row))?;
                if !key.is_null() && self.replaces(best.as_ref().map(|(known, _)| known), &key) {
                    *best = Some((key, first));
                }
            }
            State::Sum(whole, fraction, count) => {
                *count += 1;
                match (first.as_int(), first.as_float()) {
                    (Some(number), _) => *whole += number,
                    (None, Some(number)) => *fraction += number,
                    (None, None) => {
                        let detail = format!(
                            "Illegal type {} of argument for aggregate function sum",
                            Type::of_value(&first)
                        );
                        return Err(QueryError::clickhouse("illegal_type_of_argument", detail));
                    }
                }
            }
            State::List(list) => list.push(first),
            State::Bits(bits) => {
                let number = first.as_int().and_then(|number| u64::try_from(number).ok());
                *bits ^= number.ok_or_else(|| {
                    let detail = format!(
                        "Illegal type {} of argument for aggregate function groupBitXor",
                        Type::of_value(&first)
                    );
                    QueryError::clickhouse("illegal_type_of_argument", detail)
                })?;
            }
        }
        Ok(())
    }

    fn replaces(&self, best: Option<&Value>, value: &Value) -> bool {
        let Some(best) = best else { return true };
        match self.aggregate {
            Aggregate::Max | Aggregate::ArgMax => value.compare(best) == Some(Ordering::Greater),
            Aggregate::Min | Aggregate::ArgMin => value.compare(best) == Some(Ordering::Less),
            Aggregate::Last => true,
            _ => false,
        }
    }

    /// The result; over no rows, ClickHouse's default of the type (1970 for datetimes), not NULL.
    pub(crate) fn finish(&self, state: State) -> Value {
        match state {
            State::Count(count) => Value::UInt(count),
            State::Set(set) if self.aggregate == Aggregate::Unique => Value::UInt(set.len() as u64),
            State::Set(set) => Value::Array(set.into_iter().collect()),
            State::One(best) => best.unwrap_or_else(|| self.kind.default_value()),
            State::Keyed(best) => {
                best.map_or_else(|| self.kind.default_value(), |(_, value)| value)
            }
            State::Sum(whole, fraction, count) if self.aggregate == Aggregate::Average => {
                if count == 0 && self.kind.nullable {
                    return Value::Null;
                }
                Value::Float((whole as f64 + fraction) / count as f64)
            }
            State::Sum(_, _, 0) => self.kind.default_value(),
            State::Sum(whole, fraction, _) => {
                if self.kind.kind == Kind::Float64 {
                    Value::Float(whole as f64 + fraction)
                } else {
                    Value::integer(whole)
                }
            }
            State::List(list) => Value::Array(list.into()),
            State::Bits(bits) => Value::UInt(bits),
        }
    }
}
