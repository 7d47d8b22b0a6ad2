//! Serves a generated shop until it is ended, for a stand-in that runs somewhere else than the test:
//!
//! ```text
//! cargo run -p posthog-stub --example shop -- ADDRESS KEY EVENTS DAYS
//! ```
//!
//! KEY is the personal API key that it knows. Prints one line once it listens: how many events the shop has,
//! each counted once however often it was sent.

use std::collections::HashSet;
use std::error::Error;
use std::io::{self, Write};

use jiff::Timestamp;
use posthog_stub::shop::Shop;
use posthog_stub::{Key, Stub, World};

const SCOPES: [&str; 4] = [
    "query:read",
    "project:read",
    "event_definition:read",
    "cohort:read",
];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, key, events, days] = arguments.as_slice() else {
        return Err(
            "the arguments are an address, a key, a number of events and the days they lie within"
                .into(),
        );
    };
    let project = Shop {
        events: events.parse()?,
        days: days.parse()?,
        ..Shop::new(Timestamp::now())
    }
    .generate();
    let distinct: HashSet<_> = project.events().iter().map(|event| event.uuid).collect();
    let key = Key::new(key).scopes(SCOPES);
    let world = World::new().with_project(project).with_key(key);
    let stub = Stub::start_on(world, address.parse()?).await?;
    writeln!(io::stdout(), "{} events at {}", distinct.len(), stub.url())?;
    std::future::pending::<()>().await;
    Ok(())
}
