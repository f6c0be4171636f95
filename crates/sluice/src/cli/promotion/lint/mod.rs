//! `sluice promotion lint`.

mod check;
mod marker;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::{
    get::Output,
    given::{self, Given},
};
use crate::term::{Colour, Term};

/// Check pipelines, stages and markers before anybody relies on them
///
/// Finds stages that feed each other, that come from several pipelines or from stages that do not exist,
/// that edit the same files, or whose fields cannot be right or are not supported yet; references to what
/// is not among the files; ImageUpdateAutomations that would write the same files. With --repository also
/// markers that no stage sets, and stages without a marker for a component. The exit code is 1 if there is
/// an error; warnings do not count.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sluice promotion lint clusters/management\n  \
    sluice promotion lint clusters/management --repository .\n  \
    sluice promotion lint            # what the cluster holds")]
pub(super) struct Arguments {
    #[command(flatten)]
    given: given::Arguments,
    /// Checkout of the repository that the stages write to
    #[arg(long, value_name = "DIR")]
    repository: Option<PathBuf>,
    /// Form for machines
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    output: Option<Output>,
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
enum Level {
    /// It will not work.
    Error,
    /// It may be meant, or is elsewhere.
    Warning,
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Finding {
    level: Level,
    /// Kind and name of the object, or file and line.
    place: String,
    message: String,
}

impl Finding {
    fn error(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { level: Level::Error, place: place.into(), message: message.into() }
    }

    fn warning(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { level: Level::Warning, place: place.into(), message: message.into() }
    }
}

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let given = Given::of(&arguments.given).await?;
    let mut findings = check::all(&given);
    if let Some(folder) = &arguments.repository {
        findings.extend(marker::all(&given, folder)?);
    }
    findings.sort();
    findings.dedup();
    let term = Term::detect();
    match arguments.output {
        Some(output) => term.line(output.text(&json!({ "findings": findings }))?.trim_end()),
        None => show(term, &given, &findings),
    }
    let bad = findings.iter().any(|it| it.level == Level::Error);
    Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn show(term: Term, given: &Given, findings: &[Finding]) {
    for Finding { level, place, message } in findings {
        let (colour, word) = match level {
            Level::Error => (Colour::Red, "error"),
            Level::Warning => (Colour::Yellow, "warning"),
        };
        term.coloured(colour, &format!("{word}  {place}"));
        term.line(&format!("  {message}"));
    }
    let (pipelines, stages) = (given.pipelines.len(), given.stages.len());
    let errors = findings.iter().filter(|it| it.level == Level::Error).count();
    let summary = format!(
        "{pipelines} pipelines and {stages} stages: {errors} errors, {} warnings",
        findings.len() - errors
    );
    if errors == 0 { term.done(&summary) } else { term.failed(&summary) }
}
