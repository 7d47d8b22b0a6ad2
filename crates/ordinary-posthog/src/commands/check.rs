//! `check`: "Save and test" alone. Stores nothing.

use std::fmt::Write as _;

use domain::backfill_way::{BackfillVia, Way};
use domain::check::{CheckSummary, LatestEvent};
use sync::check::{CheckReport, CheckWarning};

use crate::connections;
use crate::exit::Failure;
use crate::settings::{DocumentSettings, PostHogSettings};
use crate::terminal;

/// The arguments of `check`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    documents: DocumentSettings,
    #[command(flatten)]
    posthog: PostHogSettings,
}

impl Args {
    /// Checks every connection and reports on each; the first failure gives the exit code.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let loaded = connections::load(&self.documents)?;
        let http = connections::http(&self.posthog)?;
        let mut first = None;
        let mut failures = 0;
        for connection in &loaded {
            let name = &connection.settings.desired.name;
            match connections::check(connection, &http, &self.posthog).await {
                Ok(report) => {
                    let via = connection.settings.backfill_via;
                    terminal::print(&render(&name.to_string(), via, &report));
                }
                Err(failure) => {
                    terminal::print(&format!("{name}: failed\n  {}\n", failure.message));
                    failures += 1;
                    first.get_or_insert(failure.exit);
                }
            }
        }
        match first {
            None => Ok(()),
            Some(exit) => Err(Failure::new(
                exit,
                format!(
                    "{failures} of {} connections failed the check",
                    loaded.len()
                ),
            )),
        }
    }
}

/// The report on one connection, a line a fact.
fn render(name: &str, via: BackfillVia, report: &CheckReport) -> String {
    let CheckSummary {
        project,
        key,
        latest_event,
        ..
    } = &report.summary;
    let mut text = format!("{name}: works\n");
    let mut line = |label: &str, value: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {label:<13} {value}");
    };
    line("host", report.host.as_str());
    line(
        "project",
        &format!(
            "{} {:?}, time zone {}",
            project.id, project.name, project.time_zone
        ),
    );
    line("key", &format!("{} {:?}", key.masked_value, key.label));
    line("scopes", &key.scopes.join(", "));
    for scope in &key.missing_scopes {
        line(
            "missing scope",
            &format!("{}: without it, {}", scope.as_str(), scope.loss()),
        );
    }
    if !key.too_broad.is_empty() {
        line(
            "too broad",
            &format!(
                "{}: query:read and project:read are enough",
                key.too_broad.join(", ")
            ),
        );
    }
    for warning in &report.warnings {
        if matches!(warning, CheckWarning::ClockSkew { .. }) {
            line("clock", &warning.to_string());
        }
    }
    line("backfill", &Way::prospect(via, &key.scopes));
    line(
        "latest event",
        &latest_event.as_ref().map_or_else(
            || "none yet: check that PostHog's snippet runs in the shop".to_owned(),
            |LatestEvent { name, timestamp }| format!("{name} at {timestamp}"),
        ),
    );
    text
}
