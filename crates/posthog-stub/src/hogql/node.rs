//! Compiled expressions: names resolved, constants folded, ready to run on a row.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use super::Env;
use super::ast::Operator;
use super::columns::{self, EventColumn};
use super::error::QueryError;
use super::functions::{Function, json};
use super::like::Like;
use super::source::Row;
use super::value::Value;
use crate::world::property::{Name, Property};

/// How a JSON function reads a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extract {
    /// The text of a string, else the empty text.
    Text,
    /// The JSON text.
    Raw,
}

/// A compiled expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Const(Value),
    Event(EventColumn),
    /// A property of the event; `None` is a name that nothing ever had.
    EventProperty(Option<Name>),
    /// A property of the event through a JSON function.
    EventExtract(Option<Name>, Extract),
    /// A property of the event's person.
    PersonProperty(Option<Name>),
    Cell(usize),
    /// A property in a cell that holds an object.
    CellProperty(usize, Option<Name>),
    /// A path into JSON text.
    JsonPath(Box<Node>, Vec<String>),
    /// A grouping key.
    Key(usize),
    /// A finished aggregate.
    Aggregate(usize),
    Compare(Operator, Box<Node>, Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    In(Box<Node>, Arc<HashSet<Value>>, bool),
    Like {
        text: Box<Node>,
        pattern: Box<Node>,
        compiled: Option<Like>,
        fold: bool,
        negated: bool,
    },
    IsNull(Box<Node>, bool),
    /// The value of the first true condition, else the last.
    Choose(Vec<(Node, Node)>, Box<Node>),
    Coalesce(Vec<Node>),
    Tuple(Vec<Node>),
    Array(Vec<Node>),
    Call(Function, Vec<Node>),
}

impl Node {
    pub(crate) fn eval(&self, env: &Env<'_>, row: Row<'_>) -> Result<Value, QueryError> {
        match self {
            Self::Const(value) => Ok(value.clone()),
            Self::Event(column) => Ok(match row {
                Row::Event(event) => column.value(env, event),
                _ => Value::Null,
            }),
            Self::EventProperty(name) => Ok(match (row, name) {
                (Row::Event(event), Some(name)) => columns::property(event.properties.get(*name)),
                _ => Value::Null,
            }),
            Self::EventExtract(name, extract) => Ok(match (row, name) {
                (Row::Event(event), Some(name)) => {
                    let found = event.properties.get(*name).map(Property::to_json);
                    match extract {
                        Extract::Text => json::extract_string(&found),
                        Extract::Raw => json::extract_raw(&found),
                    }
                }
                _ => Value::str(""),
            }),
            Self::PersonProperty(name) => Ok(match (row, name) {
                (Row::Event(event), Some(name)) => {
                    let person = columns::person(env, event);
                    columns::property(person.and_then(|person| person.properties.get(*name)))
                }
                _ => Value::Null,
            }),
            Self::Cell(at) => Ok(match cell(row, *at) {
                Value::Props(properties) => Value::str(&properties.to_json_text()),
                value => value,
            }),
            Self::CellProperty(at, name) => Ok(match (cell(row, *at), name) {
                (Value::Props(properties), Some(name)) => columns::property(properties.get(*name)),
                _ => Value::Null,
            }),
            Self::JsonPath(text, path) => Ok(match text.eval(env, row)? {
                Value::Str(text) => json::path(&text, path),
                _ => Value::Null,
            }),
            Self::Key(at) => Ok(match row {
                Row::Group(keys, _) => keys.get(*at).cloned().unwrap_or(Value::Null),
                _ => Value::Null,
            }),
            Self::Aggregate(at) => Ok(match row {
                Row::Group(_, aggregates) => aggregates.get(*at).cloned().unwrap_or(Value::Null),
                _ => Value::Null,
            }),
            Self::Compare(operator, one, two) => {
                compare(*operator, &one.eval(env, row)?, &two.eval(env, row)?)
            }
            Self::And(parts) => all_of(env, row, parts, false),
            Self::Or(parts) => all_of(env, row, parts, true),
            Self::Not(part) => Ok(match part.eval(env, row)? {
                Value::Null => Value::Null,
                value => Value::flag(!value.is_true()),
            }),
            Self::In(item, set, negated) => {
                Ok(Value::flag(set.contains(&item.eval(env, row)?) != *negated))
            }
            Self::Like {
                text,
                pattern,
                compiled,
                fold,
                negated,
            } => {
                let text = text.eval(env, row)?;
                let Some(text) = text.as_str() else {
                    return Ok(Value::flag(*negated));
                };
                let fits = match compiled {
                    Some(compiled) => compiled.matches(text),
                    None => pattern
                        .eval(env, row)?
                        .as_str()
                        .is_some_and(|pattern| Like::new(pattern, *fold).matches(text)),
                };
                Ok(Value::flag(fits != *negated))
            }
            Self::IsNull(part, negated) => {
                Ok(Value::flag(part.eval(env, row)?.is_null() != *negated))
            }
            Self::Choose(branches, otherwise) => {
                for (when, then) in branches {
                    if when.eval(env, row)?.is_true() {
                        return then.eval(env, row);
                    }
                }
                otherwise.eval(env, row)
            }
            Self::Coalesce(parts) => {
                for part in parts {
                    let value = part.eval(env, row)?;
                    if !value.is_null() {
                        return Ok(value);
                    }
                }
                Ok(Value::Null)
            }
            Self::Tuple(parts) => Ok(Value::Tuple(eval_all(env, row, parts)?.into())),
            Self::Array(parts) => Ok(Value::Array(eval_all(env, row, parts)?.into())),
            Self::Call(function, args) => function.call(env, &eval_all(env, row, args)?),
        }
    }

    pub(crate) fn is_const(&self) -> bool {
        matches!(self, Self::Const(_))
    }

    pub(crate) fn as_const(&self) -> Option<&Value> {
        match self {
            Self::Const(value) => Some(value),
            _ => None,
        }
    }
}

fn eval_all(env: &Env<'_>, row: Row<'_>, parts: &[Node]) -> Result<Vec<Value>, QueryError> {
    parts.iter().map(|part| part.eval(env, row)).collect()
}

fn cell(row: Row<'_>, at: usize) -> Value {
    match row {
        Row::Cells(cells) => cells.get(at).cloned().unwrap_or(Value::Null),
        _ => Value::Null,
    }
}

/// HogQL's comparison never yields NULL: one NULL makes `!=` true and all others false, two NULLs are equal.
pub(crate) fn compare(operator: Operator, one: &Value, two: &Value) -> Result<Value, QueryError> {
    if one.is_null() || two.is_null() {
        let both = one.is_null() && two.is_null();
        return Ok(Value::flag(match operator {
            Operator::Equal => both,
            Operator::NotEqual => !both,
            _ => false,
        }));
    }
    let order = one.compare(two).ok_or_else(|| {
        QueryError::clickhouse("no_common_type", "There is no supertype for the compared values because some of them are String and some are not.")
    })?;
    Ok(Value::flag(match operator {
        Operator::Equal => order == Ordering::Equal,
        Operator::NotEqual => order != Ordering::Equal,
        Operator::Less => order == Ordering::Less,
        Operator::LessOrEqual => order != Ordering::Greater,
        Operator::Greater => order == Ordering::Greater,
        Operator::GreaterOrEqual => order != Ordering::Less,
        Operator::Plus
        | Operator::Minus
        | Operator::Multiply
        | Operator::Divide
        | Operator::Modulo => false,
    }))
}

/// Three-valued `and` (`decisive` false) or `or` (`decisive` true), left to right, stopping once decided.
fn all_of(
    env: &Env<'_>,
    row: Row<'_>,
    parts: &[Node],
    decisive: bool,
) -> Result<Value, QueryError> {
    let mut unknown = false;
    for part in parts {
        let value = part.eval(env, row)?;
        if value.is_null() {
            unknown = true;
        } else if value.is_true() == decisive {
            return Ok(Value::flag(decisive));
        }
    }
    Ok(if unknown {
        Value::Null
    } else {
        Value::flag(!decisive)
    })
}
