//! Rows as PostHog's releases write them, held against one event.

use domain::identity::{IdProperty, IdPropertyKind};
use domain::sync::{Slice, SliceEvents};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::answer::read_rows;
use crate::error::Error;
use crate::queries::{IdColumns, Query, page};

use super::*;

/// What PostHog answers for one row, by column; columns that are not here are null.
fn recorded() -> Vec<(&'static str, Value)> {
    vec![
        ("uuid", json!("0190f5c0-1111-7abc-8def-000000000001")),
        ("event", json!("$pageview")),
        ("distinct_id", json!("anon-1")),
        ("person_id", json!("00000000-0000-0000-0000-000000000000")),
        ("timestamp", json!("2026-01-01T11:00:00.000001+01:00")),
        ("created_at", json!("2026-01-01T10:00:02Z")),
        ("$session_id", json!("")),
        ("$window_id", Value::Null),
        ("current_url", json!("https://shop.example/cart/?a=1#b")),
        ("page_host", json!("other.example")),
        ("page_path", json!("/other")),
        ("price", json!(19.9)),
        ("quantity", json!(2)),
        ("sku", json!({"odd": [1]})),
        ("id_0", json!(7_890_123_456_789_u64)),
    ]
}

fn query() -> Result<Query, Error> {
    let slice = Slice {
        from: Timestamp::UNIX_EPOCH,
        to: Timestamp::MAX,
        arrived_since: None,
        events: SliceEvents::All,
        part: None,
        expected_rows: 0,
        export: None,
    };
    let ids = IdColumns::of(&[IdProperty {
        kind: IdPropertyKind::Customer,
        property: "customer_id".to_owned(),
    }])?;
    Ok(page(&slice, None, &ids, true, 10))
}

/// Reads the recorded row with one value changed.
fn read_with(column: &'static str, value: Value) -> Result<Event, Error> {
    read_changed(&[(column, value)])
}

/// Reads the recorded row with some values changed.
fn read_changed(changed: &[(&'static str, Value)]) -> Result<Event, Error> {
    let query = query()?;
    let mut known: BTreeMap<_, _> = recorded().into_iter().collect();
    known.extend(changed.iter().cloned());
    let row: Vec<_> = query
        .columns
        .iter()
        .map(|column| known.get(column.as_str()).cloned().unwrap_or_default())
        .collect();
    let body = json!({ "results": [row], "columns": query.columns }).to_string();
    let properties = ["customer_id".to_owned()];
    let mut events = read_rows("page", body.as_bytes(), &query.columns, 10, |row| {
        read(row, &properties, true)
    })?;
    Ok(events.remove(0))
}

#[test]
fn a_recorded_row_becomes_its_event() -> Result<(), Box<dyn std::error::Error>> {
    let event = read_with("event", json!("$pageview"))?;
    assert_eq!(event.timestamp, "2026-01-01T10:00:00.000001Z".parse()?);
    assert_eq!(event.created_at, "2026-01-01T10:00:02Z".parse()?);
    assert_eq!(event.person_id, None, "the nil uuid is nobody");
    assert_eq!(event.session_id, None, "an empty text is absent");
    assert_eq!(event.host.as_deref(), Some("shop.example"));
    assert_eq!(event.path.as_deref(), Some("/cart/"));
    assert_eq!(event.price.as_deref(), Some("19.9"));
    assert_eq!(event.quantity.as_deref(), Some("2"));
    assert_eq!(event.sku.as_deref(), Some(r#"{"odd":[1]}"#));
    assert_eq!(event.id_properties["customer_id"], "7890123456789");
    assert_eq!(event.currency, None);
    Ok(())
}

#[test]
fn a_row_that_lacks_what_an_event_must_have_is_named() {
    let cases = [
        ("uuid", Value::Null, "uuid is null instead of a uuid"),
        ("uuid", json!("7"), "uuid is \"7\", which is no uuid"),
        ("event", Value::Null, "event is null instead of a text"),
        ("distinct_id", json!([1]), "distinct_id is an array"),
        (
            "timestamp",
            json!("12026-01-01T00:00:00Z"),
            "no time that can be kept",
        ),
        (
            "timestamp",
            json!(1_767_261_600),
            "timestamp is a number instead of a time",
        ),
        (
            "created_at",
            Value::Null,
            "created_at is null instead of a time",
        ),
        (
            "person_id",
            json!("nobody"),
            "person_id is \"nobody\", which is no uuid",
        ),
    ];
    for (column, value, words) in cases {
        let text = read_with(column, value)
            .err()
            .map(|error| error.to_string());
        assert!(
            text.as_ref()
                .is_some_and(|text| text.contains("row 1: ") && text.contains(words)),
            "{column}: {text:?}"
        );
    }
}

#[test]
fn a_number_where_a_text_is_expected_is_its_digits() {
    for (given, expected) in [
        (json!(42), "42"),
        (json!(1.5), "1.5"),
        (json!(1e21), "1000000000000000000000"),
    ] {
        let event = read_with("distinct_id", given).ok();
        assert_eq!(
            event.map(|event| event.distinct_id).as_deref(),
            Some(expected)
        );
    }
}

#[test]
fn a_figure_that_is_no_number_of_any_size_is_absent() -> Result<(), Error> {
    for (given, kept) in [
        ("nan", None),
        ("NaN", None),
        ("-inf", None),
        ("Infinity", None),
        ("19,90 €", Some("19,90 €")),
        ("19.90", Some("19.90")),
    ] {
        let event = read_with("price", json!(given))?;
        assert_eq!(event.price.as_deref(), kept, "{given}");
    }
    Ok(())
}

#[test]
fn what_a_visitor_may_have_typed_into_an_element_is_masked() -> Result<(), Error> {
    let chain = r#"a:href="mailto:ada@x.de"nth-child="1"nth-of-type="1"text="Ada""#;
    let event = read_changed(&[
        ("event", json!("$autocapture")),
        ("elements_chain", json!(chain)),
    ])?;
    let kept = chain.replace("ada@x.de", "[email]");
    assert_eq!(event.elements_chain, Some(kept));
    Ok(())
}
