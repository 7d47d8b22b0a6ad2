//! Event and person properties, split once so that a scan never parses JSON.
//! Values keep the text that HogQL's `properties.x` yields, beside their JSON.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::Value as Json;

use super::clickhouse;
pub use super::name::Name;

/// One property value.
#[derive(Debug, Clone, PartialEq)]
pub enum Property {
    /// JSON null: HogQL cannot tell it from an absent property.
    Null,
    /// true or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A string whose JSON form needs no escape.
    Text(Arc<str>),
    /// Anything else: an array, an object, or a string with escapes.
    Nested(Arc<Nested>),
}

/// A value kept with both of its texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Nested {
    /// The JSON value.
    pub json: Json,
    /// Its JSON text.
    pub raw: Box<str>,
    /// What `properties.x` yields: ClickHouse's text of it less one quote at either end, escapes left as
    /// they are.
    pub text: Arc<str>,
}

impl Property {
    /// What HogQL's `properties.x` yields; `None` is NULL.
    #[must_use]
    pub fn hogql_text(&self) -> Option<Arc<str>> {
        match self {
            Self::Null => None,
            Self::Bool(true) => Some("true".into()),
            Self::Bool(false) => Some("false".into()),
            Self::Int(number) => Some(number.to_string().into()),
            Self::Float(number) => Some(clickhouse::float(*number).into()),
            Self::Text(text) => Some(text.clone()),
            Self::Nested(nested) => Some(nested.text.clone()),
        }
    }

    /// Appends the JSON text.
    pub(crate) fn write_json(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Int(number) => push_display(out, number),
            Self::Float(number) => out.push_str(&clickhouse::float(*number)),
            Self::Text(text) => {
                out.push('"');
                out.push_str(text);
                out.push('"');
            }
            Self::Nested(nested) => out.push_str(&nested.raw),
        }
    }

    /// The value as JSON.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Int(number) => Json::from(*number),
            Self::Float(number) => Json::from(*number),
            Self::Text(text) => Json::String(text.to_string()),
            Self::Nested(nested) => nested.json.clone(),
        }
    }

    /// About how many bytes the value takes in PostHog's column, for the read-bytes budget.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Null | Self::Bool(_) => 5,
            Self::Int(_) | Self::Float(_) => 8,
            Self::Text(text) => text.len() + 2,
            Self::Nested(nested) => nested.raw.len(),
        }
    }
}

fn push_display(out: &mut String, number: &impl std::fmt::Display) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{number}");
}

fn needs_escape(text: &str) -> bool {
    text.chars().any(|character| {
        character < ' ' || ['"', '\\', '\u{2028}', '\u{2029}'].contains(&character)
    })
}

fn nested(json: Json) -> Property {
    let (raw, written) = (json.to_string(), clickhouse::raw(&json));
    let text = written.strip_prefix('"').unwrap_or(&written);
    let text: Arc<str> = text.strip_suffix('"').unwrap_or(text).into();
    Property::Nested(Arc::new(Nested {
        json,
        raw: raw.into_boxed_str(),
        text,
    }))
}

impl From<Json> for Property {
    fn from(json: Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(value),
            Json::Number(number) => number.as_i64().map_or_else(
                || Self::Float(number.as_f64().unwrap_or_default()),
                Self::Int,
            ),
            Json::String(text) if !needs_escape(&text) => Self::Text(text.into()),
            other => nested(other),
        }
    }
}

impl From<Arc<str>> for Property {
    fn from(text: Arc<str>) -> Self {
        if needs_escape(&text) {
            nested(Json::String(text.to_string()))
        } else {
            Self::Text(text)
        }
    }
}

impl From<&str> for Property {
    fn from(text: &str) -> Self {
        Arc::<str>::from(text).into()
    }
}

impl From<String> for Property {
    fn from(text: String) -> Self {
        Arc::<str>::from(text).into()
    }
}

impl From<i64> for Property {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<f64> for Property {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<i32> for Property {
    fn from(number: i32) -> Self {
        Self::Int(number.into())
    }
}

impl From<bool> for Property {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

/// A set of properties: what this row says itself, over what it shares with others (its session's).
#[derive(Debug, Clone, Default)]
pub struct Properties {
    shared: Option<Arc<Vec<(Name, Property)>>>,
    own: Vec<(Name, Property)>,
}

impl Properties {
    /// No properties.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Properties on top of a shared list, which must not repeat a name.
    #[must_use]
    pub fn over(shared: Arc<Vec<(Name, Property)>>) -> Self {
        Self {
            shared: Some(shared),
            own: Vec::new(),
        }
    }

    /// The properties of a JSON object; anything else has none.
    #[must_use]
    pub fn from_json(object: Json) -> Self {
        let mut properties = Self::new();
        if let Json::Object(map) = object {
            for (name, value) in map {
                properties.set(Name::of(&name), value);
            }
        }
        properties
    }

    /// Sets a property, replacing an earlier value.
    pub fn set(&mut self, name: Name, value: impl Into<Property>) {
        let value = value.into();
        match self.own.iter_mut().find(|(known, _)| *known == name) {
            Some(slot) => slot.1 = value,
            None => self.own.push((name, value)),
        }
    }

    /// Adds a property that is not among this row's own yet.
    pub(crate) fn push(&mut self, name: Name, value: Property) {
        self.own.push((name, value));
    }

    /// The value under a name.
    #[must_use]
    pub fn get(&self, name: Name) -> Option<&Property> {
        let find = |list: &'_ [(Name, Property)]| list.iter().position(|(known, _)| *known == name);
        if let Some(at) = find(&self.own) {
            return self.own.get(at).map(|(_, value)| value);
        }
        let shared = self.shared.as_deref()?;
        find(shared)
            .and_then(|at| shared.get(at))
            .map(|(_, value)| value)
    }

    /// Every name and value once.
    pub fn iter(&self) -> impl Iterator<Item = (Name, &Property)> {
        let shared = self
            .shared
            .as_deref()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let own = &self.own;
        shared
            .iter()
            .filter(|(name, _)| !own.iter().any(|(known, _)| known == name))
            .chain(own)
            .map(|(name, value)| (*name, value))
    }

    /// The JSON text, as `select properties` returns it.
    #[must_use]
    pub fn to_json_text(&self) -> String {
        let mut out = String::with_capacity(512);
        out.push('{');
        for (at, (name, value)) in self.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            Property::from(name.as_str()).write_json(&mut out);
            out.push(':');
            value.write_json(&mut out);
        }
        out.push('}');
        out
    }

    /// About how many bytes the JSON text takes.
    pub(crate) fn weight(&self) -> usize {
        2 + self
            .iter()
            .map(|(name, value)| name.as_str().len() + value.weight() + 4)
            .sum::<usize>()
    }
}
