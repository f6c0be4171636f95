//! A bare repository on the server's disk, worked on with the real `git` as somebody else would.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    path::{Component, Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, bail};
use tokio::{io::AsyncWriteExt as _, process::Command};

/// Who makes the commits of [`Repository::commit`].
const AUTHOR: &str = "dev <dev@example.com>";

/// What a path is to hold after a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A plain file.
    File(Vec<u8>),
    /// A file with the executable bit.
    Executable(Vec<u8>),
    /// A symbolic link to this target.
    Symlink(String),
    /// A submodule at this commit id.
    Submodule(String),
    /// Nothing: the path is removed.
    Absent,
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::File(text.as_bytes().to_vec())
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self::File(text.into_bytes())
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::File(bytes)
    }
}

/// One commit as `git log` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// The full object id.
    pub id: String,
    /// The references that point at it, as `git log --decorate` prints them.
    pub refs: String,
    /// `name <email>`.
    pub author: String,
    /// `name <email>`.
    pub committer: String,
    /// The whole message without the newline at its end.
    pub message: String,
}

/// A bare repository.
#[derive(Clone, Debug)]
pub struct Repository {
    name: String,
    path: PathBuf,
}

impl Repository {
    pub(super) async fn init(root: &Path, name: &str, branch: &str) -> Result<Self> {
        let path = locate(root, name)?;
        if path.exists() {
            bail!("the repository {name} exists already");
        }
        let mut command = Command::new("git");
        plain_git_environment(&mut command);
        command.args(["init", "--quiet", "--bare", "--template=", "--initial-branch", branch]);
        command.arg(&path);
        run(command, Vec::new()).await?;
        let made = Self { name: name.to_owned(), path };
        for (key, value) in [
            ("http.receivepack", "true"),
            ("receive.advertisePushOptions", "true"),
            ("receive.autogc", "false"),
            ("uploadpack.allowFilter", "true"),
            ("uploadpack.allowAnySHA1InWant", "true"),
            ("gc.auto", "0"),
        ] {
            made.git(["config", key, value]).await?;
        }
        Ok(made)
    }

    pub(super) fn open(root: &Path, name: &str) -> Result<Self> {
        let path = locate(root, name)?;
        if !path.join("HEAD").exists() {
            bail!("there is no repository {name}");
        }
        Ok(Self { name: name.to_owned(), path })
    }

    /// The name it was made with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder on disk.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Commits `files` on top of `branch` (made when absent) as somebody else; returns the id.
    ///
    /// # Errors
    /// Git refuses, for example because the branch moved meanwhile.
    pub async fn commit<P, C>(
        &self,
        branch: &str,
        files: impl IntoIterator<Item = (P, C)>,
        message: &str,
    ) -> Result<String>
    where
        P: Into<String>,
        C: Into<Content>,
    {
        let parent = self.head(branch).await?;
        let mut input = Vec::new();
        input.extend(format!("commit refs/heads/{branch}\nmark :1\n").into_bytes());
        input.extend(format!("author {AUTHOR} now\ncommitter {AUTHOR} now\n").into_bytes());
        data(&mut input, message.as_bytes());
        if let Some(parent) = parent {
            input.extend(format!("from {parent}\n").into_bytes());
        }
        for (path, content) in files {
            change(&mut input, &path.into(), content.into());
        }
        input.extend(b"get-mark :1\ndone\n");
        let mut command = self.command();
        command.args(["fast-import", "--quiet", "--done", "--date-format=now"]);
        let out = run(command, input).await?;
        Ok(String::from_utf8(out)?.trim().to_owned())
    }

    /// The commit a branch points at.
    ///
    /// # Errors
    /// The repository is gone.
    pub async fn head(&self, branch: &str) -> Result<Option<String>> {
        Ok(self.branches().await?.remove(branch))
    }

    /// All branches with the commits they point at.
    ///
    /// # Errors
    /// The repository is gone.
    pub async fn branches(&self) -> Result<BTreeMap<String, String>> {
        let format = "--format=%(refname:strip=2) %(objectname)";
        let text = self.git(["for-each-ref", format, "refs/heads"]).await?;
        let pair = |line: &str| line.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned()));
        Ok(text.lines().filter_map(pair).collect())
    }

    /// The commits reachable from `revision` (`--all` for every reference), newest first.
    ///
    /// # Errors
    /// There is no such revision.
    pub async fn log(&self, revision: &str) -> Result<Vec<LogEntry>> {
        let format = "--format=%H%x00%D%x00%an <%ae>%x00%cn <%ce>%x00%B%x00";
        let text = self.git(["log", "--topo-order", format, revision]).await?;
        let fields: Vec<&str> = text.split('\0').collect();
        Ok(fields.chunks_exact(5).filter_map(log_entry).collect())
    }

    /// What a commit changed, as a patch without its head lines.
    ///
    /// # Errors
    /// There is no such revision.
    pub async fn show(&self, revision: &str) -> Result<String> {
        self.git(["show", "--format=", "--no-color", revision]).await
    }

    /// The patch from one revision to another.
    ///
    /// # Errors
    /// One of the revisions does not exist.
    pub async fn diff(&self, from: &str, to: &str) -> Result<String> {
        self.git(["diff", "--no-color", from, to]).await
    }

    /// The bytes of a file, `None` if there is no such file.
    ///
    /// # Errors
    /// Git cannot be run.
    pub async fn read_file(&self, revision: &str, path: &str) -> Result<Option<Vec<u8>>> {
        let mut command = self.command();
        command.args(["cat-file", "blob", &format!("{revision}:{path}")]);
        let out = command.stdin(Stdio::null()).output().await.context("cannot run git")?;
        Ok(out.status.success().then_some(out.stdout))
    }

    /// The paths of all files, in byte order.
    ///
    /// # Errors
    /// There is no such revision.
    pub async fn files(&self, revision: &str) -> Result<Vec<String>> {
        let text = self.git(["ls-tree", "-r", "-z", "--name-only", revision]).await?;
        Ok(text.split_terminator('\0').map(str::to_owned).collect())
    }

    /// Points a branch at any revision, wherever it pointed before: a force-push.
    ///
    /// # Errors
    /// There is no such revision.
    pub async fn set_branch(&self, branch: &str, revision: &str) -> Result<()> {
        let commit = self.git(["rev-parse", &format!("{revision}^{{commit}}")]).await?;
        self.git(["update-ref", &format!("refs/heads/{branch}"), commit.trim()]).await.map(drop)
    }

    /// Makes a tag, annotated when there is a message.
    ///
    /// # Errors
    /// The tag exists or the revision does not.
    pub async fn tag(&self, name: &str, revision: &str, message: Option<&str>) -> Result<()> {
        match message {
            None => self.git(["tag", name, revision]).await.map(drop),
            Some(message) => self.git(["tag", "-a", "-m", message, name, revision]).await.map(drop),
        }
    }

    /// Installs an executable hook, for example `pre-receive`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub async fn install_hook(&self, name: &str, script: &str) -> Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = self.path.join("hooks");
        tokio::fs::create_dir_all(&folder).await?;
        let (file, temporary) = (folder.join(name), folder.join(format!(".{name}")));
        tokio::fs::write(&temporary, script).await?;
        tokio::fs::set_permissions(&temporary, std::fs::Permissions::from_mode(0o755)).await?;
        tokio::fs::rename(&temporary, &file).await?;
        Ok(())
    }

    /// Deletes the repository from disk.
    ///
    /// # Errors
    /// It cannot be deleted.
    pub async fn remove(self) -> Result<()> {
        tokio::fs::remove_dir_all(&self.path).await.context("cannot remove the repository")
    }

    /// Runs any git command in the repository and returns what it printed.
    ///
    /// # Errors
    /// The command failed; the error holds what it said.
    pub async fn git<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Result<String> {
        let mut command = self.command();
        command.args(args);
        Ok(String::from_utf8_lossy(&run(command, Vec::new()).await?).into_owned())
    }

    fn command(&self) -> Command {
        let mut command = Command::new("git");
        plain_git_environment(&mut command);
        command.arg("--git-dir").arg(&self.path);
        command
    }
}

/// Hides the machine's own git configuration from the program, so results are the same everywhere.
pub(super) fn plain_git_environment(command: &mut Command) {
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"] {
        command.env_remove(name);
    }
    command
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .env("GIT_AUTHOR_NAME", "dev")
        .env("GIT_AUTHOR_EMAIL", "dev@example.com")
        .env("GIT_COMMITTER_NAME", "dev")
        .env("GIT_COMMITTER_EMAIL", "dev@example.com");
}

/// The folder of a repository below the root: its name, ending in `.git`.
pub(super) fn folder_name(name: &str) -> String {
    let bare = name.strip_suffix(".git").unwrap_or(name);
    format!("{bare}.git")
}

fn locate(root: &Path, name: &str) -> Result<PathBuf> {
    let folder = PathBuf::from(folder_name(name));
    if name.is_empty() || !folder.components().all(|part| matches!(part, Component::Normal(_))) {
        bail!("{name:?} is no name for a repository");
    }
    Ok(root.join(folder))
}

async fn run(mut command: Command, input: Vec<u8>) -> Result<Vec<u8>> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().context("cannot run git")?;
    let mut stdin = child.stdin.take().context("no stdin")?;
    let feed = async move {
        // A program that fails early stops reading; its exit code tells.
        let _ = stdin.write_all(&input).await;
        drop(stdin);
    };
    let ((), out) = tokio::join!(feed, child.wait_with_output());
    let out = out?;
    if !out.status.success() {
        bail!("git failed: {}", String::from_utf8_lossy(&out.stderr).trim());
    }
    Ok(out.stdout)
}

/// One `M` or `D` line of fast-import.
fn change(input: &mut Vec<u8>, path: &str, content: Content) {
    let path = quote(path);
    let (mode, bytes) = match content {
        Content::Absent => return input.extend(format!("D {path}\n").into_bytes()),
        Content::Submodule(id) => {
            return input.extend(format!("M 160000 {id} {path}\n").into_bytes());
        }
        Content::File(bytes) => ("100644", bytes),
        Content::Executable(bytes) => ("100755", bytes),
        Content::Symlink(target) => ("120000", target.into_bytes()),
    };
    input.extend(format!("M {mode} inline {path}\n").into_bytes());
    data(input, &bytes);
}

fn data(input: &mut Vec<u8>, bytes: &[u8]) {
    input.extend(format!("data {}\n", bytes.len()).into_bytes());
    input.extend(bytes);
    input.push(b'\n');
}

/// A path as fast-import wants one that may hold anything.
fn quote(path: &str) -> String {
    format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

fn log_entry(fields: &[&str]) -> Option<LogEntry> {
    let [id, refs, author, committer, message] = fields else { return None };
    Some(LogEntry {
        id: id.trim_start().to_owned(),
        refs: (*refs).to_owned(),
        author: (*author).to_owned(),
        committer: (*committer).to_owned(),
        message: message.trim_end_matches('\n').to_owned(),
    })
}
