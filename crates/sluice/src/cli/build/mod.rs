//! `sluice build`: what the controllers would apply, from local files.

mod kustomization;

use std::process::ExitCode;

use clap::{Args, Subcommand};

/// Build from local files what the controllers would apply
#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, Subcommand)]
enum Kind {
    #[command(visible_alias = "ks")]
    Kustomization(Box<kustomization::Arguments>),
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.kind {
        Kind::Kustomization(arguments) => kustomization::run(&arguments).await,
    }
}
