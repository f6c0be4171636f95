//! `sluice promotion`: what moves where, why it waits, and what people decide.

mod approve;
mod bundle;
mod decide;
mod diff;
mod freeze;
mod get;
mod given;
mod history;
mod lint;
mod migrate;
mod place;
mod promote;
mod rebuild;
mod simulate;
mod tree;
mod why;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::late::Late;

/// See and decide what moves through the stages of a pipeline
#[derive(Debug, Args)]
#[command(
    disable_help_subcommand = true,
    after_help = "Examples:\n  \
    sluice promotion tree\n  \
    sluice promotion why shop-prod\n  \
    sluice promotion approve shop-prod\n  \
    sluice promotion rollback shop-prod --reason 'errors since 1.8.3'"
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Late<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Tree(tree::Arguments),
    Get(get::Arguments),
    Why(why::Arguments),
    Diff(diff::Arguments),
    Promote(promote::Promote),
    Approve(approve::Approve),
    Reject(approve::Reject),
    Abort(approve::Abort),
    Rollback(promote::Rollback),
    Hold(decide::Hold),
    Resume(decide::Resume),
    Verify(decide::Verify),
    Freeze(freeze::Freeze),
    Unfreeze(freeze::Unfreeze),
    History(history::Arguments),
    Bundle(bundle::Arguments),
    Simulate(simulate::Arguments),
    Lint(lint::Arguments),
    Rebuild(rebuild::Arguments),
    Migrate(migrate::Arguments),
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.verb.0 {
        Verb::Tree(it) => tree::run(it).await,
        Verb::Get(it) => get::run(it).await,
        Verb::Why(it) => why::run(it).await,
        Verb::Diff(it) => diff::run(it).await,
        Verb::Promote(it) => promote::promote(it).await,
        Verb::Approve(it) => approve::approve(it).await,
        Verb::Reject(it) => approve::reject(it).await,
        Verb::Abort(it) => approve::abort(it).await,
        Verb::Rollback(it) => promote::rollback(it).await,
        Verb::Hold(it) => decide::hold(it).await,
        Verb::Resume(it) => decide::resume(it).await,
        Verb::Verify(it) => decide::verify(it).await,
        Verb::Freeze(it) => freeze::freeze(it).await,
        Verb::Unfreeze(it) => freeze::unfreeze(it).await,
        Verb::History(it) => history::run(it).await,
        Verb::Bundle(it) => bundle::run(it).await,
        Verb::Simulate(it) => simulate::run(it).await,
        Verb::Lint(it) => return lint::run(it).await,
        Verb::Rebuild(it) => rebuild::run(it).await,
        Verb::Migrate(it) => migrate::run(&it),
    }?;
    Ok(ExitCode::SUCCESS)
}
