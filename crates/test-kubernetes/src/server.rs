//! One control plane.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use test_process::{Ending, Folder, Supervised};

use crate::access::Access;
use crate::binaries::Binaries;
use crate::port::Port;
use crate::{Error, Result, audit, certificates};

/// How long the API server may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running etcd, API server and controller manager.
#[derive(Debug)]
pub struct Server {
    pub(crate) binaries: Binaries,
    pub(crate) access: Access,
    pub(crate) folder: Folder,
    _port: Port,
    _running: [Supervised; 3],
    /// Removes the folder at last.
    _cleaner: Supervised,
}

impl Server {
    /// The server of this process, started at the first call. Tests that share it use namespaces
    /// of their own; what belongs to no namespace, such as a CustomResourceDefinition, they share.
    ///
    /// # Errors
    /// As [`Server::start`]; the same sentence for every caller.
    pub fn shared() -> std::result::Result<&'static Self, String> {
        static SERVER: OnceLock<std::result::Result<Server, String>> = OnceLock::new();
        SERVER
            .get_or_init(|| Self::start().map_err(|error| error.to_string()))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// Starts another.
    ///
    /// # Errors
    /// Whatever keeps the programs from being found, or built, or started.
    pub fn start() -> Result<Self> {
        Self::begin(false)
    }

    /// Starts another that keeps account of who writes, for [`Server::writes`].
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn start_audited() -> Result<Self> {
        Self::begin(true)
    }

    fn begin(is_audited: bool) -> Result<Self> {
        let binaries = Binaries::find()?;
        let folder = Folder::new("test-kubernetes-")?;
        let port = Port::take()?;
        let authority = certificates::write(folder.path())?;
        let access = Access::write(folder.path(), port.number(), authority)?;
        let start = |name: &str, arguments: &[String]| {
            let log = format!("{name}.log");
            // Nothing in here is worth an end in order.
            folder.start(&binaries.program(name), arguments, &log, Ending::AtOnce)
        };
        let mut api_server = api_server(&folder, port.number());
        if is_audited {
            api_server.extend(audit::arguments(folder.path())?);
        }
        let running = [
            start("etcd", &etcd(&folder))?,
            start("kube-apiserver", &api_server)?,
            start("kube-controller-manager", &controller_manager())?,
        ];
        let server = Self {
            _cleaner: folder.remove_after(&running.each_ref())?,
            binaries,
            access,
            folder,
            _port: port,
            _running: running,
        };
        server.wait()?;
        Ok(server)
    }

    /// What one of the programs wrote: `etcd`, `kube-apiserver` or `kube-controller-manager`.
    pub fn log(&self, program: &str) -> String {
        self.folder.log(&format!("{program}.log"))
    }

    /// Waits until the API server says that it is ready. In a thread of its own, for the caller
    /// may or may not be within a runtime.
    fn wait(&self) -> Result<()> {
        let config = self.access.admin();
        let ready = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let client = kube::Client::try_from(config)?;
                let deadline = Instant::now() + PATIENCE;
                loop {
                    match ask_whether_ready(&client).await {
                        Ok(()) => return Ok(()),
                        Err(error) if Instant::now() > deadline => return Err(Error::from(error)),
                        Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                    }
                }
            })
        });
        let why = match ready.join() {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the thread that waited for it panicked".to_owned(),
        };
        let said: Vec<String> = ["etcd", "kube-apiserver"]
            .map(|program| end_of(&self.log(program)))
            .to_vec();
        Err(Error::Failed {
            program: "kube-apiserver".to_owned(),
            why: format!("{why}\n{}", said.join("\n")),
        })
    }
}

async fn ask_whether_ready(client: &kube::Client) -> std::result::Result<(), kube::Error> {
    let request = http::Request::get("/readyz")
        .body(Vec::new())
        .map_err(kube::Error::HttpError)?;
    client.request_text(request).await.map(drop)
}

fn etcd(folder: &Folder) -> Vec<String> {
    [
        "--data-dir=etcd",
        "--unsafe-no-fsync",
        "--log-level=warn",
        "--listen-peer-urls=http://127.0.0.1:0",
        &format!("--listen-client-urls={}", etcd_socket(folder)),
        // It advertises no socket; the one client does not ask for other members.
        "--advertise-client-urls=http://localhost:2379",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// A Unix socket: nobody else on the machine reaches it, and there is no port to collide on.
fn etcd_socket(folder: &Folder) -> String {
    format!("unix://{}/etcd.sock", folder.path().display())
}

fn api_server(folder: &Folder, port: u16) -> Vec<String> {
    [
        &format!("--etcd-servers={}", etcd_socket(folder)),
        &format!("--secure-port={port}"),
        "--permit-port-sharing",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        // Nobody looks for the API server at the Service `kubernetes`: nothing runs in here.
        "--endpoint-reconciler-type=none",
        "--cert-dir=.",
        "--tls-cert-file=server.pem",
        "--tls-private-key-file=server.key",
        "--token-auth-file=tokens.csv",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-account-key-file=tokens.pub",
        "--service-account-signing-key-file=tokens.key",
        "--service-cluster-ip-range=10.0.0.0/16",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn controller_manager() -> Vec<String> {
    [
        "--kubeconfig=kubeconfig",
        "--leader-elect=false",
        "--secure-port=0",
        "--use-service-account-credentials",
        "--service-account-private-key-file=tokens.key",
        "--root-ca-file=ca.pem",
        // The default of 20 a second is for clusters where others wait.
        "--kube-api-qps=1000",
        "--kube-api-burst=2000",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn end_of(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
