//! Prints every HogQL text that the client can send as one JSON array of `{name, text, values}`:
//! the contract test (`tests/contract`) holds them against PostHog's own parser and ClickHouse.

use std::io::{self, Write};

use serde_json::json;

fn main() -> io::Result<()> {
    let texts: Vec<_> = posthog::queries::all_texts()
        .into_iter()
        .map(|(name, text, values)| json!({"name": name, "text": text, "values": values}))
        .collect();
    serde_json::to_writer_pretty(io::stdout().lock(), &texts)?;
    writeln!(io::stdout())
}
