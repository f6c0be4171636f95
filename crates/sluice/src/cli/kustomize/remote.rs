//! What a tree does not hold: repositories and files of servers.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use git::{Limits, Mirrors, Mode, Network, Reference};
use http_client::{Pool, Request};
use kustomize::{Answer, Question};
use tempfile::TempDir;

use super::disk::plain;

/// Bytes of a file over HTTP.
const FILE: usize = 64 << 20;

/// Finds answers; what it fetches is gone when it is dropped.
#[derive(Default)]
pub(super) struct Remote {
    folder: Option<TempDir>,
    mirrors: Option<Arc<Mirrors>>,
    checkouts: usize,
}

impl Remote {
    /// The answer to a question; that there is none is an answer, too.
    pub(super) fn answer(&mut self, question: &Question) -> Result<Answer> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let answer = match question {
            Question::File(url) => runtime.block_on(fetch(url)),
            Question::Repository { url, revision, timeout, .. } => {
                let limit = Duration::from_secs(*timeout);
                let work = self.clone_into_folder(url, revision);
                let done = runtime.block_on(async { tokio::time::timeout(limit, work).await });
                done.unwrap_or_else(|_| {
                    bail!("hit {timeout}s timeout running 'git fetch'; `?timeout=` raises it")
                })
            }
            Question::Chart(chart) => {
                let text = runtime.block_on(super::chart::inflate(chart));
                text.map(|text| Answer::Text(text.into_bytes()))
            }
            _ => bail!("cannot answer {question}"),
        };
        runtime.shutdown_background();
        Ok(answer.unwrap_or_else(|error| Answer::Failed(format!("{error:#}"))))
    }

    fn folder(&mut self) -> Result<&Path> {
        if self.folder.is_none() {
            let made = tempfile::Builder::new().prefix("kustomize-").tempdir();
            self.folder = Some(made.context("cannot make a temporary directory")?);
        }
        self.folder.as_ref().map(TempDir::path).context("there is a folder")
    }

    fn mirrors(&mut self) -> Result<Arc<Mirrors>> {
        if let Some(mirrors) = &self.mirrors {
            return Ok(Arc::clone(mirrors));
        }
        let folder = self.folder()?.join("mirrors");
        std::fs::create_dir(&folder).map_err(|error| anyhow::anyhow!(plain(&error)))?;
        let network = Network::new(git::Options::default());
        let mirrors = Arc::new(Mirrors::open(&folder, Limits::default(), network)?);
        self.mirrors = Some(Arc::clone(&mirrors));
        Ok(mirrors)
    }

    async fn clone_into_folder(&mut self, url: &str, revision: &str) -> Result<Answer> {
        let remote = git::Remote::anonymous(&address(url))?;
        let reference = reference(&remote, revision).await?;
        let checkout = self.mirrors()?.checkout("cli", &remote, &reference, &[]).await?;
        self.checkouts += 1;
        let name = format!("checkout-{}", self.checkouts);
        let folder = self.folder()?.join(name);
        write_out(&checkout.snapshot, &folder).await?;
        Ok(Answer::Checkout(folder.to_string_lossy().into_owned()))
    }
}

/// `user@host:path` as a URL.
fn address(url: &str) -> String {
    match url.split_once(':') {
        Some((host, path)) if !url.contains("://") => {
            format!("ssh://{host}/{}", path.trim_start_matches('/'))
        }
        _ => url.to_owned(),
    }
}

/// What `git fetch` takes a name for.
async fn reference(remote: &git::Remote, revision: &str) -> Result<Reference> {
    if revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(Reference { commit: Some(revision.to_owned()), ..Reference::default() });
    }
    let listed = Network::new(git::Options::default()).ls_remote(remote, &[]).await?;
    let named = |name: &str| listed.iter().find(|one| one.name == name);
    let name = if revision.is_empty() {
        let head = named("HEAD").context("the repository has no default branch")?;
        let branches = listed.iter().filter(|one| one.name.starts_with("refs/heads/"));
        let mut heads = branches.filter(|one| one.commit() == head.commit());
        heads.next().map_or("HEAD", |one| one.name.as_str())
    } else {
        ["", "refs/", "refs/tags/", "refs/heads/"]
            .iter()
            .find_map(|prefix| named(&format!("{prefix}{revision}")))
            .map(|one| one.name.as_str())
            .with_context(|| format!("couldn't find remote ref {revision}"))?
    };
    Ok(Reference { name: Some(name.to_owned()), ..Reference::default() })
}

/// Writes a tree to disk. Its paths come from a commit, which has no `..` in them.
async fn write_out(snapshot: &git::Snapshot, folder: &Path) -> Result<()> {
    std::fs::create_dir(folder)?;
    let scan = snapshot
        .scan("", |_| true, |entry, bytes| Some((entry.path.clone(), entry.mode, bytes)))
        .await?;
    // Links last: nothing is ever written through one.
    let (links, files): (Vec<_>, Vec<_>) =
        scan.found.into_iter().partition(|(_, mode, _)| *mode == Mode::Symlink);
    for (path, _, bytes) in files {
        std::fs::write(place(folder, &path)?, bytes)?;
    }
    for (path, _, target) in links {
        let target = String::from_utf8_lossy(&target).into_owned();
        std::os::unix::fs::symlink(target, place(folder, &path)?)?;
    }
    Ok(())
}

fn place(folder: &Path, path: &str) -> Result<std::path::PathBuf> {
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        bail!("the repository holds a file named {path:?}");
    }
    let file = folder.join(path);
    std::fs::create_dir_all(file.parent().unwrap_or(folder))?;
    Ok(file)
}

async fn fetch(url: &str) -> Result<Answer> {
    let client = Pool::new(concat!("sluice/", env!("CARGO_PKG_VERSION")))
        .client(&http_client::Options::default())?;
    let response = client.send(Request::get(url.parse()?).limit(FILE)).await?;
    if response.status.is_success() {
        return Ok(Answer::Text(response.body.to_vec()));
    }
    let reason = response.status.canonical_reason().unwrap_or_default();
    Ok(Answer::Status(response.status.as_u16(), reason.to_owned()))
}
