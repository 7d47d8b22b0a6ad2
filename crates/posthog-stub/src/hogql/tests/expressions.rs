use serde_json::{Value as Json, json};

use super::{refusal, rows, small, value};

#[test]
fn operators_follow_precedence() {
    assert_eq!(value("1 + 2 * 3 - 4 % 3"), json!(6));
    assert_eq!(value("not 1 = 2 and 1 < 2 or false"), json!(1));
    assert_eq!(value("-2 + 5"), json!(3));
    assert_eq!(value("7 / 2"), json!(3.5));
    assert_eq!(value("'a' || 'b' || 'c'"), json!("abc"));
    assert_eq!(
        value("5 between 1 and 5 and 3 not between 4 and 9"),
        json!(1)
    );
}

#[test]
fn comparisons_with_null_are_never_null() {
    for (expression, expected) in [
        ("null = 1", 0),
        ("null != 1", 1),
        ("null = null", 1),
        ("null != null", 0),
        ("null > 1", 0),
        ("null like 'a'", 0),
        ("null not like 'a'", 1),
        ("null in (1, 2)", 0),
        ("null not in (1, 2)", 1),
    ] {
        assert_eq!(value(expression), json!(expected), "{expression}");
    }
    assert_eq!(value("not null"), Json::Null);
    assert_eq!(value("null and 1"), Json::Null);
    assert_eq!(value("null and 0"), json!(0));
}

#[test]
fn properties_are_text_or_null() {
    let project = small();
    let read = |expression: &str| {
        rows(
            &project,
            &format!("select {expression} from events where toString(uuid) like '%3' limit 5"),
            Json::Null,
        )[0][0]
            .clone()
    };
    assert_eq!(
        read("properties.$current_url"),
        json!("https://shop.example/products/red?x=1")
    );
    assert_eq!(read("properties.price"), json!("19.5"));
    assert_eq!(read("properties.quantity"), json!("2"));
    assert_eq!(read("properties.`with space`"), json!("true"));
    // JSONExtractRaw keeps escapes; PostHog cuts one quote off either end.
    assert_eq!(read("properties.note"), json!("say \\\"hi\\\""));
    assert_eq!(
        read("JSONExtractString(properties, 'note')"),
        json!("say \"hi\"")
    );
    assert_eq!(
        read("JSONExtractRaw(properties, 'note')"),
        json!("\"say \\\"hi\\\"\"")
    );
    assert_eq!(read("properties.empty"), json!(""));
    assert_eq!(read("properties.nothing"), Json::Null);
    assert_eq!(read("properties.absent"), Json::Null);
    assert_eq!(read("properties.nested.a.b"), json!("deep"));
    assert_eq!(read("properties.nested.list"), json!("[1,2]"));
    let text = read("properties");
    let parsed: Json = serde_json::from_str(text.as_str().unwrap()).unwrap();
    assert_eq!(parsed["note"], json!("say \"hi\""));
    assert_eq!(parsed["nested"]["a"]["b"], json!("deep"));
}

#[test]
fn property_definitions_type_what_is_read() {
    let mut project = small();
    project
        .property_types
        .insert("price".to_owned(), crate::PropertyType::Numeric);
    let read = rows(
        &project,
        "select properties.price from events order by timestamp, toString(uuid) limit 9",
        Json::Null,
    );
    assert_eq!(read, json!([[null], [5.0], [19.5]]));
}

#[test]
fn placeholders_are_constants() {
    let project = small();
    let by_list = rows(
        &project,
        "select distinct_id from events where distinct_id in {ids} and properties.price = {price} limit 9",
        json!({"ids": ["ada", "it's"], "price": "19.5"}),
    );
    assert_eq!(by_list, json!([["ada"]]));
    let by_tuple = rows(
        &project,
        "select count() from events where event not in ({a}, {b}) limit 9",
        json!({"a": "order", "b": null}),
    );
    assert_eq!(by_tuple, json!([[2]]));
    let (_, detail) = refusal(&project, "select {missing} from events limit 1", Json::Null);
    assert_eq!(detail, "Unresolved placeholder: {missing}");
}

#[test]
fn texts_are_matched_and_cut() {
    assert_eq!(value("'Red Shirt' ilike '%sh_rt'"), json!(1));
    assert_eq!(value("'Red Shirt' like '%sh_rt'"), json!(0));
    assert_eq!(value("'50%' like '50\\\\%'"), json!(1));
    assert_eq!(value("match('/products/x', '^/products/[^/]+$')"), json!(1));
    assert_eq!(value("'/products/x' =~ 'nope'"), json!(0));
    assert_eq!(value("substring('abcdef', 2, 3)"), json!("bcd"));
    assert_eq!(value("substring('abcdef', -2)"), json!("ef"));
    assert_eq!(
        value("startsWith('abc', 'ab') and endsWith('abc', 'bc')"),
        json!(1)
    );
    assert_eq!(value("lower(upper('aB'))"), json!("ab"));
    assert_eq!(value("length('äb')"), json!(3));
}

#[test]
fn choices_stop_at_the_first_true_branch() {
    assert_eq!(value("if(1 = 1, 'a', 'b')"), json!("a"));
    assert_eq!(value("multiIf(0, 'a', 1, 'b', 'c')"), json!("b"));
    assert_eq!(value("case when 1 > 2 then 'x' else 'y' end"), json!("y"));
    assert_eq!(
        value("case 2 when 1 then 'x' when 2 then 'z' end"),
        json!("z")
    );
    assert_eq!(value("coalesce(null, null, 3)"), json!(3));
    assert_eq!(value("ifNull(nullIf('a', 'a'), 'b')"), json!("b"));
}

#[test]
fn conversions_yield_null_for_what_they_cannot_read() {
    assert_eq!(value("toInt('12')"), json!(12));
    assert_eq!(value("toInt('12x')"), Json::Null);
    assert_eq!(value("toFloat('1.5')"), json!(1.5));
    assert_eq!(value("toUUID('nonsense')"), Json::Null);
    assert_eq!(value("toString(1.5)"), json!("1.5"));
    assert_eq!(value("tuple(1, 'a').2"), json!("a"));
    assert_eq!(value("[1, 2, 3][2]"), json!(2));
}

/// Vectors from ClickHouse's page on the native protocol's hash.
#[test]
fn city_hash_is_the_old_version_that_clickhouse_keeps() {
    assert_eq!(
        value("cityHash64('Moscow')"),
        json!(12_507_901_496_292_878_638_u64)
    );
    assert_eq!(
        value("cityHash64('How can you write a big system without C++?  -Paul Glick')"),
        json!(6_237_945_311_650_045_625_u64)
    );
    assert_eq!(
        value("cityHash64('Moscow') % 7"),
        json!(12_507_901_496_292_878_638_u64 % 7)
    );
}

#[test]
fn native_uuid_order_is_not_text_order() {
    let first = "00000000-0000-0002-0000-000000000001";
    let second = "00000000-0000-0001-0000-000000000002";
    assert_eq!(value(&format!("'{first}' > '{second}'")), json!(1));
    assert_eq!(
        value(&format!("toUUID('{first}') > toUUID('{second}')")),
        json!(0)
    );
}
