//! The binary as its users see it: what it prints, how it ends, what others see of it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests fail as tests do, and a skipped test says so"
)]

mod certificate;
mod demo;
mod election;
mod example;
mod helm;
mod helm_release;
mod kustomization;
mod kustomize;
mod manual;
mod plane;
mod program;
mod promotion;
mod rebuild;
mod role;
mod run;
mod up;
mod usage;

/// A test file that is not a module of this binary would never run.
#[test]
fn no_test_file_is_forgotten() {
    let main = include_str!("main.rs");
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(name == "main" || main.contains(&format!("mod {name};")), "{name}.rs is forgotten");
    }
}
