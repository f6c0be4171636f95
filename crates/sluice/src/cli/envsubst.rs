//! `sluice envsubst`.

use std::{
    io::{BufRead as _, Write as _},
    process::ExitCode,
};

use anyhow::{Context as _, Result};
use clap::Args;
use envsubst::{Template, Undefined, Variables};

/// Replace ${variables} of standard input with those of the environment
///
/// As a Kustomization's postBuild does it, line by line.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    export cluster_region=eu-central-1\n  \
    sluice kustomize build . | sluice envsubst\n  \
    sluice kustomize build . | sluice envsubst --strict   # undefined variables are errors")]
pub(super) struct Arguments {
    /// Fail if a variable without a default is missing from the environment
    #[arg(long)]
    strict: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let undefined = if arguments.strict { Undefined::Refused } else { Undefined::Empty };
    let variables = environment();
    let mut out = std::io::stdout().lock();
    for (at, line) in std::io::stdin().lock().split(b'\n').enumerate() {
        let text = String::from_utf8(line.context("cannot read standard input")?)
            .with_context(|| format!("line {} is not UTF-8", at + 1))?;
        let text = Template::parse(&text)
            .and_then(|template| template.render_bytes(&variables, undefined))
            .with_context(|| format!("line {}", at + 1))?;
        out.write_all(&text).and_then(|()| out.write_all(b"\n")).context("cannot write")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Variables whose name or value is not UTF-8 cannot be asked for.
fn environment() -> Variables {
    let mut variables = Variables::new();
    for (name, value) in std::env::vars_os() {
        if let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) {
            variables.insert(&name, value);
        }
    }
    variables
}
