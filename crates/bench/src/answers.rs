//! What the shop's PostHog answers to the queries of a backfill, in the form of its API.

use std::collections::BTreeMap;

use bytes::Bytes;
use domain::Event;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::Outcome;
use crate::shop::{DAYS, PEOPLE, Shop, distinct_id, hash, person_id};

/// A query as the client sends it.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) values: Map<String, Value>,
}

impl Question {
    /// Reads a request's body.
    pub(crate) fn read(body: &[u8]) -> Outcome<Self> {
        let body: Value = serde_json::from_slice(body)?;
        let text = |pointer: &str| {
            let text = body.pointer(pointer).and_then(Value::as_str);
            text.map(str::to_owned)
                .ok_or_else(|| format!("the request has no {pointer}"))
        };
        let values = body.pointer("/query/values").and_then(Value::as_object);
        Ok(Self {
            name: text("/name")?.replace("ordinary_posthog_", ""),
            text: text("/query/query")?,
            values: values.cloned().unwrap_or_default(),
        })
    }

    /// What tells its answer from others: runs at different times ask for different ends of the
    /// range, between which the shop has no events.
    pub(crate) fn key(&self, shop: &Shop) -> String {
        let mut values = self.values.clone();
        if let Ok((from, to)) = self.range(shop) {
            values.insert("from".to_owned(), from.to_string().into());
            values.insert("to".to_owned(), to.to_string().into());
        }
        for padded in ["padded_from", "padded_to"] {
            values.remove(padded);
        }
        format!("{} {}", self.name, Value::Object(values))
    }

    /// The part of the shop's time that it asks about.
    fn range(&self, shop: &Shop) -> Outcome<(Timestamp, Timestamp)> {
        let bound = |name: &str| -> Outcome<Timestamp> {
            let text = self.values.get(name).and_then(Value::as_str).unwrap_or("");
            let at: DateTime = text.parse()?;
            Ok(TimeZone::UTC.to_timestamp(at)?)
        };
        let (first, last) = (shop.day_start(0), shop.day_start(DAYS));
        Ok((bound("from")?.max(first), bound("to")?.min(last)))
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.values.get(name)?.as_u64()
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.as_str()
    }

    fn limit(&self) -> Outcome<usize> {
        let limit = self.text.rsplit(' ').next().unwrap_or("");
        Ok(limit.parse()?)
    }
}

/// The answer to a question.
pub(crate) fn answer(shop: &Shop, question: &Question) -> Outcome<Bytes> {
    let rows = match question.name.as_str() {
        "page" => return page(shop, question),
        "count_cells" => counts(shop, question, |at, name| (Some(at), Some(name.to_owned())))?,
        "recount" => counts(shop, question, |at, _| (Some(at), None))?,
        "known_events" => counts(shop, question, |_, name| (None, Some(name.to_owned())))?,
        "product_page_urls" => vec![json!([
            "https://shop.example.com/products/red-shirt-1",
            500
        ])],
        "person_overrides" => Vec::new(),
        "person_mappings" => {
            let after = question.text("after").unwrap_or("");
            let mut ids: Vec<(String, usize)> = (0..PEOPLE)
                .map(|person| (distinct_id(person), person))
                .collect();
            ids.retain(|(id, _)| id.as_str() > after);
            ids.sort_unstable();
            ids.truncate(question.limit()?);
            ids.into_iter()
                .map(|(id, person)| json!([id, person_id(person)]))
                .collect()
        }
        other => {
            return Err(
                format!("the shop's PostHog was not told what to answer to {other}").into(),
            );
        }
    };
    let columns: Vec<&str> = match question.name.as_str() {
        "count_cells" => vec!["utc_day", "event", "row_count"],
        "recount" => vec!["utc_day", "event_count"],
        "known_events" => vec!["event", "row_count"],
        "product_page_urls" => vec!["url", "row_count"],
        _ => vec!["distinct_id", "person_id"],
    };
    answered(&columns, &rows)
}

/// The answer of these rows.
pub(crate) fn answered(columns: &[&str], rows: &[impl Serialize]) -> Outcome<Bytes> {
    let mut out = begin(columns)?;
    serde_json::to_writer(&mut out, rows)?;
    Ok(end(out))
}

/// The days and names that a count groups by, each where it does, and the count.
fn counts(
    shop: &Shop,
    question: &Question,
    group: impl Fn(Timestamp, &str) -> (Option<Timestamp>, Option<String>),
) -> Outcome<Vec<Value>> {
    let (from, to) = question.range(shop)?;
    let mut counts: BTreeMap<(Option<Timestamp>, Option<String>), u64> = BTreeMap::new();
    for day in 0..DAYS {
        let start = shop.day_start(day);
        for event in shop.day(day) {
            if event.timestamp >= from && event.timestamp < to {
                *counts
                    .entry(group(start, event.event.as_str()))
                    .or_default() += 1;
            }
        }
    }
    let row = |((day, name), count): ((Option<Timestamp>, Option<String>), u64)| {
        let mut row: Vec<Value> = day.map(|day| day.to_string().into()).into_iter().collect();
        row.extend(name.map(Value::from));
        row.push(count.into());
        Value::from(row)
    };
    Ok(counts.into_iter().map(row).collect())
}

fn page(shop: &Shop, question: &Question) -> Outcome<Bytes> {
    let (from, to) = question.range(shop)?;
    let names = question.values.get("events").and_then(Value::as_array);
    let hashes =
        question.number("hash_from").unwrap_or(0)..=question.number("hash_to").unwrap_or(u64::MAX);
    if question.values.contains_key("after_time") {
        return Err("the shop's slices fit into one answer, and yet more was asked for".into());
    }
    let columns = columns_of(&question.text)?;
    let names_of_columns: Vec<&str> = columns.iter().map(|(_, name)| name.as_str()).collect();
    let mut out = begin(&names_of_columns)?;
    out.push(b'[');
    let mut rows = 0;
    for day in 0..DAYS {
        if shop.day_start(day) >= to || shop.day_start(day + 1) <= from {
            continue;
        }
        for event in shop.day(day) {
            let named =
                names.is_none_or(|names| names.iter().any(|name| name == event.event.as_str()));
            let within = event.timestamp >= from && event.timestamp < to;
            if !named || !within || !hashes.contains(&hash_of(&event)) {
                continue;
            }
            if rows > 0 {
                out.push(b',');
            }
            rows += 1;
            write_row(&mut out, &event, &columns)?;
        }
    }
    if rows >= question.limit()? {
        return Err("a slice of the shop is larger than one answer".into());
    }
    out.push(b']');
    Ok(end(out))
}

fn hash_of(event: &Event) -> u64 {
    let person = event.person_id.map_or(0, |id| id.as_u128() as u64);
    hash(hash(person))
}

/// The expression and the name of each column of a text.
fn columns_of(text: &str) -> Outcome<Vec<(String, String)>> {
    let list = text
        .strip_prefix("select ")
        .and_then(|rest| rest.split_once(" from events"))
        .ok_or("a page's text begins otherwise than it did")?
        .0;
    let column = |column: &str| match column.split_once(" as ") {
        Some((expression, name)) => (expression.to_owned(), name.to_owned()),
        None => (column.to_owned(), column.to_owned()),
    };
    Ok(list.split(", ").map(column).collect())
}

fn write_row(out: &mut Vec<u8>, event: &Event, columns: &[(String, String)]) -> Outcome<()> {
    for (at, (expression, name)) in columns.iter().enumerate() {
        out.push(if at == 0 { b'[' } else { b',' });
        let text: Option<&str> = match name.as_str() {
            "uuid" | "person_id" | "timestamp" | "created_at" | "current_url" => {
                let text = match name.as_str() {
                    "uuid" => event.uuid.to_string(),
                    "person_id" => event.person_id.unwrap_or_default().to_string(),
                    "timestamp" => event.timestamp.to_string(),
                    "created_at" => event.created_at.to_string(),
                    _ => format!(
                        "https://shop.example.com{}?variant=4235&ref=home",
                        event.path.as_deref().unwrap_or("/")
                    ),
                };
                serde_json::to_writer(&mut *out, &text)?;
                continue;
            }
            "event" => Some(event.event.as_str()),
            "distinct_id" => Some(&event.distinct_id),
            "$session_id" => event.session_id.as_deref(),
            "$window_id" => event.window_id.as_deref(),
            "page_host" => event.host.as_deref(),
            "page_path" => event.path.as_deref(),
            "referrer" => event.referrer.as_deref(),
            "utm_source" => event.utm_source.as_deref(),
            "utm_medium" => event.utm_medium.as_deref(),
            "utm_campaign" => event.utm_campaign.as_deref(),
            "device_type" => event.device_type.as_deref(),
            "elements_chain" => Some(event.elements_chain.as_deref().unwrap_or("")),
            "event_type" => event.event_type.as_deref(),
            "anon_distinct_id" => event.anon_distinct_id.as_deref(),
            "product_id" => event.product_id.as_deref(),
            "sku" => event.sku.as_deref(),
            "price" => event.price.as_deref(),
            "currency" => event.currency.as_deref(),
            "quantity" => event.quantity.as_deref(),
            "utm_content" | "utm_term" | "alias_id" | "cart_id" => None,
            id if id.starts_with("id_") => {
                let named = |property: &str| expression.contains(&format!("`{property}`"));
                let mut carried = event.id_properties.iter();
                carried
                    .find(|(name, _)| named(name))
                    .map(|(_, value)| value.as_str())
            }
            other => {
                return Err(format!("the shop's PostHog does not know the column {other}").into());
            }
        };
        serde_json::to_writer(&mut *out, &text)?;
    }
    out.push(b']');
    Ok(())
}

/// An answer up to its results, in PostHog's order of fields.
fn begin(columns: &[&str]) -> Outcome<Vec<u8>> {
    let mut out = br#"{"cache_key":"cache_1","columns":"#.to_vec();
    serde_json::to_writer(&mut out, columns)?;
    out.extend_from_slice(br#","error":null,"hasMore":null,"is_cached":false,"results":"#);
    Ok(out)
}

fn end(mut out: Vec<u8>) -> Bytes {
    out.extend_from_slice(br#","timezone":"UTC","types":[]}"#);
    out.into()
}
