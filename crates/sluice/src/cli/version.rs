//! `sluice version`.

use std::process::ExitCode;

use clap::Args;

use crate::term::Term;

/// Print the version
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Output {
    Text,
    Json,
    Yaml,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let version = env!("CARGO_PKG_VERSION");
    Term::detect().line(&match arguments.output {
        Output::Text => format!("sluice {version}"),
        Output::Json => format!("{{\"version\":\"{version}\"}}"),
        Output::Yaml => format!("version: {version}"),
    });
    ExitCode::SUCCESS
}
