//! What a scan of the events table would cost ClickHouse, and which rows it can skip.
//!
//! The table is sorted by day, event name and hash of the distinct id: bounds on `timestamp` skip
//! days, names skip the rest of a day, ranges of the hash the rest of a name, nothing else skips anything. Narrow columns are read for every
//! row that is not skipped; what is weighed by content (properties, elements chain) for rows that pass the filter.

use std::collections::HashSet;
use std::sync::Arc;

use super::ast::Operator;
use super::columns::EventColumn;
use super::node::Node;
use super::value::Value;
use crate::world::event::Event;

const DAY: i64 = 86_400_000_000;

/// Bounds that the filter's top-level conditions set.
#[derive(Debug, Default)]
pub(crate) struct Bounds {
    /// First instant within, in microseconds.
    pub(crate) from: Option<i64>,
    /// Last instant within.
    pub(crate) to: Option<i64>,
    names: Option<Arc<HashSet<Value>>>,
    /// First and last hash of the distinct id within.
    hashes: Option<(i128, i128)>,
}

impl Bounds {
    pub(crate) fn of(filter: Option<&Node>) -> Self {
        let mut bounds = Self::default();
        match filter {
            Some(Node::And(parts)) => parts.iter().for_each(|part| bounds.take(part)),
            Some(part) => bounds.take(part),
            None => {}
        }
        bounds
    }

    fn take(&mut self, part: &Node) {
        match part {
            Node::And(parts) => parts.iter().for_each(|part| self.take(part)),
            Node::Compare(operator, one, two) => match (&**one, &**two) {
                (
                    Node::Event(EventColumn::Timestamp),
                    Node::Const(Value::DateTime { micros, .. }),
                ) => self.time(*operator, *micros),
                (
                    Node::Const(Value::DateTime { micros, .. }),
                    Node::Event(EventColumn::Timestamp),
                ) => {
                    self.time(mirrored(*operator), *micros);
                }
                (Node::Event(EventColumn::Event), Node::Const(name))
                | (Node::Const(name), Node::Event(EventColumn::Event))
                    if *operator == Operator::Equal =>
                {
                    self.names = Some(Arc::new(HashSet::from([name.clone()])));
                }
                (Node::Call(function, args), Node::Const(hash))
                    if function.is("cityHash64")
                        && *args == [Node::Event(EventColumn::DistinctId)] =>
                {
                    self.hash(*operator, hash);
                }
                _ => {}
            },
            Node::In(item, names, false) if **item == Node::Event(EventColumn::Event) => {
                self.names = Some(names.clone());
            }
            _ => {}
        }
    }

    fn hash(&mut self, operator: Operator, hash: &Value) {
        let Some(hash) = hash.as_int() else { return };
        let (from, to) = self.hashes.unwrap_or((0, i128::from(u64::MAX)));
        self.hashes = match operator {
            Operator::Greater => Some((from.max(hash + 1), to)),
            Operator::GreaterOrEqual => Some((from.max(hash), to)),
            Operator::Less => Some((from, to.min(hash - 1))),
            Operator::LessOrEqual => Some((from, to.min(hash))),
            _ => self.hashes,
        };
    }

    fn time(&mut self, operator: Operator, micros: i64) {
        let (from, to) = match operator {
            Operator::Greater => (Some(micros + 1), None),
            Operator::GreaterOrEqual => (Some(micros), None),
            Operator::Less => (None, Some(micros - 1)),
            Operator::LessOrEqual => (None, Some(micros)),
            Operator::Equal => (Some(micros), Some(micros)),
            _ => (None, None),
        };
        self.from = self.from.max(from);
        self.to = match (self.to, to) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
    }

    /// The events within the bounds; `events` are sorted by time.
    pub(crate) fn cut<'w>(&self, events: &'w [Event]) -> &'w [Event] {
        slice(events, self.from, self.to)
    }

    /// Rows that ClickHouse cannot skip: whole days, within them whole names, within those a range of hashes.
    pub(crate) fn unskipped(&self, events: &[Event]) -> u64 {
        let from = self.from.map(|micros| micros.div_euclid(DAY) * DAY);
        let to = self.to.map(|micros| (micros.div_euclid(DAY) + 1) * DAY - 1);
        let days = slice(events, from, to);
        let count = match &self.names {
            None => days.len(),
            Some(names) => {
                let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
                let within = |event: &&Event| match self.hashes {
                    None => true,
                    Some((from, to)) => {
                        let hash = ch_cityhash102::cityhash64(event.distinct_id.as_bytes());
                        (from..=to).contains(&i128::from(hash))
                    }
                };
                let named = days
                    .iter()
                    .filter(|event| names.contains(&event.event.as_str()));
                named.filter(within).count()
            }
        };
        count as u64
    }
}

fn mirrored(operator: Operator) -> Operator {
    match operator {
        Operator::Less => Operator::Greater,
        Operator::LessOrEqual => Operator::GreaterOrEqual,
        Operator::Greater => Operator::Less,
        Operator::GreaterOrEqual => Operator::LessOrEqual,
        other => other,
    }
}

fn slice(events: &[Event], from: Option<i64>, to: Option<i64>) -> &[Event] {
    let start = from.map_or(0, |from| {
        events.partition_point(|event| event.timestamp.as_microsecond() < from)
    });
    let end = to.map_or(events.len(), |to| {
        events.partition_point(|event| event.timestamp.as_microsecond() <= to)
    });
    events.get(start..end.max(start)).unwrap_or_default()
}

/// Which columns a query touches.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    narrow: Vec<EventColumn>,
    properties: bool,
    elements: bool,
}

impl Touched {
    pub(crate) fn column(&mut self, column: EventColumn) {
        match column {
            EventColumn::Properties => self.properties = true,
            EventColumn::ElementsChain
            | EventColumn::ElementsHref
            | EventColumn::ElementsTexts
            | EventColumn::ElementsIds
            | EventColumn::ElementsTags => self.elements = true,
            _ if self.narrow.contains(&column) => {}
            _ => self.narrow.push(column),
        }
    }

    pub(crate) fn property(&mut self) {
        self.properties = true;
    }

    /// Bytes of the narrow columns in one row.
    pub(crate) fn narrow_bytes(&self) -> u64 {
        self.narrow.iter().map(|column| column.width()).sum()
    }

    /// Bytes of the wide columns in this row.
    pub(crate) fn wide_bytes(&self, event: &Event) -> u64 {
        let properties = if self.properties {
            event.properties.weight()
        } else {
            0
        };
        let elements = if self.elements {
            event.elements_chain.len()
        } else {
            0
        };
        (properties + elements) as u64
    }
}
