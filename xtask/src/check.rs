//! Everything that must hold before a change lands.

use std::process::Command;

use anyhow::Result;

use crate::{
    run::{has, output, run as start, run_in},
    setup,
};

/// Sets up and checks everything; `full` adds what takes long.
pub(crate) fn run(full: bool) -> Result<()> {
    setup::run(full)?;
    lints()?;
    tests()?;
    documentation()?;
    dependencies()?;
    if full {
        long()?;
    }
    Ok(())
}

fn lints() -> Result<()> {
    if output("cargo", &["fmt", "--version"]).is_some() {
        start("cargo", &["fmt", "--all", "--check"])?;
    } else {
        println!("skipped: rustfmt is not installed");
    }
    if output("cargo", &["clippy", "--version"]).is_some() {
        start(
            "cargo",
            &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"],
        )?;
    } else {
        println!("skipped: clippy is not installed");
    }
    Ok(())
}

/// Every test. Backtraces are off: those of panics that are meant bury what failed.
fn tests() -> Result<()> {
    let mut cargo = Command::new("cargo");
    cargo.env("RUST_BACKTRACE", "0");
    run_in(&mut cargo, &["test", "--workspace", "--quiet", "--no-fail-fast", "--", "--nocapture"])
}

fn documentation() -> Result<()> {
    let mut cargo = Command::new("cargo");
    cargo.env("RUSTDOCFLAGS", "-D warnings");
    run_in(&mut cargo, &["doc", "--workspace", "--no-deps", "--quiet"])
}

fn dependencies() -> Result<()> {
    if has("cargo-deny") {
        return start("cargo", &["deny", "--offline", "check", "bans", "licenses", "sources"]);
    }
    println!("skipped: cargo-deny is not installed");
    Ok(())
}

/// Benches and the long forms of tests that have one.
fn long() -> Result<()> {
    let mut cargo = Command::new("cargo");
    cargo.env("SLUICE_FULL", "1");
    run_in(&mut cargo, &["test", "--workspace", "--release", "--quiet", "--", "--nocapture"])?;
    start("cargo", &["bench", "--workspace", "--quiet"])
}
