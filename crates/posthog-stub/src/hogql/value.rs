//! Values at run time, with ClickHouse's ideas of equality and order.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use uuid::Uuid;

use super::dates;
use super::zone::Zone;
use crate::world::property::Properties;

/// A unit of time in an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

/// One value.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float(f64),
    Str(Arc<str>),
    /// Days since 1970-01-01.
    Date(i32),
    /// An instant shown in a zone; `precise` is DateTime64(6), else DateTime.
    DateTime {
        micros: i64,
        zone: Zone,
        precise: bool,
    },
    Uuid(Uuid),
    Array(Arc<[Value]>),
    Tuple(Arc<[Value]>),
    Interval(Unit, i64),
    /// A person's properties; text once it leaves the interpreter.
    Props(Arc<Properties>),
}

impl Value {
    pub(crate) fn str(text: &str) -> Self {
        Self::Str(text.into())
    }

    pub(crate) fn flag(truth: bool) -> Self {
        Self::Int(i64::from(truth))
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// As a condition: NULL and zero are false.
    pub(crate) fn is_true(&self) -> bool {
        match self {
            Self::Bool(truth) => *truth,
            Self::Int(number) => *number != 0,
            Self::UInt(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            _ => false,
        }
    }

    pub(crate) fn as_float(&self) -> Option<f64> {
        match self {
            Self::Bool(truth) => Some(f64::from(u8::from(*truth))),
            Self::Int(number) => Some(*number as f64),
            Self::UInt(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn as_int(&self) -> Option<i128> {
        match self {
            Self::Bool(truth) => Some(i128::from(*truth)),
            Self::Int(number) => Some(i128::from(*number)),
            Self::UInt(number) => Some(i128::from(*number)),
            _ => None,
        }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number in the narrowest variant that holds it.
    pub(crate) fn integer(number: i128) -> Self {
        i64::try_from(number).map_or_else(
            |_| u64::try_from(number).map_or(Self::Float(number as f64), Self::UInt),
            Self::Int,
        )
    }

    /// ClickHouse's comparison; `None` when the two cannot be compared.
    pub(crate) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Str(one), Self::Str(two)) => Some(one.as_bytes().cmp(two.as_bytes())),
            (Self::Uuid(one), Self::Uuid(two)) => Some(uuid_order(*one, *two)),
            (Self::DateTime { micros: one, .. }, Self::DateTime { micros: two, .. }) => {
                Some(one.cmp(two))
            }
            (Self::Date(one), Self::Date(two)) => Some(one.cmp(two)),
            (Self::DateTime { micros, zone, .. }, Self::Date(days)) => {
                dates::midnight(*days, *zone).map(|other| micros.cmp(&other))
            }
            (Self::Date(_), Self::DateTime { .. }) => other.compare(self).map(Ordering::reverse),
            (Self::Tuple(one), Self::Tuple(two)) | (Self::Array(one), Self::Array(two)) => {
                compare_lists(one, two)
            }
            (Self::Null, Self::Null) => Some(Ordering::Equal),
            (Self::Null, _) => Some(Ordering::Greater),
            (_, Self::Null) => Some(Ordering::Less),
            _ => self.compare_numbers(other),
        }
    }

    fn compare_numbers(&self, other: &Self) -> Option<Ordering> {
        if let (Some(one), Some(two)) = (self.as_int(), other.as_int()) {
            return Some(one.cmp(&two));
        }
        Some(self.as_float()?.total_cmp(&other.as_float()?))
    }
}

fn compare_lists(one: &[Value], two: &[Value]) -> Option<Ordering> {
    for (one, two) in one.iter().zip(two) {
        match one.compare(two)? {
            Ordering::Equal => {}
            unequal => return Some(unequal),
        }
    }
    Some(one.len().cmp(&two.len()))
}

/// ClickHouse keeps a UUID as two 64-bit halves and compares the second half first, unlike its text.
fn uuid_order(one: Uuid, two: Uuid) -> Ordering {
    let (one_first, one_second) = one.as_u64_pair();
    let (two_first, two_second) = two.as_u64_pair();
    (one_second, one_first).cmp(&(two_second, two_first))
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.compare(other) == Some(Ordering::Equal)
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Null => 0_u8.hash(state),
            // Equal numbers of different variants must hash alike.
            Self::Bool(_) | Self::Int(_) | Self::UInt(_) | Self::Float(_) => {
                self.as_float().unwrap_or_default().to_bits().hash(state);
            }
            Self::Str(text) => text.hash(state),
            Self::Date(days) => days.hash(state),
            Self::Interval(..) | Self::Props(_) => 1_u8.hash(state),
            Self::DateTime { micros, .. } => micros.hash(state),
            Self::Uuid(uuid) => uuid.hash(state),
            Self::Array(items) | Self::Tuple(items) => items.hash(state),
        }
    }
}
