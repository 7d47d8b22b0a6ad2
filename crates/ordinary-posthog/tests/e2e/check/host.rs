//! Hosts that cannot or must not be asked.

use super::{check, stored_nothing};
use crate::support::certificates::Authority;
use crate::support::documents::Document;
use crate::support::home::Home;
use crate::support::host::{Nobody, babbler};
use crate::support::program::Ended;
use crate::support::shop;

/// `check` where no host is excepted from the policy.
async fn check_strictly(document: &Document) -> Ended {
    let home = Home::new();
    let file = home.write("connection.yaml", document.yaml());
    let ended = home.program(&["check"]).documents(&file).run().await;
    stored_nothing(&home);
    ended
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_cannot_be_one_is_refused_with_what_to_write() {
    for (host, said) in [
        ("eu.posthog.com", "write https://eu.posthog.com"),
        ("ftp://eu.posthog.com", "must begin with https://"),
        (
            "https://eu.posthog.com/project/4242",
            "write https://eu.posthog.com",
        ),
        ("https://eu.posthog.com?x=1", "write https://eu.posthog.com"),
        ("https://user:word@eu.posthog.com", "user name or password"),
        ("\"\"", "host is empty"),
        ("\"https://\"", "is not a web address"),
        ("https://phx_SeCrEtPaRt", "looks like an API key"),
    ] {
        let ended = check(&Document::at(host)).await;
        ended
            .with_code(10)
            .says(&["connection.yaml:", "spec.host", said]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_http_is_refused_unless_the_host_is_named() {
    for host in ["http://posthog.example", "http://8.8.8.8:8000"] {
        let ended = check_strictly(&Document::at(host)).await;
        ended
            .with_code(16)
            .says(&[host, "plain http", "--allow-insecure-host"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn private_and_loopback_addresses_are_refused_unless_the_host_is_named() {
    for host in [
        "https://127.0.0.1",
        "https://localhost",
        "https://10.1.2.3",
        "https://169.254.169.254",
        "https://[::1]",
    ] {
        let ended = check_strictly(&Document::at(&format!("\"{host}\""))).await;
        ended
            .with_code(16)
            .says(&["host", host, "not public", "--allow-insecure-host"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exception_for_one_host_is_none_for_another() {
    let home = Home::new();
    let file = home.write("connection.yaml", Document::at("https://127.0.0.2").yaml());
    let program = home
        .program(&["check"])
        .reaching_loopback()
        .documents(&file);
    program
        .run()
        .await
        .with_code(16)
        .says(&["--allow-insecure-host 127.0.0.2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_where_nobody_listens_is_unreachable() {
    let nobody = Nobody::new();
    let host = format!("http://{}", nobody.address());
    check(&Document::at(&host)).await.with_code(17).says(&[
        &host,
        "cannot be reached",
        "check host",
    ]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_tls_behind_https_is_a_tls_failure() {
    let address = babbler(b"SSH-2.0-OpenSSH_9.6\r\n").await;
    let host = format!("https://{address}");
    check(&Document::at(&host))
        .await
        .with_code(17)
        .says(&["TLS", &host]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_a_private_authority_is_trusted_only_with_its_bundle() {
    let stub = shop::small_shop().await;
    let authority = Authority::new("Linden & Loom private CA");
    let front = authority.issue().in_front_of(stub.address()).await;
    let document = Document::at(&format!("https://{front}"));
    check(&document)
        .await
        .with_code(17)
        .says(&["TLS", &front.to_string(), "--ca-bundle"]);

    let home = Home::new();
    let file = home.write("connection.yaml", document.yaml());
    let check_with = |bundle: &str| {
        let program = home.program(&["check", "--ca-bundle", bundle]);
        program.reaching_loopback().documents(&file)
    };
    let bundle = home.write("ca.pem", &authority.pem);
    check_with(bundle.to_str().unwrap())
        .run()
        .await
        .with_code(0)
        .says(&["works"]);

    let empty = home.write("empty.pem", "");
    let ended = check_with(empty.to_str().unwrap()).run().await;
    ended
        .with_code(10)
        .says(&["--ca-bundle", "empty.pem", "no PEM certificate"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_private_authority_is_not_trusted_for_having_a_bundle() {
    let stub = shop::small_shop().await;
    let front = Authority::new("one")
        .issue()
        .in_front_of(stub.address())
        .await;
    let home = Home::new();
    let file = home.write(
        "connection.yaml",
        Document::at(&format!("https://{front}")).yaml(),
    );
    let bundle = home.write("ca.pem", &Authority::new("another").pem);
    let program = home.program(&["check", "--ca-bundle", bundle.to_str().unwrap()]);
    program
        .reaching_loopback()
        .documents(&file)
        .run()
        .await
        .with_code(17)
        .says(&["TLS"]);
    assert!(stub.requests().is_empty());
}
