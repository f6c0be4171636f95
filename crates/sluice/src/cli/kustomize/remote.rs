//! What a tree does not hold: repositories and files of servers.

use anyhow::{Context as _, Result};
use git::{Limits, Mirrors, Network};
use http_client::Pool;
use kustomize::{Answer, Question};
use reconciler::base::{Bases, Checkouts};
use tempfile::TempDir;

/// Finds answers; what it fetches is gone when it is dropped.
#[derive(Default)]
pub(super) struct Remote {
    bases: Option<(Bases, TempDir)>,
    checkouts: Checkouts,
}

impl Remote {
    /// The answer to a question; that there is none is an answer, too.
    pub(super) fn answer(&mut self, question: &Question) -> Result<Answer> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let answer = if let Question::Chart(chart) = question {
            let text = runtime.block_on(super::chart::inflate(chart));
            let text = text.map(|text| Answer::Text(text.into_bytes()));
            text.unwrap_or_else(|error| Answer::Failed(format!("{error:#}")))
        } else {
            let bases = runtime.block_on(async { self.bases() })?;
            runtime.block_on(bases.answer(question, "cli", &mut self.checkouts))
        };
        runtime.shutdown_background();
        Ok(answer)
    }

    fn bases(&mut self) -> Result<Bases> {
        if let Some((bases, _)) = &self.bases {
            return Ok(bases.clone());
        }
        let (bases, folder) = bases()?;
        self.bases = Some((bases.clone(), folder));
        Ok(bases)
    }
}

/// What fetches remote bases, and the folder that it fetches into.
pub(crate) fn bases() -> Result<(Bases, TempDir)> {
    let made = tempfile::Builder::new().prefix("kustomize-").tempdir();
    let folder = made.context("cannot make a temporary directory")?;
    let network = Network::new(git::Options::default());
    let mirrors = Mirrors::open(folder.path(), Limits::default(), network)?;
    let pool = Pool::new(concat!("sluice/", env!("CARGO_PKG_VERSION")));
    Ok((Bases::new(mirrors, pool), folder))
}
