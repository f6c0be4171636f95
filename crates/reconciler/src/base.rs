//! Remote bases: repositories and files of servers that kustomizations name.

use std::path::{Path, PathBuf};
use std::time::Duration;

use git::{Mirrors, Mode, Reference, Remote, Snapshot};
use http_client::{Pool, Request};
use kustomize::{Answer, Question};
use tempfile::TempDir;

/// Bytes of a file over HTTP.
const FILE: usize = 64 << 20;

/// The longest a repository may take, whatever its URL says.
const LONGEST: Duration = Duration::from_mins(2);

/// Fetches remote bases, always anonymously; cheap to clone.
#[derive(Clone)]
pub struct Bases {
    mirrors: Mirrors,
    pool: Pool,
}

/// Where checkouts are; they are gone when it is dropped.
#[derive(Debug, Default)]
pub struct Checkouts {
    folder: Option<TempDir>,
    count: usize,
}

impl Checkouts {
    /// The path of the next checkout, which does not exist yet.
    fn next(&mut self) -> Result<PathBuf, String> {
        let folder = match self.folder.take() {
            Some(folder) => folder,
            None => tempfile::Builder::new().prefix("kustomize-").tempdir().map_err(plain)?,
        };
        self.count += 1;
        let path = folder.path().join(format!("checkout-{}", self.count));
        self.folder = Some(folder);
        Ok(path)
    }
}

impl Bases {
    /// Repositories through these mirrors, files over connections of this pool.
    pub fn new(mirrors: Mirrors, pool: Pool) -> Self {
        Self { mirrors, pool }
    }

    /// The answer to a question of a build; that there is none is an answer, too. Mirrors are kept
    /// by `scope`. A [`Answer::Checkout`] is a path on disk.
    pub async fn answer(
        &self,
        question: &Question,
        scope: &str,
        checkouts: &mut Checkouts,
    ) -> Answer {
        let answer = match question {
            Question::File(url) => self.file(url).await,
            Question::Repository { url, revision, timeout, .. } => {
                let limit = Duration::from_secs(*timeout).min(LONGEST);
                let work = self.repository(url, revision, scope, checkouts);
                tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
                    let seconds = limit.as_secs();
                    Err(format!(
                        "hit {seconds}s timeout running 'git fetch'; `?timeout=` raises it"
                    ))
                })
            }
            Question::Chart(chart) => Err(format!(
                "chart {} cannot be inflated yet; render it with `helm template` and name the file \
                 in `resources`",
                chart.name
            )),
            _ => Err(format!("cannot answer {question}")),
        };
        answer.unwrap_or_else(Answer::Failed)
    }

    async fn repository(
        &self,
        url: &str,
        revision: &str,
        scope: &str,
        checkouts: &mut Checkouts,
    ) -> Result<Answer, String> {
        let remote = Remote::anonymous(&address(url)).map_err(plain)?;
        let reference = self.reference(&remote, revision).await?;
        let checkout = self.mirrors.checkout(scope, &remote, &reference, &[]).await;
        let checkout = checkout.map_err(plain)?;
        let folder = checkouts.next()?;
        write_out(&checkout.snapshot, &folder).await?;
        Ok(Answer::Checkout(folder.to_string_lossy().into_owned()))
    }

    /// What `git fetch` takes a name for.
    async fn reference(&self, remote: &Remote, revision: &str) -> Result<Reference, String> {
        if revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Reference { commit: Some(revision.to_owned()), ..Reference::default() });
        }
        let listed = self.mirrors.network().ls_remote(remote, &[]).await.map_err(plain)?;
        let named = |name: &str| listed.iter().find(|one| one.name == name);
        let name = if revision.is_empty() {
            let head = named("HEAD").ok_or("the repository has no default branch")?;
            let branches = listed.iter().filter(|one| one.name.starts_with("refs/heads/"));
            let mut heads = branches.filter(|one| one.commit() == head.commit());
            heads.next().map_or("HEAD", |one| one.name.as_str())
        } else {
            ["", "refs/", "refs/tags/", "refs/heads/"]
                .iter()
                .find_map(|prefix| named(&format!("{prefix}{revision}")))
                .map(|one| one.name.as_str())
                .ok_or_else(|| format!("couldn't find remote ref {revision}"))?
        };
        Ok(Reference { name: Some(name.to_owned()), ..Reference::default() })
    }

    async fn file(&self, url: &str) -> Result<Answer, String> {
        let url = url.parse().map_err(|why| format!("{url}: {why}"))?;
        let client = self.pool.client(&http_client::Options::default()).map_err(plain)?;
        let response = client.send(Request::get(url).limit(FILE)).await.map_err(plain)?;
        if response.status.is_success() {
            return Ok(Answer::Text(response.body.to_vec()));
        }
        let reason = response.status.canonical_reason().unwrap_or_default();
        Ok(Answer::Status(response.status.as_u16(), reason.to_owned()))
    }
}

fn plain(why: impl std::fmt::Display) -> String {
    why.to_string()
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

/// Writes a tree to disk. Its paths come from a commit, which has no `..` in them.
async fn write_out(snapshot: &Snapshot, folder: &Path) -> Result<(), String> {
    std::fs::create_dir(folder).map_err(plain)?;
    let scan = snapshot
        .scan("", |_| true, |entry, bytes| Some((entry.path.clone(), entry.mode, bytes)))
        .await
        .map_err(plain)?;
    // Links last: nothing is ever written through one.
    let (links, files): (Vec<_>, Vec<_>) =
        scan.found.into_iter().partition(|(_, mode, _)| *mode == Mode::Symlink);
    for (path, _, bytes) in files {
        std::fs::write(place(folder, &path)?, bytes).map_err(plain)?;
    }
    for (path, _, target) in links {
        let target = String::from_utf8_lossy(&target).into_owned();
        std::os::unix::fs::symlink(target, place(folder, &path)?).map_err(plain)?;
    }
    Ok(())
}

fn place(folder: &Path, path: &str) -> Result<PathBuf, String> {
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(format!("the repository holds a file named {path:?}"));
    }
    let file = folder.join(path);
    std::fs::create_dir_all(file.parent().unwrap_or(folder)).map_err(plain)?;
    Ok(file)
}
