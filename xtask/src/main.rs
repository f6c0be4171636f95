//! Automation of the workspace; `cargo xtask --help` lists what there is.
//!
//! ```text
//! setup   gets what the tests need and the machine lacks, and says so
//! test    setup, then everything that must hold before a change lands
//! tidy    the house rules: rings, budgets, documents, generated files
//! codegen rewrites generated files
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "commands talk to people")]

mod check;
mod codegen;
mod run;
mod setup;
mod tidy;
mod tool;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Automation of the workspace
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Get what the tests need and this machine lacks: Debian packages, servers built from Go modules
    Setup,
    /// Set up, then format check, lints, tests, documentation
    Test {
        /// Also run what takes long: benches, many random kills, fuzzing
        #[arg(long)]
        full: bool,
    },
    /// Check the house rules
    Tidy,
    /// Rewrite generated files
    Codegen,
}

fn main() -> ExitCode {
    match dispatch(&Arguments::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(verb: &Verb) -> Result<()> {
    match verb {
        Verb::Setup => setup::run(true),
        Verb::Test { full } => check::run(*full),
        Verb::Tidy => tidy::run(),
        Verb::Codegen => codegen::write(),
    }
}

/// The root of the workspace.
fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or(here.clone(), PathBuf::from)
}
