//! `probe`: a running server as another service sees it.

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;

use crate::support::certificates::Authority;
use crate::support::documents::{CONNECTION, Document};
use crate::support::home::{Home, free_address};
use crate::support::host::{Nobody, babbler};
use crate::support::program::{Program, Running};
use crate::support::shop;

/// `probe` of that server, which is up or never will be: it is given time for one good look at it on a busy
/// machine.
fn probe(home: &Home, at: &impl ToString) -> Program {
    asking(home, at, "10s")
}

/// `probe` of that server, which is given this long.
fn asking(home: &Home, at: &impl ToString, timeout: &str) -> Program {
    home.program(&[
        "probe",
        "--grpc-addr",
        &at.to_string(),
        "--timeout",
        timeout,
    ])
}

/// A store that holds the small shop, served there.
async fn serving(home: &Home, settings: &[&str], at: SocketAddr) -> Running {
    let stub = shop::small_shop().await;
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    home.sync(&file, "backfill").run().await.with_code(0);
    let mut serve = home
        .program(&["serve", "--database-url", &home.database_url()])
        .arguments(&[
            "--grpc-addr",
            &at.to_string(),
            "--admin-addr",
            "127.0.0.1:0",
        ])
        .arguments(settings)
        .start();
    serve.until_it_logs("gRPC is listening").await;
    serve
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_serves_is_told_with_its_first_connection() {
    let home = Home::new();
    let at = free_address();
    let _serve = serving(&home, &[], at).await;
    let ended = asking(&home, &at, "60s").run().await;
    ended.with_code(0);
    assert_eq!(ended.stdout, format!("{at} serves: it has {CONNECTION}.\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_may_take_its_time_to_come_up() {
    let home = Home::new();
    let at = free_address();
    let probing = asking(&home, &at, "60s").start();
    let _serve = serving(&home, &[], at).await;
    probing.ended().await.with_code(0).says(&["serves"]);
}

/// Certificates of one authority: the server's and a caller's.
struct Certificates {
    ca: PathBuf,
    server: [PathBuf; 2],
    caller: [PathBuf; 2],
}

impl Certificates {
    fn of(home: &Home, name: &str) -> Self {
        let authority = Authority::new(name);
        let issue = |role: &str| {
            let issued = authority.issue();
            [
                home.write(&format!("{name}-{role}.pem"), issued.certificate_pem()),
                home.write(&format!("{name}-{role}.key"), issued.key_pem()),
            ]
        };
        Self {
            ca: home.write(&format!("{name}-ca.pem"), &authority.pem),
            server: issue("server"),
            caller: issue("caller"),
        }
    }
}

/// Flags with the paths of files.
fn flags(pairs: &[(&str, &PathBuf)]) -> Vec<String> {
    pairs
        .iter()
        .map(|(flag, path)| format!("--{flag}={}", path.display()))
        .collect()
}

fn as_text(flags: &[String]) -> Vec<&str> {
    flags.iter().map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutual_tls_is_spoken_and_strangers_are_told_what_to_check() {
    let home = Home::new();
    let (ours, theirs) = (
        Certificates::of(&home, "ours"),
        Certificates::of(&home, "theirs"),
    );
    let at = free_address();
    let [certificate, key] = &ours.server;
    let settings = flags(&[
        ("grpc-tls-cert", certificate),
        ("grpc-tls-key", key),
        ("grpc-tls-client-ca", &ours.ca),
    ]);
    let _serve = serving(&home, &as_text(&settings), at).await;
    let shown = |ca: &PathBuf, [certificate, key]: &[PathBuf; 2]| {
        flags(&[("tls-ca", ca), ("tls-cert", certificate), ("tls-key", key)])
    };

    asking(&home, &at, "60s")
        .arguments(&as_text(&shown(&ours.ca, &ours.caller)))
        .run()
        .await
        .with_code(0)
        .says(&["serves", CONNECTION]);
    let strangers = [
        vec![],
        flags(&[("tls-ca", &ours.ca)]),
        shown(&ours.ca, &theirs.caller),
        shown(&theirs.ca, &ours.caller),
        [
            shown(&ours.ca, &ours.caller),
            vec!["--tls-server-name=elsewhere.example".to_owned()],
        ]
        .concat(),
    ];
    // Each asks until its time is over.
    let probing = strangers.map(|stranger| {
        let program = probe(&home, &at).arguments(&as_text(&stranger));
        program.start()
    });
    for stranger in probing {
        stranger.ended().await.with_code(17).says(&["--tls-ca"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_store_is_silent_is_no_success() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter
        .set_service_status("", ServingStatus::NotServing)
        .await;
    tokio::spawn(
        Server::builder()
            .add_service(health)
            .serve_with_incoming(TcpIncoming::from(listener)),
    );
    let home = Home::new();
    let ended = probe(&home, &at).run().await;
    ended.with_code(20).says(&["not serving", "database"]);

    // It serves now, but is some other server.
    reporter
        .set_service_status("", ServingStatus::Serving)
        .await;
    let ended = probe(&home, &at).run().await;
    ended
        .with_code(18)
        .says(&["ListConnections", "Unimplemented"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_there_and_no_grpc_are_told() {
    let home = Home::new();
    let nowhere = Nobody::new();
    let nobody = probe(&home, &nowhere.address()).start();
    let babbling = babbler(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let babbling = probe(&home, &babbling).start();
    // It takes the call, and never says anything.
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let ended = asking(&home, &silent.local_addr().unwrap(), "1s").run();
    ended
        .await
        .with_code(17)
        .says(&["did not answer within 1s"]);
    let nobody = nobody.ended().await;
    nobody.with_code(17).says(&["refused", "--grpc-addr"]);
    babbling.ended().await.with_code(17);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_flags_are_told_before_anybody_is_asked() {
    let home = Home::new();
    let garbage = home.write("garbage.pem", "-----BEGIN NOTHING-----");
    let missing = garbage.with_file_name("missing.pem");
    for address in ["somewhere", ":50051", "host:0", "host:70000", "a b:1"] {
        probe(&home, &address)
            .run()
            .await
            .with_code(2)
            .says(&["HOST:PORT"]);
    }
    let alone = flags(&[("tls-cert", &garbage)]);
    let ended = probe(&home, &"localhost:1")
        .arguments(&as_text(&alone))
        .run()
        .await;
    ended.with_code(2).says(&["--tls-key"]);
    let unread = flags(&[("tls-ca", &missing)]);
    let ended = probe(&home, &"localhost:1")
        .arguments(&as_text(&unread))
        .run()
        .await;
    ended.with_code(10).says(&["--tls-ca", "missing.pem"]);
    let unusable = flags(&[
        ("tls-ca", &garbage),
        ("tls-cert", &garbage),
        ("tls-key", &garbage),
    ]);
    let ended = probe(&home, &"localhost:1")
        .arguments(&as_text(&unusable))
        .run()
        .await;
    ended.with_code(10).says(&["PEM"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewed_certificates_are_taken_up_without_a_restart() {
    let home = Home::new();
    let (old, new) = (
        Certificates::of(&home, "old"),
        Certificates::of(&home, "new"),
    );
    let put_in_place = |from: &Certificates| {
        [
            ("tls.key", &from.server[1]),
            ("ca.crt", &from.ca),
            ("tls.crt", &from.server[0]),
        ]
        .map(|(name, file)| home.write(name, std::fs::read(file).unwrap()))
    };
    let [key, ca, certificate] = put_in_place(&old);
    let at = free_address();
    let settings = flags(&[
        ("grpc-tls-cert", &certificate),
        ("grpc-tls-key", &key),
        ("grpc-tls-client-ca", &ca),
    ]);
    let mut serve = serving(&home, &as_text(&settings), at).await;
    let probe_as = async |caller: &Certificates, timeout: &str| {
        let [certificate, key] = &caller.caller;
        let shown = flags(&[
            ("tls-ca", &caller.ca),
            ("tls-cert", certificate),
            ("tls-key", key),
        ]);
        let program = asking(&home, &at, timeout).arguments(&as_text(&shown));
        program.run().await
    };
    probe_as(&old, "60s").await.with_code(0);

    put_in_place(&new);
    serve.until_it_logs("were renewed").await;
    probe_as(&new, "60s").await.with_code(0);
    probe_as(&old, "1s").await.with_code(17);

    // What cannot be used changes nothing.
    home.write("tls.crt", "-----BEGIN NOTHING-----");
    serve
        .until_it_logs("The changed certificates for gRPC cannot be used")
        .await;
    probe_as(&new, "60s").await.with_code(0);
    serve.terminate();
    serve.ended().await.with_code(0);
}
