//! `sluice demo`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;

use super::signal::Signals;
use crate::{demo::Demo, term::Term};

/// Watch images and releases on their way into Git and through stages, with no cluster and no network
///
/// Starts a control plane, a Git server, a registry and a simulator of workloads on loopback, and seeds
/// them. First a newer image is published, scanned, selected, committed and applied. Then two releases go
/// from dev to staging to production, with a soak and the approval of a second person; the second one
/// crashes in production and is rolled back. Each step is checked against what the Git server and the
/// control plane hold; the exit code is 1 if something is not as expected.
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
