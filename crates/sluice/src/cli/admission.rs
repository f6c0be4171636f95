//! `sluice admission`.

use std::{io::Write as _, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::Args;

/// Print the admission policies of staged promotion
///
/// They see to it that nobody promotes, approves, rejects or freezes in another's name, and that
/// stages are configured by those who may. `sluice up` has them; into a cluster they go with
/// `sluice admission | kubectl apply -f -`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The controllers, as the API server calls them
    #[arg(long, value_name = "USER", default_value = api::admission::ACCOUNT)]
    account: String,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let mut text = String::new();
    for policy in api::admission::all(&arguments.account) {
        let policy = yaml::json_to_yaml(&policy.to_string()).context("JSON converts to YAML")?;
        text.push_str("---\n");
        text.push_str(&policy);
    }
    // Whoever closed standard output does not want to know.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(ExitCode::SUCCESS)
}
