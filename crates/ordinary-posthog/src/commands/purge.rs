//! `purge`: removes what is stored of a connection that was deleted and whose grace period is over; what a
//! purge Job runs.

use domain::ConnectionName;
use domain::storage::Purge;
use jiff::Timestamp;
use serde_json::json;

use crate::connections::parse_name;
use crate::exit::{Exit, Failure};
use crate::settings::StoreSettings;
use crate::{signals, terminal};

/// The arguments of `purge`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which connection. It must be deleted and due: one that lives, or whose rows are to stay, is refused.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = parse_name)]
    connection: ConnectionName,
    #[command(flatten)]
    store: StoreSettings,
}

impl Args {
    /// Removes every row of the connection and prints one JSON line. Stopped or killed, it goes on where it
    /// stopped when it is run again.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let name = &self.connection;
        let store = self.store.open_existing().await?;
        let cancel =
            signals::shutdown_token().map_err(|error| Failure::new(Exit::Configuration, error))?;
        let purged = tokio::select! {
            purged = store.purge_connection(name, Timestamp::now()) => purged?,
            () = cancel.cancelled() => {
                return Err(Failure::new(
                    Exit::Interrupted,
                    format!("{name} is removed in part: run it again to go on"),
                ));
            }
        };
        match purged {
            Purge::Done { events } => {
                let line = json!({"connection": name.to_string(), "eventsRemoved": events});
                terminal::print(&format!("{line}\n"));
                Ok(())
            }
            refused => Err(Failure::new(Exit::Configuration, refusal(name, refused))),
        }
    }
}

fn refusal(name: &ConnectionName, refused: Purge) -> String {
    match refused {
        Purge::Kept { until: Some(until) } => {
            format!("{name}: nothing was removed, for its grace period lasts until {until}")
        }
        Purge::Kept { until: None } => format!(
            "{name}: nothing was removed, for its deletion policy is Retain: recreate it with Delete and delete it again to have its rows removed"
        ),
        Purge::Alive | Purge::Done { .. } => {
            format!("{name}: nothing was removed, for the connection lives: delete it first")
        }
    }
}
