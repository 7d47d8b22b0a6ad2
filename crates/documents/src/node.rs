//! A YAML document as a tree in which every field knows its line.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_saphyr::Spanned;

/// A value and the line at which it is written, from 1.
pub(crate) struct Node {
    pub(crate) line: u64,
    pub(crate) value: Value,
}

/// A value. It has no `Debug`, for it may hold an API key.
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Object(Vec<Field>),
}

/// A field of an object; its line is the one of its name.
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) line: u64,
    pub(crate) node: Node,
}

impl Node {
    /// The field of that name.
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        match &self.value {
            Value::Object(fields) => fields.iter().find(|field| field.name == name),
            _ => None,
        }
    }

    /// The text of the field of that name.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match &self.field(name)?.node.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The line of the field at `path` (`spec.mapping.addedToCart.events[2].name`), or of the
    /// nearest one around it that is written.
    pub(crate) fn line_of(&self, path: &str) -> u64 {
        let mut line = self.line;
        let mut node = self;
        for part in path.split('.') {
            let (name, indexes) = part.split_once('[').unwrap_or((part, ""));
            let Some(field) = node.field(name) else {
                return line;
            };
            (line, node) = (field.line, &field.node);
            for index in indexes.split('[').filter_map(|i| i.strip_suffix(']')) {
                let Value::List(items) = &node.value else {
                    return line;
                };
                let Some(item) = index.parse().ok().and_then(|at: usize| items.get(at)) else {
                    return line;
                };
                (line, node) = (item.line, item);
            }
        }
        line
    }
}

impl Value {
    /// What it is, to be read after "must be … , not".
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "empty",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Object(_) => "a group of fields",
        }
    }
}

impl From<&Node> for serde_json::Value {
    fn from(node: &Node) -> Self {
        match &node.value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(value) => Self::Number(value.clone()),
            Value::Text(value) => Self::String(value.clone()),
            Value::List(items) => items.iter().map(Self::from).collect(),
            Value::Object(fields) => fields
                .iter()
                .map(|field| (field.name.clone(), Self::from(&field.node)))
                .collect(),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self {
            line: spanned.referenced.line(),
            value: spanned.value,
        })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i128<E: serde::de::Error>(self, value: i128) -> Result<Value, E> {
        self.visit_f64(value as f64)
    }

    fn visit_u128<E: serde::de::Error>(self, value: u128) -> Result<Value, E> {
        self.visit_f64(value as f64)
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        // Not-a-number and infinity have no JSON number; as text they are refused by type.
        Ok(Number::from_f64(value).map_or_else(|| Value::Text(value.to_string()), Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut fields = Vec::new();
        while let Some((name, node)) = entries.next_entry::<Spanned<String>, Node>()? {
            fields.push(Field {
                line: name.referenced.line(),
                name: name.value,
                node,
            });
        }
        Ok(Value::Object(fields))
    }
}
