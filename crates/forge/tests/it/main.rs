//! GitHub and GitLab as stubs on loopback that check what they are asked, and a real Gitea.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::needless_pass_by_value,
    reason = "functions of tests may fail loudly, take literals, and say what is skipped"
)]

mod app;
mod gitea;
mod login;
mod pull;
mod secret;
mod stub;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// The key of the App: its PKCS#8 form and its public key, both DER. Made once, since that takes
/// a moment.
fn key() -> &'static (Vec<u8>, Vec<u8>) {
    static KEY: OnceLock<(Vec<u8>, Vec<u8>)> = OnceLock::new();
    KEY.get_or_init(|| {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        (der.as_ref().to_vec(), pair.public_key().as_ref().to_vec())
    })
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|it| std::str::from_utf8(it).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn pkcs8() -> String {
    pem("PRIVATE KEY", &key().0)
}

/// PKCS#8 wraps PKCS#1: 26 bytes of header for a key of this size (RFC 5208).
fn pkcs1() -> String {
    pem("RSA PRIVATE KEY", &key().0[26..])
}

fn data(pairs: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec())).collect()
}
