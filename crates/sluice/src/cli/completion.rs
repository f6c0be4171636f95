//! `sluice completion`.

use std::{io::Write as _, process::ExitCode};

use clap::Args;
use clap_complete::Shell;

/// Print a completion script for a shell
///
/// For example `source <(sluice completion bash)`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments, command: &mut clap::Command) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, command, "sluice", &mut script);
    // Whoever closed standard output does not want to know.
    let _ = std::io::stdout().write_all(&script);
    ExitCode::SUCCESS
}
