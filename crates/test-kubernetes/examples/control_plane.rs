//! A cluster for tests in other languages: prints a JSON object that says where its kubeconfig and
//! its kubectl are, then runs until its standard input ends.

use std::io::{Read, Write};

use test_kubernetes::{Binaries, Server};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::start()?;
    let places = serde_json::json!({
        "kubeconfig": server.kubeconfig(),
        "kubectl": Binaries::find()?.program("kubectl"),
    });
    let mut out = std::io::stdout().lock();
    writeln!(out, "{places}")?;
    out.flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
