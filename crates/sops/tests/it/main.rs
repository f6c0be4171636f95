//! Documents that sops wrote, round trips, and what is refused.
#![allow(clippy::disallowed_methods, reason = "tests read recorded documents from disk")]

mod golden;
mod refusal;
mod round_trip;
mod service;

use sops::{Format, Keyring};

/// A file below `tests/golden`.
fn golden(path: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/");
    std::fs::read(format!("{folder}{path}")).expect("a recorded file")
}

fn text(path: &str) -> String {
    String::from_utf8(golden(path)).expect("a text")
}

/// All private keys of the tests.
fn keyring() -> Keyring {
    let mut keyring = Keyring::new();
    for key in ["one.agekey", "two.agekey", "ssh_ed25519", "ssh_rsa"] {
        keyring.add_age(&text(&format!("keys/{key}"))).expect("an age key");
    }
    for key in ["one.asc", "two.asc"] {
        keyring.add_pgp(&golden(&format!("keys/{key}"))).expect("an OpenPGP key");
    }
    keyring
}

fn format_of(name: &str) -> Format {
    Format::of_path(name)
}
