//! `serve`: gRPC alone, on a store that others fill.

use grpc::proto::v1;
use jiff::{SignedDuration, Timestamp};
use posthog_stub::{Event, StubHandle};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};
use tonic::{Code, Streaming};

use crate::support::api::Api;
use crate::support::certificates::Authority;
use crate::support::documents::{CONNECTION, Document};
use crate::support::home::{Home, free_address};
use crate::support::host::Nobody;
use crate::support::shop::{self, ADDED_TO_CART, CHECKOUTS, PRODUCT_VIEWS, PROJECT};
use crate::support::wait::PATIENCE;

/// A home with a store that holds the small shop.
async fn with_store() -> (StubHandle, Home) {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    home.sync(&file, "backfill").run().await.with_code(0);
    (stub, home)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_existing_store_is_served_and_followed() {
    let (stub, home) = with_store().await;
    let (program, at) = home.serve();
    let mut serve = program.start();
    let mut api = Api::of(&mut serve, at.grpc).await;
    assert_eq!(
        api.stage_totals().await,
        [
            Some(PRODUCT_VIEWS),
            Some(ADDED_TO_CART),
            Some(CHECKOUTS),
            None
        ]
    );

    // Another process fills the store meanwhile.
    stub.edit(|world| {
        let project = world.project_mut(PROJECT).unwrap();
        project.capture(added_to_cart_lately());
    });
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    home.sync(&file, "refresh").run().await.with_code(0);
    assert_eq!(api.stage_totals().await[1], Some(ADDED_TO_CART + 1));
    serve.interrupt();
    serve.ended().await.with_code(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_tells_what_is_stored_then_what_changes_and_can_be_resumed() {
    let (stub, home) = with_store().await;
    let (program, at) = home.serve();
    let mut serve = program.start();
    let mut api = Api::of(&mut serve, at.grpc).await;
    let request = v1::StreamEventsRequest {
        parent: CONNECTION.to_owned(),
        event_names: vec!["Product Added".to_owned()],
        ..Default::default()
    };
    let stream = api.events.stream_events(request.clone()).await.unwrap();
    let mut stream = stream.into_inner();
    let (told, _) = until_caught_up(&mut stream).await;
    assert_eq!(told.len() as u64, ADDED_TO_CART);

    let new = added_to_cart_lately();
    let uuid = new.uuid.to_string();
    stub.edit(|world| world.project_mut(PROJECT).unwrap().capture(new));
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    let sync = home.sync(&file, "refresh").run().await;
    sync.with_code(0);
    let resume_token = loop {
        let (told, token) = until_caught_up(&mut stream).await;
        if told.iter().any(|change| change.uuid == uuid) {
            break token;
        }
    };

    serve.interrupt();
    let ended = loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            other => break other,
        }
    };
    assert_eq!(ended.unwrap_err().code(), Code::Unavailable);
    serve.ended().await.with_code(0);

    // Another server goes on where the first one ended: there is nothing left to tell.
    let (program, at) = home.serve();
    let mut serve = program.start();
    let mut api = Api::of(&mut serve, at.grpc).await;
    let resumed = v1::StreamEventsRequest {
        resume_token,
        ..request
    };
    let stream = api.events.stream_events(resumed).await.unwrap();
    let (told, _) = until_caught_up(&mut stream.into_inner()).await;
    assert_eq!(told, []);
    serve.interrupt();
    serve.ended().await.with_code(0);
}

/// The changes up to what is stored now, and where to resume after them.
async fn until_caught_up(
    stream: &mut Streaming<v1::StreamEventsResponse>,
) -> (Vec<v1::EventChange>, String) {
    let mut changes = Vec::new();
    loop {
        let told = tokio::time::timeout(PATIENCE, stream.message()).await;
        let told = told.unwrap().unwrap().unwrap();
        changes.extend(told.changes);
        if told.caught_up {
            return (changes, told.resume_token);
        }
    }
}

fn added_to_cart_lately() -> Event {
    let at = Timestamp::now() - SignedDuration::from_mins(10);
    Event::new("Product Added", "anon-1", at)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_not_there_is_told_and_not_made() {
    let home = Home::new();
    let (program, _) = home.serve();
    program.run().await.with_code(20).says(&[
        "There is no database at",
        "store.db",
        "--database-url",
    ]);
    assert!(!home.database().exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_does_not_answer_yet_is_waited_for() {
    let home = Home::new();
    let nobody = Nobody::new();
    let nowhere = format!("postgres://ordinary@{}/ordinary", nobody.address());
    let (program, _) = home.serve_from(&nowhere);
    let mut waiting = program.start();
    waiting
        .until_it_logs("The store cannot be opened yet")
        .await;
    waiting.terminate();
    waiting.ended().await.with_code(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_others_can_reach_is_refused_without_certificates() {
    let (_stub, home) = with_store().await;
    for address in ["0.0.0.0:0", "[::]:0"] {
        let program = home.program(&[
            "serve",
            "--database-url",
            &home.database_url(),
            "--grpc-addr",
            address,
        ]);
        let ended = program
            .arguments(&["--admin-addr", "127.0.0.1:0"])
            .run()
            .await;
        ended.with_code(10).says(&["loopback", "mutual TLS"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_in_use_is_told_with_its_flag() {
    let (_stub, home) = with_store().await;
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let free = free_address().to_string();
    for (grpc, admin, flag) in [
        (&taken, &free, "--grpc-addr"),
        (&free, &taken, "--admin-addr"),
    ] {
        let program = home.program(&["serve", "--database-url", &home.database_url()]);
        let ended = program
            .arguments(&["--grpc-addr", grpc, "--admin-addr", admin])
            .run()
            .await;
        ended.with_code(10).says(&[&taken, flag]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutual_tls_lets_in_who_shows_a_certificate_of_the_authority() {
    let (_stub, home) = with_store().await;
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let server = ours.issue();
    let files = [
        home.write("server.pem", server.certificate_pem()),
        home.write("server.key", server.key_pem()),
        home.write("ca.pem", &ours.pem),
    ];
    let [certificate, key, ca] = files.each_ref().map(|file| file.to_str().unwrap());
    let port = free_address().port();
    let program = home
        .program(&["serve", "--database-url", &home.database_url()])
        .arguments(&[
            "--grpc-addr",
            &format!("0.0.0.0:{port}"),
            "--admin-addr",
            "127.0.0.1:0",
            "--grpc-tls-cert",
            certificate,
            "--grpc-tls-key",
            key,
            "--grpc-tls-client-ca",
            ca,
        ]);
    let mut serve = program.start();
    let connect = async |tls: ClientTlsConfig| {
        let tls = tls
            .ca_certificate(Certificate::from_pem(&ours.pem))
            .domain_name("127.0.0.1");
        let endpoint = Channel::from_shared(format!("https://127.0.0.1:{port}")).unwrap();
        endpoint.tls_config(tls).unwrap().connect().await.ok()
    };
    let shown = |authority: &Authority| {
        let issued = authority.issue();
        ClientTlsConfig::new().identity(Identity::from_pem(
            issued.certificate_pem(),
            issued.key_pem(),
        ))
    };

    let known = shown(&ours);
    let channel = serve
        .until("it listens", async || connect(known.clone()).await)
        .await;
    assert_eq!(
        Api::over(channel).stage_totals().await[0],
        Some(PRODUCT_VIEWS)
    );
    for stranger in [ClientTlsConfig::new(), shown(&theirs)] {
        // TLS 1.3 may let a client think that it is connected until it asks something.
        if let Some(channel) = connect(stranger).await {
            Api::over(channel).connection().await.unwrap_err();
        }
    }
    serve.interrupt();
    serve.ended().await.with_code(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_that_cannot_be_used_are_told() {
    let (_stub, home) = with_store().await;
    let issued = Authority::new("ours").issue();
    let certificate = home.write("server.pem", issued.certificate_pem());
    let garbage = home.write("garbage.pem", "-----BEGIN NOTHING-----");
    let missing = garbage.with_file_name("missing.pem");
    for (key, said) in [
        (&missing, "--grpc-tls-key"),
        (&garbage, "certificates for gRPC cannot be used"),
    ] {
        let program = home
            .program(&["serve", "--database-url", &home.database_url()])
            .arguments(&[
                "--grpc-addr",
                "127.0.0.1:0",
                "--admin-addr",
                "127.0.0.1:0",
                "--grpc-tls-cert",
                certificate.to_str().unwrap(),
                "--grpc-tls-key",
                key.to_str().unwrap(),
                "--grpc-tls-client-ca",
                certificate.to_str().unwrap(),
            ]);
        program.run().await.with_code(10).says(&[said]);
    }
}
