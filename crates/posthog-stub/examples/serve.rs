//! Serves a generated shop and writes down what it holds, for tests that are not written in Rust:
//!
//! ```text
//! cargo run -p posthog-stub --example serve -- FOLDER EVENTS DAYS
//! ```
//!
//! Writes `events.jsonl`, `person_distinct_ids.jsonl`, `person_overrides.jsonl` and `cohort_people.jsonl`
//! into the folder, prints one line of JSON that says where it listens, and serves until its standard input ends. For
//! each line there it writes every query that it was asked so far into `queries.jsonl`, and says how many.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use posthog_stub::shop::Shop;
use posthog_stub::{Event, Key, PersonLink, Project, PropertyType, Stub, StubHandle, World};
use serde_json::{Value, json};

const KEY: &str = "phx_contract_stand_in_key";
const SCOPES: [&str; 4] = [
    "query:read",
    "project:read",
    "event_definition:read",
    "cohort:read",
];

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, events, days] = arguments.as_slice() else {
        return Err(
            "the arguments are a folder, a number of events and the days they lie within".into(),
        );
    };
    let folder = Path::new(folder);
    let now = Timestamp::now();
    let mut project = Shop {
        events: events.parse()?,
        days: days.parse()?,
        ..Shop::new(now)
    }
    .generate();
    project
        .property_types
        .insert("price".to_owned(), PropertyType::Numeric);
    add_odd_events(&mut project, now)?;
    for cohort in 1..=3 {
        if let Some(cohort) = project.cohort_mut(cohort) {
            cohort.recalculate(cohort.people.clone(), now);
        }
    }
    write_tables(&project, folder)?;
    let mut about = json!({
        "project": project.id,
        "timezone": project.timezone_name(),
        "numeric": ["price"],
        "cohorts": computed_cohorts(&project),
        "key": KEY,
    });
    let key = Key::new(KEY).scopes(SCOPES);
    let stub = Stub::start(World::new().with_project(project).with_key(key)).await?;
    about["url"] = stub.url().into();
    writeln!(io::stdout(), "{about}")?;
    while tokio::task::spawn_blocking(|| io::stdin().read_line(&mut String::new())).await?? > 0 {
        let queries = write_queries(&stub, folder)?;
        writeln!(io::stdout(), "{queries}")?;
    }
    stub.shutdown().await;
    Ok(())
}

/// Values and names that JSON, HogQL and ClickHouse each write in their own way.
fn add_odd_events(project: &mut Project, now: Timestamp) -> Outcome<()> {
    let values = [
        json!("plain"),
        json!("with \"quotes\" and a \\ in it"),
        json!("\"\""),
        json!("https://shop.example/products/größe/?a=b&c=/"),
        json!("line\nbreak\ttab"),
        json!(""),
        json!("null"),
        json!("19.90 EUR"),
        json!("1e3"),
        Value::Null,
        json!(true),
        json!(false),
        json!(0),
        json!(-5),
        json!(19.99),
        json!(7_890_123_456_789_i64),
        json!([1, "two", {"three": 3}]),
        json!([1000.0, 1e21, 1e-7, 0.1, null, true, "\n"]),
        json!("\u{1}\u{8}\u{c}\u{1f}\u{7f}\u{2028}\u{2029}"),
        json!({"\u{1f}\"": "\u{2028}/"}),
        json!(1e21),
        json!(2.5e-9),
        json!(0.000_001),
        json!(123_456_789_012_345_680.0),
        json!({"b": {"a": "deep \"quote\""}}),
    ];
    let names = [
        "customer_id",
        "weird `name`",
        "back\\slash",
        "a.b",
        "número",
        "$current_url",
        "$session_id",
        "alias",
        "$anon_distinct_id",
        "price",
        "sku",
        "utm_source",
    ];
    let clicked = "a.btn:href=\"/cart\"nth-child=\"1\"text=\"Buy \\\"now\\\"; or: later\";div";
    for (at, value) in values.into_iter().enumerate() {
        // Two share each instant, and some instants have a fraction that ends in zeros.
        let step = i64::try_from(at)?;
        let seen =
            now - SignedDuration::from_hours(30) + SignedDuration::from_micros(step / 2 * 500);
        for (event, chain) in [("product viewed", ""), ("$autocapture", clicked)] {
            let mut odd = Event::new(event, &format!("odd ' \\ {at}"), seen)
                .elements_chain(chain)
                .created_at(seen + SignedDuration::from_hours(step));
            for (index, name) in names.iter().enumerate() {
                if (index + at) % 5 != 0 {
                    odd = odd.property(name, value.clone());
                }
            }
            project.capture(odd);
        }
    }
    Ok(())
}

fn write_tables(project: &Project, folder: &Path) -> Outcome<()> {
    let mut events = BufWriter::new(File::create(folder.join("events.jsonl"))?);
    for event in project.events() {
        let row = json!({
            "uuid": event.uuid,
            "event": event.event.as_str(),
            "properties": event.properties.to_json_text(),
            "timestamp": event.timestamp.as_microsecond(),
            "distinct_id": &*event.distinct_id,
            "elements_chain": &*event.elements_chain,
            "created_at": event.created_at.as_microsecond(),
            "person_id": event.person_id,
        });
        writeln!(events, "{row}")?;
    }
    events.flush()?;
    let ids = folder.join("person_distinct_ids.jsonl");
    write_links(project.distinct_ids().iter(), &ids)?;
    let overrides = folder.join("person_overrides.jsonl");
    write_links(project.overrides().iter(), &overrides)?;
    write_members(project, &folder.join("cohort_people.jsonl"))
}

/// The dynamic cohorts, each with the number of its last computation.
fn computed_cohorts(project: &Project) -> Vec<(u64, u64)> {
    let cohorts = project.cohorts().values();
    cohorts
        .filter_map(|cohort| Some((cohort.id, cohort.version?)))
        .collect()
}

fn write_members(project: &Project, path: &Path) -> Outcome<()> {
    let mut out = BufWriter::new(File::create(path)?);
    for cohort in project.cohorts().values() {
        for person in &cohort.people {
            let row = json!({
                "cohort_id": cohort.id,
                "person_id": person,
                "version": cohort.version.unwrap_or_default(),
                "is_static": cohort.is_static,
            });
            writeln!(out, "{row}")?;
        }
    }
    Ok(out.flush()?)
}

fn write_links<'a>(
    links: impl Iterator<Item = (&'a Arc<str>, &'a PersonLink)>,
    path: &Path,
) -> Outcome<()> {
    let mut out = BufWriter::new(File::create(path)?);
    for (id, link) in links {
        let row =
            json!({"distinct_id": &**id, "person_id": link.person_id, "version": link.version});
        writeln!(out, "{row}")?;
    }
    Ok(out.flush()?)
}

fn write_queries(stub: &StubHandle, folder: &Path) -> Outcome<usize> {
    let mut out = BufWriter::new(File::create(folder.join("queries.jsonl"))?);
    let mut written = 0;
    for request in stub.requests() {
        let Some(text) = request.query else { continue };
        let row = json!({
            "name": request.name,
            "text": text,
            "values": request.values,
            "status": request.status,
            "rows": request.rows,
        });
        writeln!(out, "{row}")?;
        written += 1;
    }
    out.flush()?;
    Ok(written)
}
