//! What a name means: an alias, a column, a property, a field of the person.

use super::super::columns::EventColumn;
use super::super::error::QueryError;
use super::super::functions;
use super::super::node::Node;
use super::super::source::{Column, Schema};
use super::super::types::{Kind, Type};
use super::{Compiled, Compiler, Place, Typed};
use crate::world::property::Name;

fn unresolved(path: &[String]) -> QueryError {
    QueryError::invalid(format!("Unable to resolve field: {}", path.join(".")))
}

impl Compiler<'_, '_> {
    pub(super) fn field(&self, path: &[String], place: Place) -> Compiled {
        let Some((first, rest)) = path.split_first() else {
            return Err(unresolved(path));
        };
        if let Some(at) = self.alias(first, place) {
            let item = self.items.get(at).ok_or_else(|| unresolved(path))?;
            let inner = self.compile(
                &item.expr,
                Place {
                    aliases: at,
                    ..place
                },
            )?;
            return if rest.is_empty() {
                Ok(inner)
            } else {
                nested(inner, rest)
            };
        }
        if place.grouped {
            let detail = format!(
                "Column `{}` is not under aggregate function and not in GROUP BY keys",
                path.join(".")
            );
            return Err(QueryError::clickhouse("not_an_aggregate", detail));
        }
        if self.table == Some(first.as_str()) && !rest.is_empty() {
            return self.column(rest);
        }
        self.column(path)
    }

    fn alias(&self, name: &str, place: Place) -> Option<usize> {
        let visible = self.items.get(..place.aliases).unwrap_or_default();
        visible
            .iter()
            .rposition(|item| item.alias.as_deref() == Some(name))
    }

    fn column(&self, path: &[String]) -> Compiled {
        match self.schema {
            Schema::Nothing => Err(unresolved(path)),
            Schema::Events => self.event_column(path),
            Schema::Cells(columns) => cell(columns, path),
        }
    }

    fn event_column(&self, path: &[String]) -> Compiled {
        let parts: Vec<&str> = path.iter().map(String::as_str).collect();
        match parts.as_slice() {
            ["properties", name, deeper @ ..] => {
                self.touched.borrow_mut().property();
                let text = (
                    Node::EventProperty(Name::known(name)),
                    Type::nullable(Kind::String),
                );
                if !deeper.is_empty() {
                    return nested(text, path.get(2..).unwrap_or_default());
                }
                match self.env.project.property_types.get(*name) {
                    None => Ok(text),
                    Some(kind) => self.apply(functions::typed(*kind), vec![text]),
                }
            }
            ["person", "properties", name, deeper @ ..] => {
                let text = self.person(
                    Node::PersonProperty(Name::known(name)),
                    Type::nullable(Kind::String),
                );
                if deeper.is_empty() {
                    Ok(text)
                } else {
                    nested(text, path.get(3..).unwrap_or_default())
                }
            }
            ["person", field] => {
                let column = match *field {
                    "id" => EventColumn::PersonId,
                    "created_at" => EventColumn::PersonCreatedAt,
                    "is_identified" => EventColumn::PersonIsIdentified,
                    "properties" => EventColumn::PersonProperties,
                    _ => return Err(unresolved(path)),
                };
                Ok(self.person(Node::Event(column), column.kind(self.env)))
            }
            [name] => {
                let column = EventColumn::named(name).ok_or_else(|| unresolved(path))?;
                self.touched.borrow_mut().column(column);
                Ok((Node::Event(column), column.kind(self.env)))
            }
            _ => Err(unresolved(path)),
        }
    }

    fn person(&self, node: Node, kind: Type) -> Typed {
        self.touched
            .borrow_mut()
            .column(EventColumn::PersonProperties);
        (node, kind)
    }
}

/// A path below a text or an object.
fn nested((node, kind): Typed, path: &[String]) -> Compiled {
    if !kind.is_text() {
        return Err(unresolved(path));
    }
    Ok((
        Node::JsonPath(Box::new(node), path.to_vec()),
        Type::nullable(Kind::String),
    ))
}

fn cell(columns: &[Column], path: &[String]) -> Compiled {
    let (first, rest) = path.split_first().ok_or_else(|| unresolved(path))?;
    let at = columns
        .iter()
        .position(|column| column.name == *first)
        .ok_or_else(|| unresolved(path))?;
    let kind = columns
        .get(at)
        .map_or(Type::of(Kind::Nothing), |column| column.kind.clone());
    match rest {
        [] => Ok((Node::Cell(at), kind)),
        [name] if kind.kind == Kind::Props => Ok((
            Node::CellProperty(at, Name::known(name)),
            Type::nullable(Kind::String),
        )),
        deeper => nested((Node::Cell(at), kind), deeper),
    }
}
