//! `sluice build`: what the controllers would apply, from local files.

mod helm_release;
mod kustomization;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::late::Late;

/// Build from local files what the controllers would apply
#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    kind: Late<Kind>,
}

#[derive(Debug, Subcommand)]
enum Kind {
    #[command(visible_alias = "ks")]
    Kustomization(Box<kustomization::Arguments>),
    #[command(name = "helmrelease", visible_alias = "hr")]
    HelmRelease(Box<helm_release::Arguments>),
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.kind.0 {
        Kind::Kustomization(arguments) => kustomization::run(&arguments).await,
        Kind::HelmRelease(arguments) => helm_release::run(&arguments).await,
    }
}
