//! `sluice completion`.

use std::process::ExitCode;

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
    clap_complete::generate(arguments.shell, command, "sluice", &mut std::io::stdout());
    ExitCode::SUCCESS
}
