//! `sluice demo`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;

use super::signal::Signals;
use crate::{demo::Demo, term::Term};

/// Watch images being scanned, selected, committed and applied, with no cluster and no network
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
    let mut signals = Signals::listen()?;
    let demo = Demo::start(term, arguments.dir.as_deref()).await?;
    let outcome = tokio::select! {
        shown = demo.show() => match shown {
            Ok(good) if arguments.keep => {
                demo.explain();
                signals.next().await;
                Ok(exit_code(good))
            }
            shown => shown.map(exit_code),
        },
        signal = signals.next() => Ok(signal.into()),
    };
    signals.stop(demo.stop()).await;
    outcome
}

fn exit_code(as_expected: bool) -> ExitCode {
    if as_expected { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
