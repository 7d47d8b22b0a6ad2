//! Words that end an expression: they are never names unless quoted or after a dot.

const RESERVED: [&str; 34] = [
    "select", "distinct", "from", "where", "prewhere", "group", "having", "order", "by", "limit",
    "offset", "union", "join", "inner", "left", "right", "full", "cross", "on", "as", "and", "or",
    "asc", "desc", "nulls", "settings", "when", "then", "else", "end", "between", "in", "is",
    "with",
];

/// Whether the word is reserved, in any case.
pub(crate) fn reserved(word: &str) -> bool {
    RESERVED
        .iter()
        .any(|keyword| word.eq_ignore_ascii_case(keyword))
}
