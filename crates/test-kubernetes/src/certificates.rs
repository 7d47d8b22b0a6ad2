//! What the API server proves itself with, and what it signs tokens with.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};

use crate::Result;

/// Writes `ca.pem`, the server's `server.pem` and `server.key`, and the key pair of
/// ServiceAccount tokens, `tokens.key` and `tokens.pub`, and returns the authority in DER.
pub(crate) fn write(folder: &Path) -> Result<Vec<u8>> {
    let authority_key = KeyPair::generate()?;
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);

    let server_key = KeyPair::generate()?;
    let mut server = CertificateParams::new(vec!["localhost".to_owned()])?;
    let loopback = SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST));
    server.subject_alt_names.push(loopback);
    let server_pem = server.signed_by(&server_key, &issuer)?.pem();

    let tokens = KeyPair::generate()?;
    for (name, content) in [
        ("ca.pem", &certificate.pem()),
        ("server.pem", &server_pem),
        ("server.key", &server_key.serialize_pem()),
        ("tokens.key", &tokens.serialize_pem()),
        ("tokens.pub", &tokens.public_key_pem()),
    ] {
        std::fs::write(folder.join(name), content)?;
    }
    Ok(certificate.der().to_vec())
}
