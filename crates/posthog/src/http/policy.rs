//! Which hosts may be asked. Tenants choose the host, so without a guard they could have the key and
//! our place in the network used against services that only we can reach.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use domain::ApiHost;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::is_public;
use crate::error::Error;

/// The names that the installation excepts from the rules.
#[derive(Debug)]
pub(crate) struct Policy {
    excepted: BTreeSet<String>,
}

/// A name that leads to an address which may not be asked.
#[derive(Debug, thiserror::Error)]
#[error(
    "its name leads to the address {address}, which is not public; if that is meant, allow it with --allow-insecure-host {name} (posthog.allowInsecureHosts of the chart)"
)]
pub(crate) struct Refused {
    name: String,
    address: IpAddr,
}

impl Policy {
    pub(crate) fn new(excepted: &[String]) -> Self {
        Self {
            excepted: excepted.iter().map(|name| fold(name)).collect(),
        }
    }

    fn excepts(&self, name: &str) -> bool {
        self.excepted.contains(&fold(name))
    }

    /// Judges what a host's text tells: its scheme, and its address where it is one.
    pub(crate) fn check(&self, host: &ApiHost) -> Result<(), Error> {
        let name = host.host_name();
        if self.excepts(name) {
            return Ok(());
        }
        let reason = if host.is_plain_http() {
            format!(
                "plain http would show the API key to the network; write https://, or allow it with --allow-insecure-host {name} (posthog.allowInsecureHosts of the chart)"
            )
        } else if name
            .parse()
            .is_ok_and(|address: IpAddr| !is_public(address))
        {
            format!(
                "its address is not public; if that is meant, allow it with --allow-insecure-host {name} (posthog.allowInsecureHosts of the chart)"
            )
        } else {
            return Ok(());
        };
        Err(Error::HostRefused {
            host: host.to_string(),
            reason,
        })
    }

    /// Judges what the address of a file tells: PostHog names it, but a tenant names PostHog.
    pub(crate) fn check_file_address(&self, address: &Url) -> Result<(), String> {
        let name = fold(address.host_str().unwrap_or_default());
        if self.excepts(&name) {
            return Ok(());
        }
        let problem = if address.scheme() != "https" {
            "plain http would show customers' events to the network"
        } else if name
            .parse()
            .is_ok_and(|address: IpAddr| !is_public(address))
        {
            "its address is not public"
        } else {
            return Ok(());
        };
        Err(format!(
            "{problem}; if that is meant, allow it with --allow-insecure-host {name} (posthog.allowInsecureHosts of the chart)"
        ))
    }
}

/// Host names compare without case, brackets and the root's dot.
fn fold(name: &str) -> String {
    name.trim()
        .trim_start_matches('[')
        .trim_end_matches(']')
        .trim_end_matches('.')
        .to_ascii_lowercase()
}

/// Resolves names for the very connection that is then made, so that an answer which changes between
/// a check and its use changes nothing.
#[derive(Debug)]
pub(crate) struct GuardedResolver(pub(crate) Arc<Policy>);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = Arc::clone(&self.0);
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if !policy.excepts(name.as_str())
                && let Some(refused) = found.iter().find(|address| !is_public(address.ip()))
            {
                return Err(Refused {
                    name: name.as_str().to_owned(),
                    address: refused.ip(),
                }
                .into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(policy: &Policy, host: &str) -> bool {
        ApiHost::parse(host).is_ok_and(|host| policy.check(&host).is_err())
    }

    #[test]
    fn plain_http_and_private_addresses_need_an_exception() {
        let strict = Policy::new(&[]);
        for host in [
            "http://posthog.example",
            "https://127.0.0.1",
            "https://[::1]:8000",
        ] {
            assert!(refused(&strict, host), "{host}");
        }
        for host in ["https://posthog.example", "https://8.8.8.8"] {
            assert!(!refused(&strict, host), "{host}");
        }
        let lenient = Policy::new(&["PostHog.example.".to_owned(), "[::1]".to_owned()]);
        assert!(!refused(&lenient, "http://posthog.example:8000"));
        assert!(!refused(&lenient, "http://[::1]:8000"));
        assert!(refused(&lenient, "http://127.0.0.1:8000"));
    }

    #[test]
    fn files_come_by_https_from_public_addresses_only() {
        let strict = Policy::new(&[]);
        let lenient = Policy::new(&["minio".to_owned(), "[::1]".to_owned()]);
        for (address, is_strictly_fine, is_fine) in [
            ("https://files.example/a?signature=b", true, true),
            ("http://files.example/a", false, false),
            ("http://minio:9000/a", false, true),
            ("https://127.0.0.1/a", false, false),
            ("https://[::1]/a", false, true),
            ("ftp://files.example/a", false, false),
        ] {
            let address = Url::parse(address).unwrap();
            assert_eq!(
                strict.check_file_address(&address).is_ok(),
                is_strictly_fine,
                "{address}"
            );
            assert_eq!(
                lenient.check_file_address(&address).is_ok(),
                is_fine,
                "{address}"
            );
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_loopback_is_refused_unless_excepted() -> Result<(), String> {
        let resolve = async |excepted: &[String]| {
            let name = "localhost".parse().map_err(|_| "not a name".to_owned())?;
            let resolver = GuardedResolver(Arc::new(Policy::new(excepted)));
            Ok::<_, String>(resolver.resolve(name).await.map(Iterator::count))
        };
        let error = resolve(&[]).await?.err().ok_or("localhost was resolved")?;
        assert!(error.downcast_ref::<Refused>().is_some());
        assert!(resolve(&["localhost".to_owned()]).await?.is_ok());
        Ok(())
    }
}
