//! Static types, named as ClickHouse names them in an answer's `types`.

use std::fmt;

use super::value::Value;
use super::zone::Zone;

/// What a column holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Nothing,
    Bool,
    UInt8,
    Int64,
    UInt64,
    Float64,
    String,
    Date,
    DateTime(Zone),
    DateTime64(Zone),
    Uuid,
    Array(Box<Type>),
    Tuple(Vec<Type>),
    Interval,
    /// A person's properties as an object inside the interpreter; text outside.
    Props,
}

/// A kind and whether NULL may occur.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Type {
    pub(crate) kind: Kind,
    pub(crate) nullable: bool,
}

impl Type {
    pub(crate) fn of(kind: Kind) -> Self {
        Self {
            kind,
            nullable: false,
        }
    }

    pub(crate) fn nullable(kind: Kind) -> Self {
        Self {
            kind,
            nullable: true,
        }
    }

    pub(crate) fn or_null(mut self, nullable: bool) -> Self {
        self.nullable |= nullable;
        self
    }

    pub(crate) fn of_value(value: &Value) -> Self {
        Self::of(match value {
            Value::Null => return Self::nullable(Kind::Nothing),
            Value::Bool(_) => Kind::Bool,
            Value::Int(_) => Kind::Int64,
            Value::UInt(_) => Kind::UInt64,
            Value::Float(_) => Kind::Float64,
            Value::Str(_) => Kind::String,
            Value::Date(_) => Kind::Date,
            Value::DateTime {
                zone,
                precise: true,
                ..
            } => Kind::DateTime64(*zone),
            Value::DateTime {
                zone,
                precise: false,
                ..
            } => Kind::DateTime(*zone),
            Value::Uuid(_) => Kind::Uuid,
            Value::Array(items) => Kind::Array(Box::new(
                items
                    .first()
                    .map_or(Self::of(Kind::Nothing), Self::of_value),
            )),
            Value::Tuple(items) => Kind::Tuple(items.iter().map(Self::of_value).collect()),
            Value::Interval(..) => Kind::Interval,
            Value::Props(_) => Kind::Props,
        })
    }

    pub(crate) fn is_number(&self) -> bool {
        matches!(
            self.kind,
            Kind::Bool | Kind::UInt8 | Kind::Int64 | Kind::UInt64 | Kind::Float64
        )
    }

    pub(crate) fn is_text(&self) -> bool {
        matches!(self.kind, Kind::String | Kind::Props)
    }

    pub(crate) fn zone(&self) -> Option<Zone> {
        match self.kind {
            Kind::DateTime(zone) | Kind::DateTime64(zone) => Some(zone),
            _ => None,
        }
    }

    /// The type of a choice between two, as `if` makes it.
    pub(crate) fn union(&self, other: &Self) -> Self {
        let nullable = self.nullable || other.nullable;
        if self.kind == Kind::Nothing {
            return other.clone().or_null(nullable);
        }
        if other.kind == Kind::Nothing || self.kind == other.kind {
            return self.clone().or_null(nullable);
        }
        let kind = if self.is_number() && other.is_number() {
            if self.kind == Kind::Float64 || other.kind == Kind::Float64 {
                Kind::Float64
            } else {
                Kind::Int64
            }
        } else {
            self.kind.clone()
        };
        Self { kind, nullable }
    }

    /// What an aggregate over no rows yields.
    pub(crate) fn default_value(&self) -> Value {
        if self.nullable {
            return Value::Null;
        }
        match &self.kind {
            Kind::Nothing | Kind::Interval => Value::Null,
            Kind::Bool => Value::Bool(false),
            Kind::UInt8 | Kind::Int64 => Value::Int(0),
            Kind::UInt64 => Value::UInt(0),
            Kind::Float64 => Value::Float(0.0),
            Kind::String | Kind::Props => Value::str(""),
            Kind::Date => Value::Date(0),
            Kind::DateTime(zone) => Value::DateTime {
                micros: 0,
                zone: *zone,
                precise: false,
            },
            Kind::DateTime64(zone) => Value::DateTime {
                micros: 0,
                zone: *zone,
                precise: true,
            },
            Kind::Uuid => Value::Uuid(uuid::Uuid::nil()),
            Kind::Array(_) => Value::Array([].into()),
            Kind::Tuple(types) => Value::Tuple(types.iter().map(Self::default_value).collect()),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nullable {
            write!(f, "Nullable(")?;
        }
        match &self.kind {
            Kind::Nothing => f.write_str("Nothing")?,
            Kind::Bool => f.write_str("Bool")?,
            Kind::UInt8 => f.write_str("UInt8")?,
            Kind::Int64 => f.write_str("Int64")?,
            Kind::UInt64 => f.write_str("UInt64")?,
            Kind::Float64 => f.write_str("Float64")?,
            Kind::String | Kind::Props => f.write_str("String")?,
            Kind::Date => f.write_str("Date")?,
            Kind::DateTime(zone) => write!(f, "DateTime('{}')", zone.name())?,
            Kind::DateTime64(zone) => write!(f, "DateTime64(6, '{}')", zone.name())?,
            Kind::Uuid => f.write_str("UUID")?,
            Kind::Array(item) => write!(f, "Array({item})")?,
            Kind::Tuple(items) => {
                f.write_str("Tuple(")?;
                for (at, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if at > 0 { ", " } else { "" })?;
                }
                f.write_str(")")?;
            }
            Kind::Interval => f.write_str("IntervalSecond")?,
        }
        if self.nullable {
            f.write_str(")")
        } else {
            Ok(())
        }
    }
}
