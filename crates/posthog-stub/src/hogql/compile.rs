//! Resolves names and types: syntax trees become nodes.
//!
//! Aliases win over columns and are seen by later columns of the select list and by every other
//! clause, as in HogQL. In a grouped query an expression must be a key, an aggregate, or made of such.

mod calls;
mod fields;

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value as Json;

use super::Env;
use super::aggregate::Spec;
use super::ast::{Expr, Item, Operator};
use super::error::QueryError;
use super::execute::Executor;
use super::functions::{self, numbers};
use super::like::Like;
use super::node::Node;
use super::reads::Touched;
use super::source::{Row, Schema};
use super::types::{Kind, Type};
use super::value::Value;

/// A node and its type.
pub(crate) type Typed = (Node, Type);
type Compiled = Result<Typed, QueryError>;

/// What grouping knows while the other clauses are compiled.
#[derive(Debug, Default)]
pub(crate) struct Grouping {
    pub(crate) keys: Vec<Typed>,
    pub(crate) aggregates: RefCell<Vec<Spec>>,
}

/// Compiles the expressions of one query.
pub(crate) struct Compiler<'c, 'w> {
    pub(crate) env: &'c Env<'w>,
    pub(crate) executor: &'c Executor<'c, 'w>,
    pub(crate) schema: &'c Schema,
    /// The name that may stand before a column.
    pub(crate) table: Option<&'c str>,
    pub(crate) items: &'c [Item],
    pub(crate) touched: RefCell<Touched>,
    pub(crate) grouping: Option<Grouping>,
}

/// Where an expression stands.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// How many columns of the select list lend their aliases.
    pub(crate) aliases: usize,
    /// Whether it is evaluated on groups rather than on rows.
    pub(crate) grouped: bool,
}

impl Compiler<'_, '_> {
    /// On rows, seeing every alias.
    pub(crate) fn on_rows(&self) -> Place {
        Place {
            aliases: self.items.len(),
            grouped: false,
        }
    }

    /// On groups if the query is grouped, seeing every alias.
    pub(crate) fn after_grouping(&self) -> Place {
        Place {
            aliases: self.items.len(),
            grouped: self.grouping.is_some(),
        }
    }

    pub(crate) fn compile(&self, expr: &Expr, place: Place) -> Compiled {
        if place.grouped
            && let Ok((node, kind)) = self.compile(
                expr,
                Place {
                    grouped: false,
                    ..place
                },
            )
        {
            if node.is_const() {
                return Ok((node, kind));
            }
            if let Some(at) = self.key(&node) {
                return Ok((Node::Key(at), kind));
            }
        }
        let (node, kind) = self.compile_as_is(expr, place)?;
        Ok((self.folded(node)?, kind))
    }

    fn key(&self, node: &Node) -> Option<usize> {
        self.grouping
            .as_ref()?
            .keys
            .iter()
            .position(|(key, _)| key == node)
    }

    /// Evaluates what depends on no row.
    fn folded(&self, node: Node) -> Result<Node, QueryError> {
        let constant = match &node {
            Node::Call(_, parts)
            | Node::Tuple(parts)
            | Node::Array(parts)
            | Node::Coalesce(parts) => parts.iter().all(Node::is_const),
            Node::Compare(_, one, two) => one.is_const() && two.is_const(),
            _ => false,
        };
        if constant {
            node.eval(self.env, Row::Nothing).map(Node::Const)
        } else {
            Ok(node)
        }
    }

    fn compile_as_is(&self, expr: &Expr, place: Place) -> Compiled {
        match expr {
            Expr::Null => Ok(constant(Value::Null)),
            Expr::Bool(truth) => Ok(constant(Value::Bool(*truth))),
            Expr::Number(text) => number(text),
            Expr::Text(text) => Ok(constant(Value::str(text))),
            Expr::Placeholder(name) => self.placeholder(name),
            Expr::Field(path) => self.field(path, place),
            Expr::Star => Err(QueryError::invalid("Cannot use * here")),
            Expr::Call {
                name,
                args,
                distinct,
            } => self.call(name, args, *distinct, place),
            Expr::Binary(operator, one, two) => self.binary(*operator, one, two, place),
            Expr::Negate(part) => self.function("negate", vec![self.compile(part, place)?]),
            Expr::Not(part) => {
                let (node, kind) = self.compile(part, place)?;
                Ok((
                    Node::Not(Box::new(node)),
                    Type::of(Kind::UInt8).or_null(kind.nullable),
                ))
            }
            Expr::And(parts) => Ok((
                Node::And(self.conditions(parts, place)?),
                Type::of(Kind::UInt8),
            )),
            Expr::Or(parts) => Ok((
                Node::Or(self.conditions(parts, place)?),
                Type::of(Kind::UInt8),
            )),
            Expr::In { item, set, negated } => self.membership(item, set, *negated, place),
            Expr::InCohort {
                item,
                cohort,
                negated,
            } => self.in_cohort(item, cohort, *negated, place),
            Expr::Like {
                text,
                pattern,
                fold,
                negated,
            } => self.like(text, pattern, *fold, *negated, place),
            Expr::Match {
                text,
                pattern,
                negated,
            } => {
                let args = vec![self.compile(text, place)?, self.compile(pattern, place)?];
                let (node, kind) = self.function("match", args)?;
                Ok((
                    if *negated {
                        Node::Not(Box::new(node))
                    } else {
                        node
                    },
                    kind,
                ))
            }
            Expr::IsNull(part, negated) => {
                let (node, _) = self.compile(part, place)?;
                Ok((
                    Node::IsNull(Box::new(node), *negated),
                    Type::of(Kind::UInt8),
                ))
            }
            Expr::Case {
                branches,
                otherwise,
            } => {
                let otherwise = otherwise.as_deref().unwrap_or(&Expr::Null);
                self.choose(
                    branches.iter().map(|(when, then)| (when, then)),
                    otherwise,
                    place,
                )
            }
            Expr::Tuple(parts) => self.tuple(parts, place),
            Expr::Array(parts) => {
                let (nodes, kinds) = self.all(parts, place)?;
                let item = kinds
                    .iter()
                    .fold(Type::of(Kind::Nothing), |all, kind| all.union(kind));
                Ok((Node::Array(nodes), Type::of(Kind::Array(Box::new(item)))))
            }
            Expr::Element(whole, at) => {
                let args = vec![self.compile(whole, place)?, self.compile(at, place)?];
                self.function("arrayElement", args)
            }
            Expr::Subquery(query) => {
                let table = self.executor.select(query, None)?;
                let kind = table
                    .columns
                    .first()
                    .map_or(Type::of(Kind::Nothing), |column| column.kind.clone());
                let value = table
                    .rows
                    .into_iter()
                    .next()
                    .and_then(|row| row.into_iter().next());
                Ok((
                    Node::Const(value.unwrap_or(Value::Null)),
                    kind.or_null(true),
                ))
            }
        }
    }

    fn all(&self, parts: &[Expr], place: Place) -> Result<(Vec<Node>, Vec<Type>), QueryError> {
        let typed: Result<Vec<Typed>, _> =
            parts.iter().map(|part| self.compile(part, place)).collect();
        Ok(typed?.into_iter().unzip())
    }

    fn conditions(&self, parts: &[Expr], place: Place) -> Result<Vec<Node>, QueryError> {
        self.all(parts, place).map(|(nodes, _)| nodes)
    }

    fn tuple(&self, parts: &[Expr], place: Place) -> Compiled {
        let (nodes, kinds) = self.all(parts, place)?;
        Ok((Node::Tuple(nodes), Type::of(Kind::Tuple(kinds))))
    }

    fn placeholder(&self, name: &str) -> Compiled {
        let value =
            self.env.values.get(name).ok_or_else(|| {
                QueryError::invalid(format!("Unresolved placeholder: {{{name}}}"))
            })?;
        Ok(constant(from_json(value)))
    }

    fn binary(&self, operator: Operator, one: &Expr, two: &Expr, place: Place) -> Compiled {
        let (one, two) = (self.compile(one, place)?, self.compile(two, place)?);
        if matches!(
            operator,
            Operator::Plus
                | Operator::Minus
                | Operator::Multiply
                | Operator::Divide
                | Operator::Modulo
        ) {
            return self.function(numbers::of_operator(operator), vec![one, two]);
        }
        self.comparison(operator, one, two)
    }

    fn comparison(&self, operator: Operator, one: Typed, two: Typed) -> Compiled {
        let one_node = self.coerced(one.0, &one.1, &two.1)?;
        let two_node = self.coerced(two.0, &two.1, &one.1)?;
        let mixed =
            (one.1.is_text() && two.1.is_number()) || (one.1.is_number() && two.1.is_text());
        if mixed {
            let detail = format!(
                "There is no supertype for types {}, {} because some of them are String/FixedString and some of them are not",
                one.1, two.1
            );
            return Err(QueryError::clickhouse("no_common_type", detail));
        }
        Ok((
            Node::Compare(operator, Box::new(one_node), Box::new(two_node)),
            Type::of(Kind::UInt8),
        ))
    }

    /// A constant text becomes a date or uuid when it is compared with one.
    fn coerced(&self, node: Node, kind: &Type, other: &Type) -> Result<Node, QueryError> {
        match &node {
            Node::Const(Value::Str(text)) if kind.kind == Kind::String => {
                functions::cast(text, other).map(Node::Const)
            }
            _ => Ok(node),
        }
    }

    fn membership(&self, item: &Expr, set: &Expr, negated: bool, place: Place) -> Compiled {
        let (item, kind) = self.compile(item, place)?;
        let values: Vec<Value> = match set {
            Expr::Subquery(query) => {
                let rows = self.executor.select(query, None)?.rows;
                rows.into_iter().filter_map(one_value).collect()
            }
            Expr::Tuple(parts) | Expr::Array(parts) => {
                let nodes = self.conditions(parts, place)?;
                let values: Option<Vec<Value>> =
                    nodes.iter().map(|node| node.as_const().cloned()).collect();
                values.ok_or_else(|| {
                    QueryError::clickhouse(
                        "bad_arguments",
                        "Element of set in IN is not a constant",
                    )
                })?
            }
            other => match self.compile(other, place)?.0 {
                Node::Const(Value::Array(values) | Value::Tuple(values)) => values.to_vec(),
                Node::Const(value) => vec![value],
                _ => {
                    return Err(QueryError::clickhouse(
                        "bad_arguments",
                        "The right side of IN is not a constant",
                    ));
                }
            },
        };
        let mut cast = HashSet::with_capacity(values.len());
        for value in values {
            cast.insert(match &value {
                Value::Str(text) => functions::cast(text, &kind)?,
                _ => value,
            });
        }
        Ok((
            Node::In(Box::new(item), Arc::new(cast), negated),
            Type::of(Kind::UInt8),
        ))
    }

    fn in_cohort(&self, item: &Expr, cohort: &Expr, negated: bool, place: Place) -> Compiled {
        let (item, _) = self.compile(item, place)?;
        let (wanted, _) = self.compile(cohort, place)?;
        let wanted = wanted.as_const().cloned().unwrap_or(Value::Null);
        let cohort = self.env.project.cohorts().values().find(|cohort| {
            !cohort.deleted
                && (wanted.as_int() == Some(i128::from(cohort.id))
                    || wanted.as_str() == Some(&cohort.name))
        });
        let cohort = cohort.ok_or_else(|| QueryError::invalid("Could not find the cohort"))?;
        let people = cohort
            .people
            .iter()
            .map(|person| Value::Uuid(*person))
            .collect();
        Ok((
            Node::In(Box::new(item), Arc::new(people), negated),
            Type::of(Kind::UInt8),
        ))
    }

    fn like(
        &self,
        text: &Expr,
        pattern: &Expr,
        fold: bool,
        negated: bool,
        place: Place,
    ) -> Compiled {
        let (text, kind) = self.compile(text, place)?;
        let (pattern, _) = self.compile(pattern, place)?;
        if !kind.is_text() && kind.kind != Kind::Nothing {
            let detail = format!("Illegal type {kind} of argument of function like");
            return Err(QueryError::clickhouse("illegal_type_of_argument", detail));
        }
        let compiled = pattern
            .as_const()
            .and_then(Value::as_str)
            .map(|pattern| Like::new(pattern, fold));
        let node = Node::Like {
            text: Box::new(text),
            pattern: Box::new(pattern),
            compiled,
            fold,
            negated,
        };
        Ok((node, Type::of(Kind::UInt8)))
    }
}

fn one_value(mut row: Vec<Value>) -> Option<Value> {
    if row.len() == 1 {
        row.pop()
    } else {
        Some(Value::Tuple(row.into()))
    }
}

fn constant(value: Value) -> Typed {
    let kind = Type::of_value(&value);
    (Node::Const(value), kind)
}

fn number(text: &str) -> Compiled {
    let value = match text.parse::<i128>() {
        Ok(number) => Value::integer(number),
        Err(_) => Value::Float(
            text.parse()
                .map_err(|_| QueryError::invalid(format!("Malformed number {text}")))?,
        ),
    };
    Ok(constant(value))
}

fn from_json(value: &Json) -> Value {
    match value {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::Int(number),
            (None, Some(number)) => Value::UInt(number),
            (None, None) => Value::Float(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::str(text),
        Json::Array(items) => Value::Array(items.iter().map(from_json).collect()),
        Json::Object(_) => Value::str(&value.to_string()),
    }
}
