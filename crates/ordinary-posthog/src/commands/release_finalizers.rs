//! `release-finalizers`: lets every connection of a cluster go without this program; what the chart runs
//! before it is uninstalled.

use ::operator::Metrics;

use crate::exit::Failure;
use crate::terminal;

/// The arguments of `release-finalizers`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The operator's Deployment, which is scaled to nothing first: an operator that runs would put its
    /// finalizer on again.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = parse_deployment)]
    stop_deployment: Option<Deployment>,
}

/// Where a Deployment is.
#[derive(Debug, Clone)]
struct Deployment {
    namespace: String,
    name: String,
}

impl Args {
    /// Releases them all and prints how many. Interrupted, it goes on when it is run again.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let client = ::operator::connect(&Metrics::default()).await?;
        if let Some(Deployment { namespace, name }) = &self.stop_deployment {
            ::operator::stop_operator(&client, namespace, name).await?;
            terminal::print(&format!("Stopped the operator ({namespace}/{name}).\n"));
        }
        let released = ::operator::release_finalizers(&client).await?;
        let connections = if released == 1 {
            "connection"
        } else {
            "connections"
        };
        terminal::print(&format!(
            "Released {released} {connections}: they stay, and nothing waits for the operator any more when one is deleted.\n"
        ));
        Ok(())
    }
}

fn parse_deployment(given: &str) -> Result<Deployment, String> {
    match given.split_once('/') {
        Some((namespace, name)) if crd::is_dns_label(namespace) && crd::is_dns_subdomain(name) => {
            Ok(Deployment {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            })
        }
        _ => Err(
            "write a namespace and a name, such as ordinary-posthog/ordinary-posthog-operator"
                .to_owned(),
        ),
    }
}
