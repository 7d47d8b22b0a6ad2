//! Calls: aggregates, functions that look at their arguments before they run, and all others.

use super::super::aggregate::{self, Spec};
use super::super::ast::{Expr, Operator};
use super::super::columns::EventColumn;
use super::super::error::QueryError;
use super::super::functions::{self, Args, Definition};
use super::super::node::{Extract, Node};
use super::super::types::{Kind, Type};
use super::super::value::Value;
use super::{Compiled, Compiler, Place, Typed};
use crate::world::property::Name;

fn arity(name: &str, found: usize, min: usize, max: usize) -> Result<(), QueryError> {
    let (wrong, bound) = if found < min {
        ("at least", min)
    } else if found > max {
        ("at most", max)
    } else {
        return Ok(());
    };
    let unit = if bound == 1 { "argument" } else { "arguments" };
    Err(QueryError::invalid(format!(
        "Function '{name}' expects {wrong} {bound} {unit}, found {found}"
    )))
}

impl Compiler<'_, '_> {
    pub(super) fn call(&self, name: &str, args: &[Expr], distinct: bool, place: Place) -> Compiled {
        if let Some((aggregate, min, max, conditional)) = aggregate::named(name) {
            arity(name, args.len(), min, max)?;
            return self.aggregate(name, aggregate, args, conditional, distinct, place);
        }
        match (name.to_ascii_lowercase().as_str(), args) {
            ("if", [when, then, otherwise]) => {
                self.choose([(when, then)].into_iter(), otherwise, place)
            }
            ("multiif", [branches @ .., otherwise])
                if branches.len() >= 2 && branches.len().is_multiple_of(2) =>
            {
                let pairs = branches
                    .chunks_exact(2)
                    .filter_map(|pair| Some((pair.first()?, pair.get(1)?)));
                self.choose(pairs, otherwise, place)
            }
            ("coalesce", [_, ..]) | ("ifnull", [_, _]) => self.coalesce(args, place),
            ("and", [_, _, ..]) => Ok((
                Node::And(self.conditions(args, place)?),
                Type::of(Kind::UInt8),
            )),
            ("or", [_, _, ..]) => Ok((
                Node::Or(self.conditions(args, place)?),
                Type::of(Kind::UInt8),
            )),
            ("not", [part]) => self.compile(&Expr::Not(Box::new(part.clone())), place),
            ("tuple", _) => self.tuple(args, place),
            ("array", _) => self.compile(&Expr::Array(args.to_vec()), place),
            ("in", [item, set]) => self.membership(item, set, false, place),
            ("notin", [item, set]) => self.membership(item, set, true, place),
            ("like", [text, pattern]) => self.like(text, pattern, false, false, place),
            ("ilike", [text, pattern]) => self.like(text, pattern, true, false, place),
            ("notlike", [text, pattern]) => self.like(text, pattern, false, true, place),
            (lower, [one, two]) if comparison(lower).is_some() => {
                let operator = comparison(lower).unwrap_or(Operator::Equal);
                self.binary(operator, one, two, place)
            }
            ("todatetime", [only]) => {
                let (node, kind) = self.compile(only, place)?;
                if let Node::Const(Value::Str(text)) = &node {
                    let value = functions::constant_date_time(self.env, text)?;
                    let kind = Type::of_value(&value);
                    return Ok((Node::Const(value), kind));
                }
                self.function(name, vec![(node, kind)])
            }
            _ => {
                let definition = known(name)?;
                arity(name, args.len(), definition.min, definition.max)?;
                let args: Result<Vec<Typed>, _> =
                    args.iter().map(|arg| self.compile(arg, place)).collect();
                self.function(name, args?)
            }
        }
    }

    pub(super) fn function(&self, name: &str, args: Vec<Typed>) -> Compiled {
        if let Some(extracted) = extraction(name, &args) {
            return Ok(extracted);
        }
        self.apply(known(name)?, args)
    }

    pub(super) fn apply(&self, definition: &Definition, args: Vec<Typed>) -> Compiled {
        let (nodes, types): (Vec<Node>, Vec<Type>) = args.into_iter().unzip();
        let consts: Vec<Option<&Value>> = nodes.iter().map(Node::as_const).collect();
        let kind = definition.type_of(&Args {
            env: self.env,
            types: &types,
            consts: &consts,
        });
        Ok((self.folded(Node::Call(definition.function(), nodes))?, kind))
    }

    pub(super) fn choose<'e>(
        &self,
        branches: impl Iterator<Item = (&'e Expr, &'e Expr)>,
        otherwise: &Expr,
        place: Place,
    ) -> Compiled {
        let (otherwise, mut kind) = self.compile(otherwise, place)?;
        let mut compiled = Vec::new();
        let mut first: Option<Type> = None;
        for (when, then) in branches {
            let (when, _) = self.compile(when, place)?;
            let (then, then_kind) = self.compile(then, place)?;
            first = Some(first.map_or(then_kind.clone(), |known| known.union(&then_kind)));
            compiled.push((when, then));
        }
        if let Some(first) = first {
            kind = first.union(&kind);
        }
        Ok((Node::Choose(compiled, Box::new(otherwise)), kind))
    }

    fn coalesce(&self, args: &[Expr], place: Place) -> Compiled {
        let (nodes, kinds) = self.all(args, place)?;
        let nullable = kinds.iter().all(|kind| kind.nullable);
        let kind = kinds
            .iter()
            .fold(Type::of(Kind::Nothing), |all, kind| all.union(kind));
        Ok((
            Node::Coalesce(nodes),
            Type {
                kind: kind.kind,
                nullable,
            },
        ))
    }

    fn aggregate(
        &self,
        name: &str,
        mut aggregate: aggregate::Aggregate,
        args: &[Expr],
        conditional: bool,
        distinct: bool,
        place: Place,
    ) -> Compiled {
        let Some(grouping) = self.grouping.as_ref().filter(|_| place.grouped) else {
            let detail = format!(
                "Aggregate function {name} is found in a place where it is not allowed (WHERE, GROUP BY or inside another aggregate function)"
            );
            return Err(QueryError::clickhouse("illegal_aggregation", detail));
        };
        let on_rows = Place {
            grouped: false,
            ..place
        };
        let (mut nodes, kinds) = self.all(args, on_rows)?;
        let condition = if conditional { nodes.pop() } else { None };
        if distinct {
            if aggregate != aggregate::Aggregate::Count || nodes.is_empty() {
                return Err(QueryError::invalid(format!(
                    "DISTINCT is not supported in '{name}' here"
                )));
            }
            aggregate = aggregate::Aggregate::Unique;
        }
        let kind = aggregate::kind(aggregate, &kinds);
        let spec = Spec {
            aggregate,
            args: nodes,
            condition,
            kind: kind.clone(),
        };
        let mut known = grouping.aggregates.borrow_mut();
        let at = known
            .iter()
            .position(|other| *other == spec)
            .unwrap_or_else(|| {
                known.push(spec);
                known.len() - 1
            });
        Ok((Node::Aggregate(at), kind))
    }
}

fn known(name: &str) -> Result<&'static Definition, QueryError> {
    functions::lookup(name)
        .ok_or_else(|| QueryError::invalid(format!("Unsupported function call '{name}(...)'")))
}

fn comparison(name: &str) -> Option<Operator> {
    Some(match name {
        "equals" => Operator::Equal,
        "notequals" => Operator::NotEqual,
        "less" => Operator::Less,
        "lessorequals" => Operator::LessOrEqual,
        "greater" => Operator::Greater,
        "greaterorequals" => Operator::GreaterOrEqual,
        _ => return None,
    })
}

/// `JSONExtractString(properties, 'x')` needs no JSON: the properties are split already.
fn extraction(name: &str, args: &[Typed]) -> Option<Typed> {
    let extract = match name {
        "JSONExtractString" => Extract::Text,
        "JSONExtractRaw" => Extract::Raw,
        _ => return None,
    };
    match args {
        [
            (Node::Event(EventColumn::Properties), _),
            (Node::Const(Value::Str(key)), _),
        ] => Some((
            Node::EventExtract(Name::known(key), extract),
            Type::of(Kind::String),
        )),
        _ => None,
    }
}
