//! Ids that name nobody: what broken code sends in place of an id.

/// Whether an id names nobody, so that nothing may be linked through it: the ids that PostHog
/// itself refuses to merge (POSTHOG.md 7.6) and their usual spellings. Surrounding white space,
/// quotes and letter case do not matter. Nor does a text of more than [`MAX_ID_BYTES`] name anybody.
pub fn is_junk_id(id: &str) -> bool {
    if id.len() > MAX_ID_BYTES {
        return true;
    }
    let bare = id.trim_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'');
    // All-zero ids and uuids are an unset number, never a customer.
    if bare.chars().all(|c| matches!(c, '0' | '-' | '.')) {
        return true;
    }
    JUNK.iter().any(|junk| junk.eq_ignore_ascii_case(bare))
}

/// The longest id that may link: PostHog's capture cuts distinct ids at 200 characters
/// (`distinct_id.chars().take(200)`), and this is short enough for the key of any index.
pub const MAX_ID_BYTES: usize = 500;

/// Texts compared without regard to case. The empty id and zeros are junk by rule.
const JUNK: [&str; 24] = [
    "anonymous",
    "guest",
    "id",
    "email",
    "e-mail",
    "distinctid",
    "distinct_id",
    "undefined",
    "true",
    "false",
    "[object object]",
    "nan",
    "none",
    "null",
    "nil",
    "not_authenticated",
    "unknown",
    "n/a",
    "[]",
    "{}",
    "<nil>",
    "(null)",
    "user_id",
    "customer_id",
];

#[cfg(test)]
mod tests {
    use super::{MAX_ID_BYTES, is_junk_id};

    #[test]
    fn every_id_that_posthog_refuses_is_junk_in_any_case_and_quoting() {
        for id in [
            "anonymous",
            "guest",
            "id",
            "email",
            "undefined",
            "true",
            "false",
            "[object Object]",
            "NaN",
            "None",
            "null",
            "0",
            "",
            "  ",
            "NULL",
            " Guest ",
            "\"undefined\"",
            "'null'",
            "00000000-0000-0000-0000-000000000000",
            "0.0",
        ] {
            assert!(is_junk_id(id), "{id:?}");
        }
    }

    #[test]
    fn an_id_too_long_for_anybody_is_junk() {
        assert!(!is_junk_id(&"a".repeat(MAX_ID_BYTES)));
        assert!(is_junk_id(&"a".repeat(MAX_ID_BYTES + 1)));
    }

    #[test]
    fn ids_that_merely_contain_junk_are_kept() {
        for id in [
            "anonymous-42",
            "guest@shop.example",
            "10",
            "7000000000001",
            "nullable",
            "id:5",
            "0191e1c0-0000-7000-8000-000000000000",
        ] {
            assert!(!is_junk_id(id), "{id:?}");
        }
    }
}
