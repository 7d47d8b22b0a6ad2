//! Scalar functions: their names, how many arguments they take, their types and what they do.

mod arrays;
mod convert;
mod dates;
pub(crate) mod json;
pub(crate) mod numbers;
mod text;

use std::fmt;

use super::Env;
use super::error::QueryError;
use super::types::{Kind, Type};
use super::value::Value;

pub(crate) use convert::{cast, constant_date_time, typed};

type Call = fn(&Env<'_>, &[Value]) -> Result<Value, QueryError>;

/// What is known of a call's arguments before it runs.
pub(crate) struct Args<'a> {
    pub(crate) env: &'a Env<'a>,
    pub(crate) types: &'a [Type],
    /// The value of each argument that is constant.
    pub(crate) consts: &'a [Option<&'a Value>],
}

impl Args<'_> {
    fn kind(&self, at: usize) -> Type {
        self.types
            .get(at)
            .cloned()
            .unwrap_or(Type::nullable(Kind::Nothing))
    }

    fn text(&self, at: usize) -> Option<&str> {
        self.consts
            .get(at)
            .copied()
            .flatten()
            .and_then(Value::as_str)
    }
}

/// A function as it is looked up.
pub(crate) struct Definition {
    pub(crate) name: &'static str,
    pub(crate) min: usize,
    pub(crate) max: usize,
    kind: fn(&Args<'_>) -> Type,
    call: Call,
    /// Gets NULL arguments itself; all others yield NULL for any NULL argument.
    takes_null: bool,
}

impl Definition {
    const fn new(
        name: &'static str,
        arity: (usize, usize),
        kind: fn(&Args<'_>) -> Type,
        call: Call,
    ) -> Self {
        Self {
            name,
            min: arity.0,
            max: arity.1,
            kind,
            call,
            takes_null: false,
        }
    }

    const fn taking_null(mut self) -> Self {
        self.takes_null = true;
        self
    }

    /// The type of a call with these arguments.
    pub(crate) fn type_of(&self, args: &Args<'_>) -> Type {
        let kind = (self.kind)(args);
        let nullable = !self.takes_null && args.types.iter().any(|kind| kind.nullable);
        kind.or_null(nullable)
    }

    pub(crate) fn function(&self) -> Function {
        Function {
            name: self.name,
            call: self.call,
            takes_null: self.takes_null,
        }
    }
}

/// A function ready to be called.
#[derive(Clone, Copy)]
pub(crate) struct Function {
    name: &'static str,
    call: Call,
    takes_null: bool,
}

impl Function {
    pub(crate) fn is(self, name: &str) -> bool {
        self.name == name
    }

    pub(crate) fn call(self, env: &Env<'_>, args: &[Value]) -> Result<Value, QueryError> {
        if !self.takes_null && args.iter().any(Value::is_null) {
            return Ok(Value::Null);
        }
        (self.call)(env, args)
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The function of this name. HogQL's names are case-sensitive but for a few.
pub(crate) fn lookup(name: &str) -> Option<&'static Definition> {
    let groups = [
        text::ALL,
        numbers::ALL,
        dates::ALL,
        convert::ALL,
        json::ALL,
        arrays::ALL,
    ];
    let all = || groups.iter().flat_map(|group| group.iter());
    all()
        .find(|definition| definition.name == name)
        .or_else(|| {
            let lower = name.to_ascii_lowercase();
            let folded = [
                "lower", "upper", "length", "nullif", "isnull", "now", "abs", "round", "floor",
                "ceil", "concat", "replace",
            ];
            folded
                .contains(&lower.as_str())
                .then(|| all().find(|definition| definition.name.eq_ignore_ascii_case(name)))?
        })
}

fn wrong_type(function: &str, value: &Value) -> QueryError {
    let kind = Type::of_value(value);
    let detail = format!("Illegal type {kind} of argument of function {function}");
    QueryError::clickhouse("illegal_type_of_argument", detail)
}

fn string(_: &Args<'_>) -> Type {
    Type::of(Kind::String)
}

fn flag(_: &Args<'_>) -> Type {
    Type::of(Kind::UInt8)
}

fn int(_: &Args<'_>) -> Type {
    Type::of(Kind::Int64)
}

fn float(_: &Args<'_>) -> Type {
    Type::of(Kind::Float64)
}

fn unsigned(_: &Args<'_>) -> Type {
    Type::of(Kind::UInt64)
}

fn first(args: &Args<'_>) -> Type {
    args.kind(0)
}
