//! `sluice kustomize`: kustomize's command line, as far as it builds.

mod build;
mod chart;
mod disk;
mod remote;

use std::process::ExitCode;

use clap::{Args, Subcommand};

pub(crate) use self::remote::bases;

/// Build kustomizations as kustomize v5.7.1 does, without kustomize
#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Build(build::Arguments),
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    match &arguments.verb {
        Verb::Build(arguments) => build::run(arguments),
    }
}
