//! `sluice demo`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;

use crate::{demo, term::Term};

/// Watch images being scanned, selected and committed, with no cluster and no network
///
/// Starts a control plane, a Git server and a registry on loopback, seeds them, publishes a newer
/// image while you watch, and checks what the Git server holds in the end.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Leave everything running at the end, and say how to look around
    #[arg(long)]
    keep: bool,
    /// Keep the files (repositories, objects, tags) in this folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let term = Term::detect();
    let demo = demo::Demo::start(term, arguments.dir.as_deref()).await?;
    let as_expected = demo.show().await?;
    if arguments.keep {
        demo.explain();
        super::interrupted().await;
    }
    demo.stop().await;
    Ok(if as_expected { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
