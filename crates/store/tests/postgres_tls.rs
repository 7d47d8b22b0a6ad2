//! TLS to PostgreSQL: with the authority that the URL names, and refused without.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use store::{OpenOptions, open};
use test_postgres::Server;

/// A file that the server's user, and nobody else, may read.
fn private_file(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    let owner = path.parent().unwrap().metadata().unwrap();
    chown(path, Some(owner.uid()), Some(owner.gid())).unwrap();
}

/// A port where nobody listens, and that the system gives to nobody who asks for any: those are from
/// 32768 on (ip_local_port_range of ip(7)).
fn free_port() -> u16 {
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    let mut ports = first..32_768;
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.find(is_free).unwrap()
}

#[tokio::test]
async fn a_server_is_trusted_by_the_authority_that_the_url_names() {
    let port = free_port();
    let listen = ["listen_addresses=127.0.0.1", &format!("port={port}")];
    let server = match Server::start(&listen) {
        Ok(server) => server,
        Err(error) => panic!("{error}"),
    };
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let data = server.socket().join("data");
    private_file(&data.join("server.crt"), &made.cert.pem());
    private_file(&data.join("server.key"), &made.signing_key.serialize_pem());
    let authority = tempfile::NamedTempFile::new().unwrap();
    fs::write(authority.path(), made.cert.pem()).unwrap();
    let url = |host: &str, parameters: &str| {
        format!("postgres://postgres@{host}:{port}/postgres?{parameters}")
    };
    let with_authority = format!(
        "sslmode=verify-full&sslrootcert={}",
        authority.path().display()
    );

    let refusal = async |url: &str| match open(url, OpenOptions::default()).await {
        Err(error) => error.to_string(),
        Ok(_) => panic!("{url} was opened"),
    };
    let said = refusal(&url("localhost", "sslmode=require")).await;
    assert!(said.contains("no TLS with PostgreSQL"), "{said}");

    server.run("postgres", "ALTER SYSTEM SET ssl = on").unwrap();
    server.stop();
    server.resume().unwrap();
    let store = open(&url("localhost", &with_authority), OpenOptions::default()).await;
    store.unwrap().ping().await.unwrap();
    let store = open(&url("localhost", "sslmode=require"), OpenOptions::default()).await;
    store.unwrap().ping().await.unwrap();
    let said = refusal(&url("localhost", "sslmode=verify-full")).await;
    assert!(said.contains("sslrootcert"), "{said}");
    let said = refusal(&url("127.0.0.1", &with_authority)).await;
    assert!(said.contains("no TLS with PostgreSQL"), "{said}");
    let said = refusal(&url("localhost", "sslmode=disable")).await;
    assert!(said.contains("does not let user"), "{said}");
}
