//! The columns of the events table (POSTHOG.md 7.1).

use std::sync::LazyLock;

use regex::Regex;

use super::Env;
use super::types::{Kind, Type};
use super::value::Value;
use crate::world::event::Event;
use crate::world::property::{Name, Property};

/// A column of an event, or of its person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventColumn {
    Uuid,
    Event,
    Properties,
    Timestamp,
    DistinctId,
    ElementsChain,
    CreatedAt,
    PersonId,
    TeamId,
    SessionId,
    WindowId,
    PersonMode,
    ElementsHref,
    ElementsTexts,
    ElementsIds,
    ElementsTags,
    PersonCreatedAt,
    PersonIsIdentified,
    PersonProperties,
}

/// The columns that `select *` yields.
pub(crate) const STAR: [(&str, EventColumn); 7] = [
    ("uuid", EventColumn::Uuid),
    ("event", EventColumn::Event),
    ("properties", EventColumn::Properties),
    ("timestamp", EventColumn::Timestamp),
    ("distinct_id", EventColumn::DistinctId),
    ("elements_chain", EventColumn::ElementsChain),
    ("created_at", EventColumn::CreatedAt),
];

const OTHERS: [(&str, EventColumn); 9] = [
    ("person_id", EventColumn::PersonId),
    ("team_id", EventColumn::TeamId),
    ("$session_id", EventColumn::SessionId),
    ("$window_id", EventColumn::WindowId),
    ("person_mode", EventColumn::PersonMode),
    ("elements_chain_href", EventColumn::ElementsHref),
    ("elements_chain_texts", EventColumn::ElementsTexts),
    ("elements_chain_ids", EventColumn::ElementsIds),
    ("elements_chain_elements", EventColumn::ElementsTags),
];

static SESSION: LazyLock<Name> = LazyLock::new(|| Name::of("$session_id"));
static WINDOW: LazyLock<Name> = LazyLock::new(|| Name::of("$window_id"));
static PROFILE: LazyLock<Name> = LazyLock::new(|| Name::of("$process_person_profile"));
static HREF: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"[:"]href="(.*?)""#).ok());
static TEXTS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"[:"]text="(.*?)""#).ok());
static IDS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"[:"]attr_id="(.*?)""#).ok());
static TAGS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?:^|;)(a|button|form|input|select|textarea|label)(?:\.|$|:)").ok()
});

impl EventColumn {
    pub(crate) fn named(name: &str) -> Option<Self> {
        STAR.iter()
            .chain(&OTHERS)
            .find(|(known, _)| *known == name)
            .map(|(_, column)| *column)
    }

    pub(crate) fn kind(self, env: &Env<'_>) -> Type {
        match self {
            Self::Uuid | Self::PersonId => Type::of(Kind::Uuid),
            Self::Event
            | Self::Properties
            | Self::DistinctId
            | Self::ElementsChain
            | Self::PersonMode
            | Self::PersonProperties
            | Self::SessionId
            | Self::WindowId
            | Self::ElementsHref => Type::of(Kind::String),
            Self::Timestamp | Self::CreatedAt => Type::of(Kind::DateTime64(env.zone)),
            Self::PersonCreatedAt => Type::nullable(Kind::DateTime64(env.zone)),
            Self::TeamId => Type::of(Kind::Int64),
            Self::PersonIsIdentified => Type::nullable(Kind::UInt8),
            Self::ElementsTexts | Self::ElementsIds | Self::ElementsTags => {
                Type::of(Kind::Array(Box::new(Type::of(Kind::String))))
            }
        }
    }

    /// Bytes that reading the column costs in one row; 0 for what is weighed by its content.
    pub(crate) fn width(self) -> u64 {
        match self {
            Self::Uuid | Self::PersonId => 16,
            Self::Event => 12,
            Self::DistinctId | Self::SessionId | Self::WindowId => 36,
            Self::Timestamp | Self::CreatedAt | Self::TeamId | Self::PersonMode => 8,
            Self::PersonCreatedAt | Self::PersonIsIdentified | Self::PersonProperties => 64,
            Self::Properties
            | Self::ElementsChain
            | Self::ElementsHref
            | Self::ElementsTexts
            | Self::ElementsIds
            | Self::ElementsTags => 0,
        }
    }

    pub(crate) fn value(self, env: &Env<'_>, event: &Event) -> Value {
        match self {
            Self::Uuid => Value::Uuid(event.uuid),
            Self::Event => Value::Str(event.event.shared()),
            Self::Properties => Value::str(&event.properties.to_json_text()),
            Self::Timestamp => instant(env, event.timestamp),
            Self::CreatedAt => instant(env, event.created_at),
            Self::DistinctId => Value::Str(event.distinct_id.clone()),
            Self::ElementsChain => Value::Str(event.elements_chain.clone()),
            Self::PersonId => Value::Uuid(env.project.person_id_today(event)),
            Self::TeamId => Value::integer(i128::from(env.project.id)),
            Self::SessionId => text(event, *SESSION),
            Self::WindowId => text(event, *WINDOW),
            Self::PersonMode => {
                let personless = event.properties.get(*PROFILE) == Some(&Property::Bool(false));
                Value::str(if personless { "propertyless" } else { "full" })
            }
            Self::ElementsHref => {
                let found = HREF
                    .as_ref()
                    .and_then(|pattern| pattern.captures(&event.elements_chain));
                Value::str(
                    found
                        .and_then(|found| found.get(1))
                        .map_or("", |href| href.as_str()),
                )
            }
            Self::ElementsTexts => all(&TEXTS, &event.elements_chain, true),
            Self::ElementsIds => all(&IDS, &event.elements_chain, false),
            Self::ElementsTags => all(&TAGS, &event.elements_chain, true),
            Self::PersonCreatedAt => {
                person(env, event).map_or(Value::Null, |person| instant(env, person.created_at))
            }
            Self::PersonIsIdentified => {
                person(env, event).map_or(Value::Null, |person| Value::flag(person.is_identified))
            }
            Self::PersonProperties => Value::str(&person(env, event).map_or_else(
                || "{}".to_owned(),
                |person| person.properties.to_json_text(),
            )),
        }
    }
}

/// The person an event has today, if there is a row of it.
pub(crate) fn person<'w>(env: &Env<'w>, event: &Event) -> Option<&'w crate::world::person::Person> {
    env.project
        .persons()
        .get(&env.project.person_id_today(event))
}

/// A property as HogQL reads it where no column of its own was made for it: the text "null" is a
/// text, JSON null is NULL.
pub(crate) fn property(value: Option<&Property>) -> Value {
    value
        .and_then(Property::hogql_text)
        .map_or(Value::Null, Value::Str)
}

pub(crate) fn instant(env: &Env<'_>, at: jiff::Timestamp) -> Value {
    Value::DateTime {
        micros: at.as_microsecond(),
        zone: env.zone,
        precise: true,
    }
}

/// A property that PostHog keeps in a column of its own, which cannot be NULL: what is absent is
/// empty, and JSON null is its text.
fn text(event: &Event, name: Name) -> Value {
    match event.properties.get(name) {
        None => Value::str(""),
        Some(Property::Null) => Value::str("null"),
        Some(value) => value.hogql_text().map_or(Value::str(""), Value::Str),
    }
}

fn all(pattern: &Option<Regex>, chain: &str, distinct: bool) -> Value {
    let mut found: Vec<Value> = Vec::new();
    for captures in pattern
        .iter()
        .flat_map(|pattern| pattern.captures_iter(chain))
    {
        let item = Value::str(captures.get(1).map_or("", |part| part.as_str()));
        if !distinct || !found.contains(&item) {
            found.push(item);
        }
    }
    Value::Array(found.into())
}
