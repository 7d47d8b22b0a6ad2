//! Lines as PostHog's exports have them.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use domain::Event;
use domain::identity::{IdProperty, IdPropertyKind};
use domain::sync::Window;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::client::EventPage;
use crate::error::Error;
use crate::queries::{IdColumns, page_columns};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn columns(types: &[(&str, &str)]) -> Result<ExportColumns, Error> {
    let ids = IdColumns::of(&[IdProperty {
        kind: IdPropertyKind::Customer,
        property: "customer_id".to_owned(),
    }])?;
    let page = page_columns(&ids, true);
    let mut known: HashMap<String, String> = page
        .iter()
        .map(|column| (column.name.clone(), "Nullable(String)".to_owned()))
        .collect();
    let given = types.iter();
    known.extend(given.map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned())));
    ExportColumns::of(&page, &ids, true, &known)
}

fn recorded(properties: &Value) -> Value {
    json!({
        "uuid": "0190f5c0-1111-7abc-8def-000000000001",
        "timestamp": "2026-01-01T10:00:00.000001+00:00",
        "created_at": "2026-01-01T10:00:02+00:00",
        "event": "$autocapture",
        "properties": properties,
        "distinct_id": "anon-1",
        "elements_chain": "a:href=\"/cart\"",
        "person_properties": {"email": "x@y.example"},
        "person_id": "0190f5c0-2222-7abc-8def-000000000002",
    })
}

fn pack(lines: &[String]) -> Vec<u8> {
    let mut file = Vec::new();
    for line in lines {
        let mut member = GzEncoder::new(&mut file, Compression::fast());
        let written = member.write_all(line.as_bytes());
        assert!(written.is_ok() && member.finish().is_ok());
    }
    file
}

/// The pages of a file.
fn pages(columns: ExportColumns, skip: u64, bytes: &[u8]) -> Result<Vec<EventPage>, Error> {
    let pages = Arc::new(Mutex::new(Vec::new()));
    let shelf = Arc::clone(&pages);
    let file = File {
        columns,
        keep: Window {
            from: Timestamp::UNIX_EPOCH,
            to: Timestamp::MAX,
        },
        skip,
        reached: Reached::default(),
        most_rows: MOST_ROWS,
        deliver: move |page| {
            shelf.lock().is_ok_and(|mut pages| {
                pages.push(page);
                true
            })
        },
    };
    file.read("a file", bytes)?;
    let pages = pages.lock().map(|mut pages| std::mem::take(&mut *pages));
    Ok(pages.unwrap_or_default())
}

fn read(types: &[(&str, &str)], properties: &Value) -> Result<Event, Error> {
    let line = recorded(properties).to_string() + "\n";
    let mut pages = pages(columns(types)?, 0, &pack(&[line]))?;
    Ok(pages.remove(0).events.remove(0))
}

#[test]
fn a_recorded_line_becomes_its_event() -> Outcome {
    let event = read(
        &[],
        &json!({
            "$current_url": "https://shop.example/cart/?a=1#b",
            "$session_id": "s-1",
            "$window_id": null,
            "$event_type": "click",
            "price": 19.90,
            "quantity": 2,
            "sku": {"odd": [1.0, "a\"b"]},
            "utm_source": "",
            "currency": "null",
            "alias": true,
            "customer_id": 7_890_123_456_789_u64,
            "whatever": {"is": "not kept"},
        }),
    )?;
    assert_eq!(event.timestamp, "2026-01-01T10:00:00.000001Z".parse()?);
    assert_eq!(event.created_at, "2026-01-01T10:00:02Z".parse()?);
    assert_eq!(event.session_id.as_deref(), Some("s-1"));
    assert_eq!(event.window_id, None);
    assert_eq!(event.host.as_deref(), Some("shop.example"));
    assert_eq!(event.path.as_deref(), Some("/cart/"));
    assert_eq!(event.elements_chain.as_deref(), Some("a:href=\"/cart\""));
    assert_eq!(event.event_type.as_deref(), Some("click"));
    assert_eq!(event.price.as_deref(), Some("19.9"));
    assert_eq!(event.quantity.as_deref(), Some("2"));
    assert_eq!(event.sku.as_deref(), Some(r#"{"odd":[1,"a\"b"]}"#));
    assert_eq!((event.utm_source, event.currency), (None, None));
    assert_eq!(event.alias.as_deref(), Some("true"));
    assert_eq!(event.id_properties["customer_id"], "7890123456789");
    Ok(())
}

#[test]
fn a_property_is_cast_as_posthog_has_typed_it() -> Outcome {
    let types = [
        ("price", "Nullable(Float64)"),
        ("currency", "Nullable(Float64)"),
        ("alias_id", "Nullable(Bool)"),
    ];
    for (value, float, truth) in [
        (json!("19.90"), Some("19.9"), None),
        (json!(1e21), Some("1e21"), None),
        (json!("19,90 €"), None, None),
        (json!("true"), None, Some("true")),
        (json!(false), None, Some("false")),
        (json!({}), None, None),
    ] {
        let event = read(&types, &json!({"price": value, "alias": value}))?;
        assert_eq!(event.price.as_deref(), float, "{value}");
        assert_eq!(event.alias.as_deref(), truth, "{value}");
    }
    let event = read(&types, &json!({"currency": 1e21}))?;
    let as_json_number = Some("1000000000000000000000");
    assert_eq!(event.currency.as_deref(), as_json_number);
    for kind in ["Nullable(DateTime64(6, 'UTC'))", "unheard of"] {
        let refused = columns(&[("sku", kind)]).err();
        assert!(
            matches!(&refused, Some(Error::ExportColumn { property, .. }) if property == "sku"),
            "{refused:?}"
        );
    }
    Ok(())
}

#[test]
fn properties_may_be_a_text_of_json_and_are_none_where_it_is_none() -> Outcome {
    let text = json!(json!({"sku": "s-1"}).to_string());
    assert_eq!(read(&[], &text)?.sku.as_deref(), Some("s-1"));
    for none in [Value::Null, json!("{\"sku\": \"s-1\", "), json!("[]")] {
        assert_eq!(read(&[], &none)?.sku, None, "{none}");
    }
    Ok(())
}

#[test]
fn what_was_read_before_is_passed_over_and_an_unpacked_file_is_read_too() -> Outcome {
    let lines: Vec<String> = (0..5)
        .map(|n| recorded(&json!({"sku": n})).to_string() + "\n")
        .collect();
    for bytes in [pack(&lines), lines.concat().into_bytes()] {
        let pages = pages(columns(&[])?, 3, &bytes)?;
        let found: Vec<_> = pages.iter().flat_map(|page| &page.events).collect();
        let skus: Vec<_> = found.iter().map(|event| event.sku.as_deref()).collect();
        assert_eq!(skus, [Some("3"), Some("4")]);
        assert_eq!(pages.last().map(|page| page.more), Some(None));
    }
    assert_eq!(
        pages(columns(&[])?, 0, &[])?.len(),
        1,
        "an empty file ends too"
    );
    Ok(())
}

#[test]
fn a_file_that_breaks_off_or_is_none_is_told_apart() -> Outcome {
    let line = recorded(&json!({})).to_string() + "\n";
    let whole = pack(&[line.clone(), line.clone()]);
    for cut in [1, 9, whole.len() / 2 - 3, whole.len() - 1] {
        let outcome = pages(columns(&[])?, 0, &whole[..cut]);
        let error = outcome.err();
        let is_told = matches!(error, Some(Error::Truncated { .. }));
        // One byte alone does not say that it is packed.
        assert!(is_told || cut == 1 && error.is_some(), "{cut}: {error:?}");
    }
    let mut broken = whole.clone();
    broken[whole.len() / 4] ^= 0xff;
    assert!(pages(columns(&[])?, 0, &broken).is_err());
    for (text, part) in [
        ("{\"uuid\": 1}\n", "line 1: uuid is a number"),
        ("<html>\n", "line 1: it is not the expected JSON"),
        (&line[..40], "line 1: it is not the expected JSON"),
    ] {
        let error = pages(columns(&[])?, 0, text.as_bytes()).err();
        let text = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(text.contains(part), "{text}");
    }
    Ok(())
}
