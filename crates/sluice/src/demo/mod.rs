//! The demo: a world on loopback, and what happens in it, as it happens.

mod fleet;
mod watch;

use std::{path::Path, time::Instant};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;
use world::{git, registry};

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
    // Removed last, after everything that has files in it.
    _scratch: Option<TempDir>,
}

/// Says that a folder is the demo's, and what is in it may be made anew.
const MARK: &str = "demo";
/// What an earlier demo left in its folder, and what is made anew.
const REMAINS: [&str; 3] = ["objects", "repositories", "state"];
/// What else may be in its folder.
const KEPT: [&str; 5] = [MARK, "artifacts-port", "kubeconfig", "lock", "pki"];

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
        term.done(&format!("registry      {}", registry.host()));
        let options =
            git::Options { dir: Some(directory.path("repositories")), ..git::Options::default() };
        let git = git::Server::start(options).await.context("cannot start the Git server")?;
        seed(&git, &registry.host()).await?;
        term.done(&format!("Git server    {}", git.repository_url(REPOSITORY)));
        let setup = Setup::new(directory.path("state"));
        let address = ([127, 0, 0, 1], 0).into();
        let mut plane = Embedded::start(directory, address, &[]).await?;
        plane.reconcile(&setup).await?;
        term.done(&format!("control plane {}", plane.url));
        Ok(Self { term, started, git, registry, plane, _scratch: scratch })
    }

    /// Shows scan, selection, commit and application, twice. Whether the Git server holds what it
    /// should.
    pub(crate) async fn show(&self) -> Result<bool> {
        let client = &self.plane.client;
        let watch = Watch::start(client.clone());
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
        self.selected(&watch, &fleet::CHOSEN[0]).await?;
        self.plane.idle().await;
        self.term.title("An ImageUpdateAutomation is applied");
        manifest::apply(client, &automation).await?;
        let first = self.committed(&watch, None).await?;
        self.term.title("A Kustomization is applied");
        watch.request_source(REPOSITORY).await?;
        manifest::apply(client, &kustomization).await?;
        self.applied(&watch, &fleet::CHOSEN[0]).await?;
        let (image, tag) = fleet::NEWER;
        self.term.title(&format!("Somebody publishes {image}:{tag}"));
        self.registry.publish(image, tag);
        watch.request(image).await?;
        self.selected(&watch, &[fleet::NEWER]).await?;
        self.committed(&watch, Some(&first)).await?;
        watch.request_source(REPOSITORY).await?;
        self.applied(&watch, &[fleet::NEWER]).await?;
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

    /// Compares every file on the Git server, byte for byte, and says what came of it.
    async fn verdict(&self) -> Result<bool> {
        self.term.title("What the Git server holds");
        let repository = self.git.repository(REPOSITORY)?;
        let head = repository.head(BRANCH).await?.context("the branch is gone")?;
        let mut good = true;
        for (path, want) in fleet::expected(&self.registry.host(), &fleet::CHOSEN[1]) {
            let got = repository.read_file(&head, &path).await?;
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
            self.term.done(&format!(
                "scan, selection, commit and application, twice, in {seconds:.1} s"
            ));
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
    }

    /// Ends everything in order.
    pub(crate) async fn stop(self) {
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

/// The fleet repository.
async fn seed(git: &git::Server, registry: &str) -> Result<()> {
    let files = fleet::files(registry).into_iter();
    let files = files.map(|(path, text)| (path, text.into_bytes()));
    git.create(REPOSITORY, BRANCH, files).await.context("cannot make the fleet repository")?;
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
