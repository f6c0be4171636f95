//! `sluice registry`.

use std::{net::SocketAddr, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::Args;

use crate::term::Term;

/// Serve an OCI registry from memory, for trying things out
///
/// Images are tiny and made on the spot. The registry forgets everything when it ends.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1:5050", value_name = "ADDR")]
    listen: SocketAddr,
    /// Images and their tags, as `name=tag,tag`
    #[arg(value_name = "IMAGE=TAGS", value_parser = image)]
    images: Vec<(String, Vec<String>)>,
}

fn image(text: &str) -> Result<(String, Vec<String>), String> {
    let (name, tags) = text
        .split_once('=')
        .filter(|(name, tags)| !name.is_empty() && !tags.is_empty())
        .ok_or_else(|| format!("'{text}' must read name=tag,tag"))?;
    Ok((name.to_owned(), tags.split(',').map(str::to_owned).collect()))
}

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let mut signals = super::signal::Signals::listen()?;
    let options = world::registry::Options { listen: Some(arguments.listen), ..Default::default() };
    let registry = world::registry::Server::with(options)
        .await
        .with_context(|| format!("cannot listen on {}", arguments.listen))?;
    let term = Term::detect();
    for (name, tags) in &arguments.images {
        for tag in tags {
            registry.publish(name, tag);
        }
        term.done(&format!("{} has {} tags", registry.image(name), tags.len()));
    }
    term.begin(&format!("serving on {} until interrupted", registry.host()));
    signals.next().await;
    Ok(ExitCode::SUCCESS)
}
