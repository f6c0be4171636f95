//! `sluice diff`: what local files would change in the cluster.

mod helm_release;
mod kustomization;
mod object;
pub(super) mod report;
mod text;

use std::{io::Write as _, process::ExitCode};

use clap::{Args, Subcommand};

use super::{error, late::Late};

/// Show what local files would change in the cluster
///
/// Exit codes: 0 nothing would change, 1 something would, 2 it could not be found out.
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

pub(super) async fn run(arguments: Arguments) -> ExitCode {
    ended(match arguments.kind.0 {
        Kind::Kustomization(arguments) => kustomization::run(&arguments).await,
        Kind::HelmRelease(arguments) => helm_release::run(&arguments).await,
    })
}

/// The end of a comparison: whether there are changes, or why nobody knows.
pub(super) fn ended(outcome: anyhow::Result<bool>) -> ExitCode {
    let mut err = std::io::stderr();
    match outcome {
        Ok(false) => ExitCode::SUCCESS,
        Ok(true) => {
            let _ =
                writeln!(err, "⚠️ identified at least one change, exiting with non-zero exit code");
            ExitCode::from(1)
        }
        Err(why) => {
            let _ = writeln!(err, "{}", error::text(&why));
            ExitCode::from(2)
        }
    }
}
