//! `sluice helm`: Helm's commands that change nothing, with Helm's flags and output.

mod diff;
pub(super) mod fetch;
mod lint;
pub(super) mod outside;
pub(super) mod source;
pub(super) mod template;
mod value;

pub(crate) use self::outside::Machine;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::late::Late;

/// Render, check and compare Helm charts, with Helm's flags and output
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Late<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Template(Box<template::Arguments>),
    Lint(Box<lint::Arguments>),
    Diff(Box<diff::Arguments>),
}

pub(super) fn run(arguments: Arguments) -> ExitCode {
    let result = match arguments.verb.0 {
        Verb::Template(arguments) => template::run(&arguments),
        Verb::Lint(arguments) => lint::run(&arguments),
        Verb::Diff(arguments) => return diff::run(&arguments),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            // Helm's own form, which scripts look for.
            let _ = writeln!(std::io::stderr(), "Error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints what was odd, as Helm logs it.
fn warn(warnings: &[String]) {
    for warning in warnings {
        let _ = writeln!(std::io::stderr(), "{warning}");
    }
}

/// Writes to standard output.
fn print(text: &str) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| error.to_string())
}
