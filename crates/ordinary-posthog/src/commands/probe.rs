//! `probe`: asks a running server for its health and its first connection, as another Ordinary
//! service would. What `helm test` runs.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use grpc::proto::v1::ListConnectionsRequest;
use grpc::proto::v1::connection_service_client::ConnectionServiceClient;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::exit::{Exit, Failure};
use crate::terminal;

/// From one attempt to the next, while there is time.
const PAUSE: Duration = Duration::from_millis(500);

/// The arguments of `probe`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The server to ask.
    #[arg(
        long,
        env = "ORDINARY_POSTHOG_GRPC_ADDR",
        default_value = "127.0.0.1:50051",
        value_name = "HOST:PORT",
        value_parser = address
    )]
    grpc_addr: String,
    /// PEM file with the authority of the server's certificate; turns on TLS.
    #[arg(long, env = "ORDINARY_POSTHOG_TLS_CA")]
    tls_ca: Option<PathBuf>,
    /// PEM file with the certificate to show, for mutual TLS.
    #[arg(long, env = "ORDINARY_POSTHOG_TLS_CERT", requires_all = ["tls_ca", "tls_key"])]
    tls_cert: Option<PathBuf>,
    /// PEM file with that certificate's private key.
    #[arg(long, env = "ORDINARY_POSTHOG_TLS_KEY", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// The name that the server's certificate must have. Default: the host of --grpc-addr.
    #[arg(
        long,
        env = "ORDINARY_POSTHOG_TLS_SERVER_NAME",
        requires = "tls_ca",
        value_name = "NAME"
    )]
    tls_server_name: Option<String>,
    /// How long the server may take until it serves.
    #[arg(long, env = "ORDINARY_POSTHOG_PROBE_TIMEOUT", default_value = "10s", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

impl Args {
    /// Asks until the server serves or its time is over, and prints one line.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let endpoint = self.endpoint()?;
        let began = Instant::now();
        let mut last = None;
        loop {
            let left = self.timeout.saturating_sub(began.elapsed());
            let failure = match tokio::time::timeout(left, self.ask(&endpoint)).await {
                Ok(Ok(answer)) => {
                    terminal::print(&format!("{} serves: {answer}.\n", self.grpc_addr));
                    return Ok(());
                }
                Ok(Err(failure)) => failure,
                // What an attempt before heard says more than that this one was cut short.
                Err(_) => return Err(last.unwrap_or_else(|| self.silent())),
            };
            let may_pass = matches!(failure.exit, Exit::Unreachable | Exit::Store);
            if !may_pass || began.elapsed() + PAUSE >= self.timeout {
                return Err(failure);
            }
            last = Some(failure);
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Where to connect to, and how.
    fn endpoint(&self) -> Result<Endpoint, Failure> {
        let unusable = |error: tonic::transport::Error| {
            Failure::new(
                Exit::Configuration,
                format!(
                    "The connection to {} cannot be set up ({}): --tls-ca, --tls-cert and --tls-key must be PEM files, and the key the certificate's own.",
                    self.grpc_addr,
                    innermost(&error)
                ),
            )
        };
        let scheme = if self.tls_ca.is_some() {
            "https"
        } else {
            "http"
        };
        let endpoint =
            Endpoint::from_shared(format!("{scheme}://{}", self.grpc_addr)).map_err(unusable)?;
        let Some(ca) = &self.tls_ca else {
            return Ok(endpoint);
        };
        let mut tls =
            ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(ca, "--tls-ca")?));
        if let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) {
            tls = tls.identity(Identity::from_pem(
                read(certificate, "--tls-cert")?,
                read(key, "--tls-key")?,
            ));
        }
        if let Some(name) = &self.tls_server_name {
            tls = tls.domain_name(name);
        }
        endpoint.tls_config(tls).map_err(unusable)
    }

    /// One attempt: health, then a list; says what was listed.
    async fn ask(&self, endpoint: &Endpoint) -> Result<String, Failure> {
        let channel = endpoint
            .connect()
            .await
            .map_err(|error| self.unreachable(&error))?;
        self.ask_health(channel.clone()).await?;
        self.list(channel).await
    }

    async fn ask_health(&self, channel: Channel) -> Result<(), Failure> {
        let answer = HealthClient::new(channel)
            .check(HealthCheckRequest::default())
            .await
            .map_err(|status| self.refused("health", &status))?;
        if answer.into_inner().status() == ServingStatus::Serving {
            return Ok(());
        }
        Err(Failure::new(
            Exit::Store,
            format!(
                "{} is not serving: its database does not answer, or it is stopping; its log says which.",
                self.grpc_addr
            ),
        ))
    }

    async fn list(&self, channel: Channel) -> Result<String, Failure> {
        let request = ListConnectionsRequest {
            parent: "namespaces/-".to_owned(),
            page_size: 1,
            page_token: String::new(),
        };
        let page = ConnectionServiceClient::new(channel)
            .list_connections(request)
            .await
            .map_err(|status| self.refused("ListConnections", &status))?
            .into_inner();
        let more = if page.next_page_token.is_empty() {
            ""
        } else {
            " and more"
        };
        Ok(match page.connections.first() {
            None => "it has no connections yet".to_owned(),
            Some(first) => format!("it has {}{more}", first.name),
        })
    }

    fn refused(&self, what: &str, status: &Status) -> Failure {
        // A status that the server did not send wraps what broke the connection. A certificate
        // that the server refuses is among these: TLS 1.3 tells of it with the first answer.
        if let Some(cause) = status.source() {
            return self.unreachable(cause);
        }
        let exit = match status.code() {
            Code::Unavailable => Exit::Store,
            Code::DeadlineExceeded => Exit::Unreachable,
            _ => Exit::NotUnderstood,
        };
        Failure::new(
            exit,
            format!(
                "{} refuses {what} with {:?}: {}",
                self.grpc_addr,
                status.code(),
                status.message()
            ),
        )
    }

    fn silent(&self) -> Failure {
        Failure::new(
            Exit::Unreachable,
            format!(
                "{} did not answer within {}: check --grpc-addr and the network, or give it a longer --timeout.",
                self.grpc_addr,
                humantime::format_duration(self.timeout)
            ),
        )
    }

    fn unreachable(&self, error: &(dyn Error + 'static)) -> Failure {
        Failure::new(
            Exit::Unreachable,
            format!(
                "{} cannot be asked ({}): check --grpc-addr, and that the server's certificate is for that name and signed by --tls-ca, and yours by the authority that the server trusts.",
                self.grpc_addr,
                innermost(error)
            ),
        )
    }
}

/// A host and a port, as `--grpc-addr` takes them.
fn address(text: &str) -> Result<String, String> {
    let has_port = text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && port.parse().is_ok_and(|port: u16| port > 0)
    });
    if has_port && Endpoint::from_shared(format!("http://{text}")).is_ok() {
        Ok(text.to_owned())
    } else {
        Err("write HOST:PORT, such as grpc.example.com:50051 or [::1]:50051".to_owned())
    }
}

fn read(path: &Path, flag: &str) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| {
        Failure::new(
            Exit::Configuration,
            format!("{flag} {} cannot be read: {error}.", path.display()),
        )
    })
}

/// What went wrong in the end: the outer errors of a transport only say that something did.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
