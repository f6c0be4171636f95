//! The adapter against real servers: `git http-backend`, OpenSSH, gpg and ssh-keygen.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests fail as tests do, and a skipped test says so"
)]

mod fixture;
mod http;
mod mirror;
mod push;
mod race;
mod sign;
mod snapshot;
mod source;
mod ssh;
mod submodule;
mod verify;

/// A test file that is not a module of this binary would never run.
#[test]
fn no_test_file_is_forgotten() {
    let main = include_str!("main.rs");
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(name == "main" || main.contains(&format!("mod {name};")), "{name}.rs is forgotten");
    }
}
