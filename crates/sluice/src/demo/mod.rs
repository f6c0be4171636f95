//! The demo: a world on loopback, and what happens in it, as it happens.

mod fleet;
mod release;
mod shop;
mod stage;
mod watch;

use std::{path::Path, time::Instant};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;
use world::{
    git, registry,
    simulator::{self, Simulator},
};

use self::watch::Watch;
use crate::{
    controllers::Setup,
    host::{directory::Directory, embedded::Embedded},
    manifest,
    term::{Term, quoted},
};

/// The world of the demo.
pub(crate) struct Demo {
    term: Term,
    started: Instant,
    git: git::Server,
    registry: registry::Server,
    plane: Embedded,
    simulator: Simulator,
    // Removed last, after everything that has files in it.
    _scratch: Option<TempDir>,
}

/// Says that a folder is the demo's, and what is in it may be made anew.
const MARK: &str = "demo";
/// What an earlier demo left in its folder, and what is made anew.
const REMAINS: [&str; 3] = ["objects", "repositories", "state"];
/// What else may be in its folder.
const KEPT: [&str; 6] = [MARK, "artifacts-port", "kubeconfig", "lock", "pki", "users"];

/// The repository and its branch.
const REPOSITORY: &str = "fleet";
const BRANCH: &str = "main";

impl Demo {
    /// Starts everything and applies the manifests; files go to `folder` or go away in the end.
    pub(crate) async fn start(term: Term, folder: Option<&Path>) -> Result<Self> {
        let started = Instant::now();
        term.title("A world on loopback");
        let (root, scratch) = if let Some(folder) = folder {
            (folder.to_owned(), None)
        } else {
            let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
            (scratch.path().to_owned(), Some(scratch))
        };
        let directory = Directory::open(&root)?;
        clear(&directory, &root)?;
        let registry = registry::Server::start().await.context("cannot start the registry")?;
        for (image, tags) in fleet::TAGS {
            for tag in tags {
                registry.publish(image, tag);
            }
        }
        registry.publish(shop::NAME, shop::FIRST);
        term.done(&format!("registry      {}", registry.host()));
        let options =
            git::Options { dir: Some(directory.path("repositories")), ..git::Options::default() };
        let git = git::Server::start(options).await.context("cannot start the Git server")?;
        seed(&git, &registry.host()).await?;
        term.done(&format!("Git server    {}", git.repository_url(REPOSITORY)));
        let setup = Setup::new(directory.path("state"));
        let address = ([127, 0, 0, 1], 0).into();
        let users = [release::ALICE, release::BOB].map(str::to_owned);
        let mut plane = Embedded::start(directory, address, &users).await?;
        plane.reconcile(&setup).await?;
        term.done(&format!("control plane {}", plane.url));
        let simulator = Simulator::start(plane.client.clone(), simulator::Options::default());
        term.detail("nothing runs: a simulator plays the kubelet and the controllers of workloads");
        Ok(Self { term, started, git, registry, plane, simulator, _scratch: scratch })
    }

    /// Shows images on their way into Git and releases on their way to production. Whether Git and
    /// the control plane hold what they should.
    pub(crate) async fn show(&self) -> Result<bool> {
        let watch = Watch::start(self.plane.client.clone());
        let good = self.images(&watch).await? && Box::pin(self.releases(&watch)).await?;
        let seconds = self.started.elapsed().as_secs_f64();
        self.term.line("");
        if good {
            self.term.done(&format!(
                "two images scanned, selected, committed and applied; two releases promoted, one of \
                 them rolled back; in {seconds:.1} s"
            ));
        } else {
            self.term.failed("something is not as expected");
        }
        Ok(good)
    }

    /// Shows scan, selection, commit and application, twice.
    async fn images(&self, watch: &Watch) -> Result<bool> {
        let client = &self.plane.client;
        let manifests =
            fleet::manifests(&self.registry.host(), &self.git.repository_url(REPOSITORY));
        let manifests = manifest::parse(&manifests, "the demo's manifests")?;
        // Last, so that one commit holds both images.
        let (automation, rest): (Vec<_>, Vec<_>) =
            manifests.into_iter().partition(|it| it.kind() == Some("ImageUpdateAutomation"));
        let (kustomization, images): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|it| it.kind() == Some("Kustomization"));
        let applied = manifest::apply(client, &images).await?.len();
        self.term.title(&format!("{applied} objects are applied: images, policies, a repository"));
        self.selected(watch, &fleet::CHOSEN[0]).await?;
        self.plane.idle().await;
        self.term.title("An ImageUpdateAutomation is applied");
        manifest::apply(client, &automation).await?;
        let first = self.committed(watch, None).await?;
        self.term.title("A Kustomization is applied");
        watch.request_source(REPOSITORY).await?;
        manifest::apply(client, &kustomization).await?;
        self.applied(watch, &fleet::CHOSEN[0]).await?;
        let (image, tag) = fleet::NEWER;
        self.term.title(&format!("Somebody publishes {image}:{tag}"));
        self.registry.publish(image, tag);
        watch.request_scan("apps", image).await?;
        self.selected(watch, &[fleet::NEWER]).await?;
        self.committed(watch, Some(&first)).await?;
        watch.request_source(REPOSITORY).await?;
        self.applied(watch, &[fleet::NEWER]).await?;
        self.verdict().await
    }

    /// Scan and selection, as they become known.
    async fn selected(&self, watch: &Watch, chosen: &[(&str, &str)]) -> Result<()> {
        for (image, tag) in chosen {
            let scan = watch.scanned(image, tag).await?;
            self.term.done(&format!("scanned   {scan}"));
        }
        for (image, tag) in chosen {
            let tags = self.registry.store().tags(image).unwrap_or_default();
            let selection = watch.selected(image, tag, tags).await?;
            self.term.done(&format!("selected  {selection}"));
        }
        Ok(())
    }

    /// The commit after `before`, as the Git server has it; its id.
    async fn committed(&self, watch: &Watch, before: Option<&str>) -> Result<String> {
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

    /// The Deployment, as the Kustomization applied it.
    async fn applied(&self, watch: &Watch, chosen: &[(&str, &str)]) -> Result<()> {
        let (name, tag) = chosen[0];
        let image = watch.applied(name, tag).await?;
        self.term.done(&format!("applied   Deployment {name} with {image}"));
        Ok(())
    }

    /// Compares what the Git server holds with what it should.
    async fn verdict(&self) -> Result<bool> {
        self.term.title("What the Git server holds");
        let files = fleet::expected(&self.registry.host(), &fleet::CHOSEN[1]);
        let mut good = self.compare(REPOSITORY, &files).await?;
        let commits = self.git.repository(REPOSITORY)?.log(BRANCH).await?.len();
        if commits != 3 {
            good = false;
            self.term.failed(&format!("{commits} commits instead of 3: the first and two updates"));
        }
        Ok(good)
    }

    /// Compares files of a repository byte for byte, and says what came of it.
    async fn compare(&self, repository: &str, files: &[(String, String)]) -> Result<bool> {
        let repository = self.git.repository(repository)?;
        let head = repository.head(BRANCH).await?.context("the branch is gone")?;
        let mut good = true;
        for (path, want) in files {
            let got = repository.read_file(&head, path).await?;
            if got.as_deref() == Some(want.as_bytes()) {
                self.term.done(&format!("{path} is as expected, byte for byte"));
            } else {
                good = false;
                self.term.failed(&format!("{path} is not as expected"));
                let got = String::from_utf8_lossy(got.as_deref().unwrap_or_default()).into_owned();
                let diff = similar::TextDiff::from_lines(want, &got);
                self.term.diff(&diff.unified_diff().header("expected", "found").to_string());
            }
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
        let kubectl = format!("kubectl --kubeconfig {}", quoted(&plane.kubeconfig));
        term.command(&format!(
            "{kubectl} get imagerepositories,imagepolicies,imageupdateautomations,kustomizations -A"
        ));
        let older = r#"{"spec":{"policy":{"semver":{"range":"6.1.x"}}}}"#;
        term.command(&format!(
            "{kubectl} patch imagepolicy podinfo -n apps --type merge -p '{older}'"
        ));
        let url = git.repository_url(REPOSITORY);
        term.command(&format!("git clone {url} && git -C {REPOSITORY} log --patch --max-count 1"));
        let cluster = format!("--namespace {} --kubeconfig", shop::NAME);
        let cluster = format!("{cluster} {}", quoted(&plane.kubeconfig));
        for verb in ["tree", "why production", "history production", "resume production"] {
            term.command(&format!("sluice promotion {verb} {cluster}"));
        }
    }

    /// Ends everything in order.
    pub(crate) async fn stop(self) {
        self.simulator.stop().await;
        self.plane.stop().await;
        self.git.stop().await;
    }
}

/// Removes what an earlier demo left, which knows another registry; never what is somebody else's.
fn clear(directory: &Directory, root: &Path) -> Result<()> {
    let foreign = |entry: &std::fs::DirEntry| {
        let name = entry.file_name();
        !KEPT.iter().chain(&REMAINS).any(|known| name == **known)
    };
    let entries = std::fs::read_dir(root)?.collect::<Result<Vec<_>, _>>()?;
    let only_lock = entries.iter().all(|entry| entry.file_name() == "lock");
    let is_ours = only_lock || directory.path(MARK).exists();
    if !is_ours || entries.iter().any(foreign) {
        bail!(
            "{} holds files that are not the demo's: give an empty or new folder",
            root.display()
        );
    }
    directory
        .write_private(MARK, "Made by `sluice demo`, which empties it when it runs again.\n")?;
    for name in REMAINS {
        let path = directory.path(name);
        if path.exists() {
            std::fs::remove_dir_all(&path)
                .with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// The repositories.
async fn seed(git: &git::Server, registry: &str) -> Result<()> {
    let stages = shop::files(registry, [shop::FIRST; 3]);
    for (name, files) in [(REPOSITORY, fleet::files(registry)), (shop::NAME, stages)] {
        let files = files.into_iter().map(|(path, text)| (path, text.into_bytes()));
        let made = git.create(name, BRANCH, files).await;
        made.with_context(|| format!("cannot make the {name} repository"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn fails_when_the_git_server_holds_something_else() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let demo = Demo::start(Term::detect(), None).await.unwrap();
        let repository = demo.git.repository(REPOSITORY).unwrap();
        let meddled = [("README.md", "# somebody else's\n")];
        repository.commit(BRANCH, meddled, "meddle").await.unwrap();
        assert!(!demo.show().await.unwrap());
        demo.stop().await;
    }

    #[test]
    fn a_folder_of_others_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir(root.join("objects")).unwrap();
        let directory = Directory::open(root).unwrap();
        assert!(clear(&directory, root).unwrap_err().to_string().contains("not the demo's"));
        assert!(root.join("objects").exists());

        std::fs::remove_dir(root.join("objects")).unwrap();
        clear(&directory, root).unwrap();
        std::fs::create_dir(root.join("objects")).unwrap();
        clear(&directory, root).unwrap();
        assert!(!root.join("objects").exists());
        std::fs::write(root.join("thesis.txt"), "").unwrap();
        clear(&directory, root).unwrap_err();
    }
}
