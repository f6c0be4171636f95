//! `sluice git`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result};
use clap::Args;
use world::git::{Content, Options, Server};

use crate::term::Term;

/// Serve folders as Git repositories, for trying things out
///
/// Each folder becomes a repository whose branch main has one commit with what the folder holds. It
/// needs git on this machine. What is pushed to a repository is gone when this ends.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Port on 127.0.0.1 to listen on
    #[arg(long, default_value_t = 5051, value_name = "PORT")]
    port: u16,
    /// Repositories and their folders, as `name=folder`
    #[arg(value_name = "NAME=FOLDER", value_parser = repository, required = true)]
    repositories: Vec<(String, PathBuf)>,
}

fn repository(text: &str) -> Result<(String, PathBuf), String> {
    let (name, folder) = text
        .split_once('=')
        .filter(|(name, folder)| !name.is_empty() && !folder.is_empty())
        .ok_or_else(|| format!("'{text}' must read name=folder"))?;
    Ok((name.to_owned(), PathBuf::from(folder)))
}

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let mut signals = super::signal::Signals::listen()?;
    let options = Options { port: arguments.port, ..Options::default() };
    let server = Server::start(options)
        .await
        .with_context(|| format!("cannot listen on 127.0.0.1:{}", arguments.port))?;
    let term = Term::detect();
    for (name, folder) in &arguments.repositories {
        let files = files(folder)
            .with_context(|| format!("cannot read the folder {}", folder.display()))?;
        let made = server.create(name, "main", files).await;
        made.with_context(|| format!("cannot make the repository {name}"))?;
        term.done(&server.repository_url(name));
    }
    term.begin("serving until interrupted");
    signals.next().await;
    Ok(ExitCode::SUCCESS)
}

/// The files of a folder with their paths in it; a repository's own folder is left out.
fn files(root: &Path) -> Result<Vec<(String, Content)>> {
    use std::os::unix::fs::PermissionsExt as _;
    let (mut found, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            let kind = path.symlink_metadata()?;
            let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
            if kind.is_dir() {
                folders.extend((name != ".git").then_some(path));
            } else if kind.is_symlink() {
                let target = path.read_link()?.to_string_lossy().into_owned();
                found.push((name, Content::Symlink(target)));
            } else {
                let bytes = std::fs::read(&path)?;
                let executable = kind.permissions().mode() & 0o111 != 0;
                let file = if executable { Content::Executable } else { Content::File };
                found.push((name, file(bytes)));
            }
        }
    }
    Ok(found)
}
