//! Texts as ClickHouse writes them: what HogQL's `properties.x` gives for a value that is known as JSON.
//!
//! HogQL prints `properties.x` as `JSONExtractRaw`, less a quote at either end (PostHog/posthog,
//! `posthog/hogql/printer/clickhouse.py`, 002b82dac41c), and ClickHouse writes the value anew: without
//! spaces, numbers in their shortest form, strings escaped (ClickHouse/ClickHouse,
//! `src/Functions/FunctionsJSON.h` JSONExtractRawImpl, `src/IO/WriteHelpers.h` writeJSONString).

use std::fmt::Write as _;

/// A number: digits from a millionth up to 10^21, else with an exponent.
pub(crate) fn push_float(number: f64, to: &mut String) {
    let size = number.abs();
    // Writing to a String cannot fail.
    let _ = if number.is_nan() {
        write!(to, "nan")
    } else if number.is_infinite() {
        write!(to, "{}", if number > 0.0 { "inf" } else { "-inf" })
    } else if size == 0.0 || (1e-6..1e21).contains(&size) {
        write!(to, "{number}")
    } else {
        write!(to, "{number:e}")
    };
}

/// What stands between the quotes of a JSON string.
pub(crate) fn push_escaped(text: &str, to: &mut String) {
    for character in text.chars() {
        match character {
            '"' => to.push_str("\\\""),
            '\\' => to.push_str("\\\\"),
            '\u{8}' => to.push_str("\\b"),
            '\u{c}' => to.push_str("\\f"),
            '\n' => to.push_str("\\n"),
            '\r' => to.push_str("\\r"),
            '\t' => to.push_str("\\t"),
            '\u{0}'..='\u{1f}' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(to, "\\u{:04X}", u32::from(character));
            }
            other => to.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_an_exponent_only_where_they_are_very_small_or_large() {
        for (number, text) in [
            (19.9, "19.9"),
            (1000.0, "1000"),
            (-0.5, "-0.5"),
            (1e20, "100000000000000000000"),
            (1e21, "1e21"),
            (-2.5e22, "-2.5e22"),
            (1e-6, "0.000001"),
            (1.5e-7, "1.5e-7"),
            (0.0, "0"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            let mut written = String::new();
            push_float(number, &mut written);
            assert_eq!(written, text);
        }
    }

    #[test]
    fn what_would_end_a_string_or_a_line_is_escaped() {
        let mut written = String::new();
        push_escaped("a\"b\\c\n\t\u{1}\u{1f}\u{7f}\u{2028}/é", &mut written);
        assert_eq!(written, "a\\\"b\\\\c\\n\\t\\u0001\\u001F\u{7f}\\u2028/é");
    }
}
