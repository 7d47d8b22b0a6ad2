//! The small tables, materialised for each query in HogQL's columns (POSTHOG.md 7.3, 7.4).

use std::collections::HashMap;
use std::sync::Arc;

use super::Env;
use super::columns::instant;
use super::source::{Column, Table};
use super::types::{Kind, Type};
use super::value::Value;
use crate::world::person::PersonLink;

/// The table of this name, `events` excepted; `None` is an unknown table.
pub(crate) fn named(env: &Env<'_>, name: &str) -> Option<Table> {
    let project = env.project;
    let team = Value::integer(i128::from(project.id));
    match name {
        "persons" => Some(persons(env, &team)),
        "person_distinct_ids" => Some(links(&team, &project.distinct_ids, false)),
        "raw_person_distinct_ids" => Some(links(&team, &project.distinct_ids, true)),
        "person_distinct_id_overrides" => Some(links(&team, &project.overrides, false)),
        "raw_person_distinct_id_overrides" => Some(links(&team, &project.overrides, true)),
        "cohort_people" => Some(cohorts(env, &team, false)),
        "static_cohort_people" => Some(cohorts(env, &team, true)),
        _ => None,
    }
}

fn columns(list: Vec<(&str, Kind)>) -> Vec<Column> {
    list.into_iter()
        .map(|(name, kind)| Column {
            name: name.to_owned(),
            kind: Type::of(kind),
        })
        .collect()
}

fn persons(env: &Env<'_>, team: &Value) -> Table {
    let rows = env
        .project
        .persons
        .values()
        .map(|person| {
            vec![
                Value::Uuid(person.id),
                instant(env, person.created_at),
                team.clone(),
                Value::Props(person.properties.clone()),
                Value::flag(person.is_identified),
            ]
        })
        .collect();
    let columns = columns(vec![
        ("id", Kind::Uuid),
        ("created_at", Kind::DateTime64(env.zone)),
        ("team_id", Kind::Int64),
        ("properties", Kind::Props),
        ("is_identified", Kind::UInt8),
    ]);
    Table { columns, rows }
}

fn links(team: &Value, links: &HashMap<Arc<str>, PersonLink>, raw: bool) -> Table {
    let rows = links
        .iter()
        .map(|(id, link)| {
            let mut row = vec![
                team.clone(),
                Value::Str(id.clone()),
                Value::Uuid(link.person_id),
            ];
            if raw {
                row.extend([Value::Int(0), Value::integer(i128::from(link.version))]);
            }
            row
        })
        .collect();
    let mut list = vec![
        ("team_id", Kind::Int64),
        ("distinct_id", Kind::String),
        ("person_id", Kind::Uuid),
    ];
    if raw {
        list.extend([("is_deleted", Kind::Int64), ("version", Kind::Int64)]);
    }
    Table {
        columns: columns(list),
        rows,
    }
}

fn cohorts(env: &Env<'_>, team: &Value, fixed: bool) -> Table {
    let listed = env
        .project
        .cohorts
        .values()
        .filter(|cohort| cohort.is_static == fixed && cohort.is_listed());
    let rows = listed
        .flat_map(|cohort| {
            let id = Value::integer(i128::from(cohort.id));
            cohort
                .people
                .iter()
                .map(move |person| vec![Value::Uuid(*person), id.clone(), team.clone()])
        })
        .collect();
    let columns = columns(vec![
        ("person_id", Kind::Uuid),
        ("cohort_id", Kind::Int64),
        ("team_id", Kind::Int64),
    ]);
    Table { columns, rows }
}
