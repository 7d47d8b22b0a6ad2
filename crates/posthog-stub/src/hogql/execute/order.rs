//! ORDER BY, and the choice of the first rows when there is a LIMIT.

use std::cmp::Ordering;

use super::super::Env;
use super::super::columns::EventColumn;
use super::super::error::QueryError;
use super::super::node::Node;
use super::super::source::Row;
use super::super::value::Value;

/// The sort keys of a query.
#[derive(Debug, Default)]
pub(super) struct Sorter {
    keys: Vec<Key>,
}

#[derive(Debug)]
struct Key {
    node: Node,
    descending: bool,
    nulls_first: bool,
    /// The key is the text of a uuid: its bytes sort alike and need not be written out.
    uuid_text: bool,
}

impl Sorter {
    pub(super) fn push(&mut self, node: Node, descending: bool, nulls_first: bool) {
        let uuid = Node::Event(EventColumn::Uuid);
        let uuid_text = matches!(&node, Node::Call(function, args) if function.is("toString") && *args == [uuid.clone()]);
        let node = if uuid_text { uuid } else { node };
        self.keys.push(Key {
            node,
            descending,
            nulls_first,
            uuid_text,
        });
    }

    /// Whether the first key is the events' own time, and if so whether it descends.
    pub(super) fn by_time(&self) -> Option<bool> {
        let first = self.keys.first()?;
        (first.node == Node::Event(EventColumn::Timestamp)).then_some(first.descending)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Sorts the rows; with `first`, only so many at the front need be right, and the others may go.
    pub(super) fn sort(
        &self,
        env: &Env<'_>,
        rows: &mut Vec<Row<'_>>,
        first: Option<usize>,
    ) -> Result<(), QueryError> {
        if self.keys.is_empty() {
            return Ok(());
        }
        let mut keyed = Vec::with_capacity(rows.len());
        for row in rows.drain(..) {
            let values: Result<Vec<Value>, QueryError> = self
                .keys
                .iter()
                .map(|key| key.node.eval(env, row))
                .collect();
            keyed.push((values?, row));
        }
        if let Some(first) = first.filter(|first| *first > 0 && *first < keyed.len()) {
            keyed.select_nth_unstable_by(first - 1, |one, two| self.compare(&one.0, &two.0));
            keyed.truncate(first);
        }
        keyed.sort_by(|one, two| self.compare(&one.0, &two.0));
        rows.extend(keyed.into_iter().map(|(_, row)| row));
        Ok(())
    }

    fn compare(&self, one: &[Value], two: &[Value]) -> Ordering {
        for ((key, one), two) in self.keys.iter().zip(one).zip(two) {
            let order = match (one.is_null(), two.is_null()) {
                (true, true) => Ordering::Equal,
                (true, false) => {
                    if key.nulls_first {
                        Ordering::Less
                    } else {
                        Ordering::Greater
                    }
                }
                (false, true) => {
                    if key.nulls_first {
                        Ordering::Greater
                    } else {
                        Ordering::Less
                    }
                }
                (false, false) => {
                    let order = match (one, two) {
                        (Value::Uuid(one), Value::Uuid(two)) if key.uuid_text => {
                            one.as_bytes().cmp(two.as_bytes())
                        }
                        _ => one.compare(two).unwrap_or(Ordering::Equal),
                    };
                    if key.descending {
                        order.reverse()
                    } else {
                        order
                    }
                }
            };
            if order != Ordering::Equal {
                return order;
            }
        }
        Ordering::Equal
    }
}
