//! The demo: a world on loopback, and what happens in it, as it happens.

mod fleet;
mod watch;

use std::{path::Path, time::Instant};

use anyhow::{Context as _, Result};
use tempfile::TempDir;
use world::{git, registry};

use self::watch::Watch;
use crate::{
    controllers::Setup,
    host::{directory::Directory, embedded::Embedded},
    manifest,
    term::Term,
};

/// The world of the demo.
pub(crate) struct Demo {
    term: Term,
    started: Instant,
    git: git::Server,
    registry: registry::Server,
    plane: Embedded,
    // Removed last, after everything that has files in it.
    _scratch: Option<TempDir>,
}

/// The repository and its branch.
const REPOSITORY: &str = "fleet";
const BRANCH: &str = "main";

impl Demo {
    /// Starts everything and applies the manifests; files go to `folder` or go away in the end.
    pub(crate) async fn start(term: Term, folder: Option<&Path>) -> Result<Self> {
        let started = Instant::now();
        term.title("A world on loopback");
        let (root, scratch) = match folder {
            Some(folder) => (folder.to_owned(), None),
            None => {
                let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
                (scratch.path().to_owned(), Some(scratch))
            }
        };
        let directory = Directory::open(&root)?;
        let registry = registry::Server::start().await.context("cannot start the registry")?;
        for (image, tags) in fleet::TAGS {
            tags.iter().for_each(|tag| drop(registry.publish(image, tag)));
        }
        term.done(&format!("registry      {}", registry.host()));
        let options =
            git::Options { dir: Some(directory.path("repositories")), ..git::Options::default() };
        let git = git::Server::start(options).await.context("cannot start the Git server")?;
        seed(&git, &registry.host()).await?;
        term.done(&format!("Git server    {}", git.repository_url(REPOSITORY)));
        let setup = Setup::new(directory.path("state"));
        let address = ([127, 0, 0, 1], 0).into();
        let plane = Embedded::start(&directory, address, &setup).await?;
        term.done(&format!("control plane {}", plane.url));
        Ok(Self { term, started, git, registry, plane, _scratch: scratch })
    }

    /// Shows scan, selection and commit, twice. Whether the Git server holds what it should.
    pub(crate) async fn show(&self) -> Result<bool> {
        let watch = Watch::start(self.plane.client.clone());
        let manifests =
            fleet::manifests(&self.registry.host(), &self.git.repository_url(REPOSITORY));
        let manifests = manifest::parse(&manifests, "the demo's manifests")?;
        let applied = manifest::apply(&self.plane.client, &manifests).await?;
        self.term.title(&format!("{} objects applied; the controllers see them", applied.len()));
        let first = self.round(&watch, 0, None).await?;
        let (image, tag) = fleet::NEWER;
        self.term.title(&format!("Somebody publishes {image}:{tag}"));
        self.registry.publish(image, tag);
        watch.request(image).await?;
        let second = self.round(&watch, 1, Some(&first)).await?;
        self.verdict(&second).await
    }

    /// One scan, selection and commit, as they become known; the id of the commit.
    async fn round(&self, watch: &Watch, round: usize, before: Option<&str>) -> Result<String> {
        let chosen = fleet::CHOSEN[round];
        let new = |image: &str| before.is_none() || image == fleet::NEWER.0;
        for (image, tag) in chosen.iter().filter(|(image, _)| new(image)) {
            let scan = watch.scanned(image, tag).await?;
            self.term.done(&format!("scanned   {scan}"));
        }
        for (image, tag) in chosen.iter().filter(|(image, _)| new(image)) {
            let tags = self.registry.store().tags(image).unwrap_or_default();
            let selection = watch.selected(image, tag, tags).await?;
            self.term.done(&format!("selected  {selection}"));
        }
        let commit = watch.pushed(before).await?;
        let repository = self.git.repository(REPOSITORY)?;
        let log = repository.log(BRANCH).await?;
        let entry = log.iter().find(|entry| entry.id == commit);
        let entry = entry.context("the Git server does not have the commit")?;
        let subject = entry.message.lines().next().unwrap_or_default();
        self.term.done(&format!("committed {} to {BRANCH}: {subject}", &commit[..7]));
        self.term.detail("as the Git server has it:");
        self.term.diff(repository.show(&commit).await?.trim_end());
        Ok(commit)
    }

    /// Compares every file on the Git server, byte for byte, and says what came of it.
    async fn verdict(&self, head: &str) -> Result<bool> {
        self.term.title("What the Git server holds");
        let repository = self.git.repository(REPOSITORY)?;
        let mut good = true;
        for (path, want) in fleet::expected(&self.registry.host(), &fleet::CHOSEN[1]) {
            let got = repository.read_file(head, &path).await?;
            if got.as_deref() == Some(want.as_bytes()) {
                self.term.done(&format!("{path} is as expected, byte for byte"));
            } else {
                good = false;
                self.term.failed(&format!("{path} is not as expected"));
                let got = String::from_utf8_lossy(got.as_deref().unwrap_or_default()).into_owned();
                let diff = similar::TextDiff::from_lines(&want, &got);
                self.term.diff(&diff.unified_diff().header("expected", "found").to_string());
            }
        }
        let commits = repository.log(BRANCH).await?.len();
        if commits != 3 {
            good = false;
            self.term.failed(&format!("{commits} commits instead of 3: the first and two updates"));
        }
        let seconds = self.started.elapsed().as_secs_f64();
        self.term.line("");
        if good {
            self.term.done(&format!("scan, selection and commit, twice, in {seconds:.1} s"));
        } else {
            self.term.failed("the Git server does not hold what was expected");
        }
        Ok(good)
    }

    /// How to look around.
    pub(crate) fn explain(&self) {
        let Self { term, plane, git, .. } = self;
        term.title("It goes on running; interrupt it to end");
        term.detail(&format!("kubeconfig  {}", plane.kubeconfig.display()));
        term.detail(&format!("repository  {}", git.repository_url(REPOSITORY)));
        term.detail("try:");
        term.command(&format!("export KUBECONFIG={}", plane.kubeconfig.display()));
        term.command("kubectl get imagerepositories,imagepolicies,imageupdateautomations -A");
        term.command(&format!("git clone {}", git.repository_url(REPOSITORY)));
    }

    /// Ends everything in order.
    pub(crate) async fn stop(self) {
        self.plane.stop().await;
        self.git.stop().await;
    }
}

/// The fleet repository, made anew: a folder that was kept may hold an older one.
async fn seed(git: &git::Server, registry: &str) -> Result<()> {
    if let Ok(old) = git.repository(REPOSITORY) {
        old.remove().await?;
    }
    let files = fleet::files(registry).into_iter();
    let files = files.map(|(path, text)| (path, text.into_bytes()));
    git.create(REPOSITORY, BRANCH, files).await.context("cannot make the fleet repository")?;
    Ok(())
}
