//! The command line: one verb, one file.

mod admission;
mod build;
mod cluster;
mod completion;
mod demo;
mod diff;
mod envsubst;
mod error;
pub(crate) mod flag;
mod git;
mod helm;
mod kustomize;
mod late;
mod local;
mod mask;
mod memory;
mod object;
mod promotion;
mod reconcile;
mod registry;
mod release;
mod run;
mod signal;
mod trace;
mod tree;
mod up;
mod version;

pub(crate) use self::helm::Machine;

use std::{io::Write as _, process::ExitCode};

use clap::{CommandFactory as _, Parser, Subcommand};

/// GitOps with image automation and staged promotion, in one binary
#[derive(Debug, Parser)]
#[command(
    name = "sluice",
    version,
    disable_help_subcommand = true,
    after_help = "Start with `sluice demo`: it needs no cluster and no network.\n\
        In a cluster, `sluice run` takes the place of Flux's image controllers."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Demo(demo::Arguments),
    Up(Box<up::Arguments>),
    Run(Box<run::Arguments>),
    Registry(registry::Arguments),
    Git(git::Arguments),
    Reconcile(reconcile::Arguments),
    Build(build::Arguments),
    Diff(diff::Arguments),
    Tree(tree::Arguments),
    Trace(trace::Arguments),
    Promotion(promotion::Arguments),
    Kustomize(kustomize::Arguments),
    Helm(helm::Arguments),
    Envsubst(envsubst::Arguments),
    Admission(admission::Arguments),
    Completion(completion::Arguments),
    Version(version::Arguments),
}

/// The whole command line, for manuals.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Parses the command line and does what it says. Exit codes: 0 done, 1 failed, 2 wrong usage.
pub fn main() -> ExitCode {
    // Whoever installed one before us has as good a one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let verb = match role() {
        Some(arguments) => Verb::Run(Box::new(arguments)),
        None => Arguments::parse().verb,
    };
    match dispatch(verb) {
        Ok(code) => code,
        Err(error) => {
            // Nobody is left to tell when standard error is gone.
            let _ = writeln!(std::io::stderr(), "{}", error::text(&error));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(verb: Verb) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::Demo(arguments) => block_on(demo::run(arguments)),
        Verb::Up(arguments) => block_on(up::run(*arguments)),
        Verb::Run(arguments) => block_on(run::run(*arguments)),
        Verb::Registry(arguments) => block_on(registry::run(arguments)),
        Verb::Git(arguments) => block_on(git::run(arguments)),
        Verb::Reconcile(arguments) => block_on(reconcile::run(arguments)),
        Verb::Build(arguments) => block_on(build::run(arguments)),
        Verb::Diff(arguments) => block_on(async { Ok(diff::run(arguments).await) }),
        Verb::Tree(arguments) => block_on(tree::run(arguments)),
        Verb::Trace(arguments) => block_on(trace::run(arguments)),
        Verb::Envsubst(arguments) => envsubst::run(&arguments),
        Verb::Promotion(arguments) => block_on(promotion::run(arguments)),
        Verb::Kustomize(arguments) => kustomize::run(&arguments),
        Verb::Helm(arguments) => Ok(helm::run(arguments)),
        Verb::Admission(arguments) => admission::run(&arguments),
        Verb::Completion(arguments) => Ok(completion::run(&arguments, &mut command())),
        Verb::Version(arguments) => Ok(version::run(&arguments)),
    }
}

/// Called under the name of an upstream controller, the binary plays just that role.
fn role() -> Option<run::Arguments> {
    let mut words = std::env::args_os();
    let program = words.next()?;
    let name = std::path::Path::new(&program).file_name()?.to_str()?.to_owned();
    crate::controllers::NAMES
        .contains(&name.as_str())
        .then(|| run::Arguments::for_role(&name, words))
}

fn block_on(work: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(work);
    // What is still at work has been told to end and may be killed at any time.
    runtime.shutdown_background();
    result
}
