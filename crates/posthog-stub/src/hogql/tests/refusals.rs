use serde_json::Value as Json;

use super::{refusal, small};

#[test]
fn what_is_unknown_is_named() {
    let project = small();
    for (text, expected) in [
        (
            "select nope from events limit 1",
            "Unable to resolve field: nope",
        ),
        ("select uuid from nope limit 1", "Unknown table `nope`."),
        (
            "select nope(1) limit 1",
            "Unsupported function call 'nope(...)'",
        ),
        (
            "select lower() limit 1",
            "Function 'lower' expects at least 1 argument, found 0",
        ),
    ] {
        let (code, detail) = refusal(&project, text, Json::Null);
        assert_eq!(
            (code, detail.as_str()),
            ("invalid_input", expected),
            "{text}"
        );
    }
}

#[test]
fn broken_syntax_is_refused() {
    let project = small();
    for text in [
        "",
        "select",
        "select 1 from",
        "selec 1",
        "select (1 limit 1",
        "select 'open limit 1",
        "select 1 limit 1 extra",
        "select a <b limit 1",
    ] {
        let (code, detail) = refusal(&project, text, Json::Null);
        assert_eq!(code, "invalid_input", "{text}");
        assert!(detail.starts_with("Syntax error"), "{text}: {detail}");
    }
}

#[test]
fn every_form_of_offset_is_refused() {
    let project = small();
    for text in [
        "select uuid from events limit 10 offset 0",
        "select uuid from events limit 5, 10",
        "select uuid from events offset 3",
        "select uuid from (select uuid from events limit 10 offset 5) limit 1",
        "select uuid from events where uuid in (select uuid from events limit 1 offset 1) limit 1",
        "select uuid from events limit 1 offset 1 by event",
    ] {
        let (code, detail) = refusal(&project, text, Json::Null);
        assert_eq!(code, "invalid_input");
        assert!(
            detail.starts_with("OFFSET is not supported on queries made with a personal API key"),
            "{text}: {detail}"
        );
    }
}

#[test]
fn types_that_do_not_go_together_are_refused() {
    let project = small();
    for (text, expected) in [
        (
            "select uuid from events where properties.price > 10 limit 1",
            "no_common_type",
        ),
        (
            "select uuid from events where uuid = 'nonsense' limit 1",
            "cannot_parse_uuid",
        ),
        (
            "select uuid from events where timestamp > 'soon' limit 1",
            "cannot_parse_datetime",
        ),
        ("select lower(1) limit 1", "illegal_type_of_argument"),
        (
            "select cityHash64(uuid) from events limit 1",
            "illegal_type_of_argument",
        ),
        (
            "select toTimeZone(timestamp, 'Mars/Olympus') from events limit 1",
            "bad_arguments",
        ),
        ("select match('a', '(') limit 1", "cannot_compile_regexp"),
    ] {
        assert_eq!(refusal(&project, text, Json::Null).0, expected, "{text}");
    }
}
