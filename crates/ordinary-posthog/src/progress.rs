//! Shows what runs tell: a bar for each connection on a terminal, log lines elsewhere.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::ConnectionName;
use domain::sync::SyncMode;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use sync::progress::{Progress, Reading, Update};
use tokio::sync::mpsc::UnboundedSender;

use crate::terminal;

/// Bars where a person is watching, log lines elsewhere.
pub(crate) fn watcher() -> Arc<dyn Progress> {
    if terminal::is_interactive() {
        Arc::new(Bars::default())
    } else {
        Arc::new(Lines)
    }
}

/// One log line for each step, run and failure.
struct Lines;

impl Progress for Lines {
    fn report(&self, _: &ConnectionName, update: Update) {
        log(&update);
    }
}

/// The connection and the run are in the spans around.
fn log(update: &Update) {
    match update {
        Update::Step(step) => tracing::info!(%step, "Next step."),
        Update::Began {
            mode,
            resumed: true,
        } => {
            tracing::info!(%mode, "Going on where the last run stopped.");
        }
        Update::Began {
            mode,
            resumed: false,
        } => tracing::info!(%mode, "Run began."),
        Update::Read(reading) => tracing::debug!(
            events = reading.events,
            percent = percent(reading),
            "Stored a page."
        ),
        Update::Waiting { reason, until } => {
            tracing::warn!(reason, %until, "Waiting for PostHog.");
        }
        Update::Finished(summary) => tracing::info!(
            mode = %summary.mode,
            events_read = summary.totals.events_read,
            events_stored = summary.totals.events_stored,
            duplicates = summary.totals.duplicates,
            late_events = summary.totals.late_events,
            requests = summary.totals.requests,
            "Run complete."
        ),
        Update::Failed {
            reason,
            message,
            retry_at: Some(retry_at),
        } => {
            tracing::warn!(reason, %retry_at, "{message}");
        }
        Update::Failed {
            reason,
            message,
            retry_at: None,
        } => tracing::error!(reason, "{message}"),
    }
}

/// A bar for each connection that is reading; everything but pages is also a log line.
#[derive(Default)]
struct Bars {
    shown: Mutex<HashMap<ConnectionName, ProgressBar>>,
}

impl Bars {
    fn bar(&self, connection: &ConnectionName) -> ProgressBar {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown
            .entry(connection.clone())
            .or_insert_with(|| {
                let bar = terminal::bars().add(ProgressBar::new(1000));
                bar.set_style(style());
                bar.set_prefix(connection.to_string());
                bar
            })
            .clone()
    }

    fn close(&self, connection: &ConnectionName) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = shown.remove(connection) {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Bars {
    fn report(&self, connection: &ConnectionName, update: Update) {
        match &update {
            Update::Read(reading) => {
                let bar = self.bar(connection);
                bar.set_position(permille(reading.share));
                bar.set_message(describe(reading));
            }
            Update::Step(step) => self.bar(connection).set_message(step.to_string()),
            Update::Began {
                mode: SyncMode::Refresh,
                resumed: false,
            } => {}
            Update::Began { .. } | Update::Waiting { .. } => log(&update),
            Update::Finished(_) | Update::Failed { .. } => {
                self.close(connection);
                log(&update);
            }
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{prefix} {bar:30} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// `120,000 events, 61 %, 24,000/s, 5s left`.
fn describe(reading: &Reading) -> String {
    let left = reading
        .left
        .map(|left| {
            format!(
                ", {} left",
                humantime::format_duration(std::time::Duration::from_secs(left.as_secs()))
            )
        })
        .unwrap_or_default();
    format!(
        "{} events, {} %, {}/s{left}",
        HumanCount(reading.events),
        percent(reading),
        HumanCount(whole(reading.rate)),
    )
}

fn percent(reading: &Reading) -> u64 {
    permille(reading.share) / 10
}

fn permille(share: f64) -> u64 {
    (share.clamp(0.0, 1.0) * 1000.0) as u64
}

fn whole(rate: f64) -> u64 {
    rate as u64
}

/// How an attempt at a connection ended: complete, or why not.
pub(crate) type Ended = Result<(), String>;

/// Tells another, and lets somebody wait for the ends of attempts.
pub(crate) struct Notifying {
    inner: Arc<dyn Progress>,
    ends: UnboundedSender<Ended>,
}

impl Notifying {
    /// Passes everything on to `inner`, and every end to `ends`.
    pub(crate) fn new(inner: Arc<dyn Progress>, ends: UnboundedSender<Ended>) -> Self {
        Self { inner, ends }
    }
}

impl Progress for Notifying {
    fn report(&self, connection: &ConnectionName, update: Update) {
        let ended = match &update {
            Update::Finished(_) => Some(Ok(())),
            Update::Failed { message, .. } => Some(Err(message.clone())),
            _ => None,
        };
        self.inner.report(connection, update);
        if let Some(ended) = ended {
            // Nobody waits any more once the first end is known.
            let _ = self.ends.send(ended);
        }
    }
}
