//! Shows a value in a message: short, on one line, and never an API key.

/// The most characters of a value that a message repeats.
const SHOWN: usize = 80;

/// The value in quotes, cut after 80 characters; a value that may hold an API key is not shown.
pub fn quoted(value: &str) -> String {
    if looks_like_key(value) {
        return "(a value that looks like an API key)".to_owned();
    }
    if value.chars().count() <= SHOWN {
        return format!("{value:?}");
    }
    let start: String = value.chars().take(SHOWN).collect();
    format!("{start:?}…")
}

/// Whether somebody may have pasted a PostHog key here: it contains one of the prefixes of
/// PostHog's secret keys and tokens (POSTHOG.md 2.1).
pub fn looks_like_key(value: &str) -> bool {
    ["phx_", "phs_", "pha_", "phr_"]
        .iter()
        .any(|prefix| value.contains(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pasted_key_is_not_repeated() {
        assert_eq!(
            quoted("https://phx_abc@eu.posthog.com"),
            "(a value that looks like an API key)"
        );
    }

    #[test]
    fn a_long_value_is_cut_and_stays_on_one_line() {
        let shown = quoted(&"a\n".repeat(100));
        assert!(shown.ends_with("\"…"), "{shown}");
        assert!(!shown.contains('\n'));
    }
}
