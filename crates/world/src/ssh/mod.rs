//! A Git server over SSH: the machine's own OpenSSH `sshd` on loopback.
//!
//! ```text
//! client ── ssh ──> Server (listens) ── one `sshd -i` per connection ──> git-upload-pack / git-receive-pack
//! ```
//!
//! The listener is ours and every connection gets an `sshd` of its own in inetd mode, so no port has
//! to be guessed and nothing outlives the server. It runs as root and as a plain user; clients log
//! in as the user this process runs as.

mod key;

pub use key::KeyType;

use std::{
    fmt::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;
use tokio::{
    net::{TcpListener, TcpStream},
    process::Command,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How a [`Server`] is to behave.
#[derive(Clone, Debug)]
pub struct Options {
    /// The kinds of host keys it has.
    pub host_keys: Vec<KeyType>,
    /// More lines for its `sshd_config`, for example `KexAlgorithms curve25519-sha256`.
    pub config: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { host_keys: vec![KeyType::Ed25519, KeyType::Ecdsa, KeyType::Rsa], config: Vec::new() }
    }
}

/// An SSH server on loopback for the bare repositories of one folder.
#[derive(Debug)]
pub struct Server {
    repositories: PathBuf,
    scratch: TempDir,
    host_keys: Vec<KeyType>,
    user: String,
    address: SocketAddr,
    _stop: DropGuard,
}

/// Whether this machine has an OpenSSH server; a test that needs one says it is skipped otherwise.
pub fn available() -> bool {
    sshd().is_some() && key::available()
}

impl Server {
    /// Makes host keys and starts to serve the bare repositories below `repositories`.
    ///
    /// # Errors
    /// `sshd` is not installed or refuses its configuration.
    pub async fn start(repositories: &Path, options: Options) -> Result<Self> {
        let Some(sshd) = sshd() else { bail!("sshd is not installed") };
        let repositories = std::fs::canonicalize(repositories)?;
        let scratch = tempfile::tempdir().context("no temporary folder")?;
        let user = user().await?;
        if user == "root" {
            // sshd drops its rights into this folder, and only its boot script would make it.
            std::fs::create_dir_all("/run/sshd").context("cannot make /run/sshd")?;
        }
        let config = configure(scratch.path(), &options).await?;
        let check = Command::new(&sshd).arg("-t").arg("-f").arg(&config).output().await?;
        if !check.status.success() {
            bail!("sshd refuses to start: {}", String::from_utf8_lossy(&check.stderr).trim());
        }
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let program = Arc::new((sshd, config));
        tokio::spawn(accept(listener, program, stop.clone()));
        let host_keys = options.host_keys;
        Ok(Self { repositories, scratch, host_keys, user, address, _stop: stop.drop_guard() })
    }

    /// The URL a client clones `name` from.
    pub fn repository_url(&self, name: &str) -> String {
        let bare = name.strip_suffix(".git").unwrap_or(name);
        let folder = self.repositories.display();
        format!("ssh://{}@{}{folder}/{bare}.git", self.user, self.address)
    }

    /// The user that clients log in as.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// A `known_hosts` text with all host keys of the server under `[127.0.0.1]:port`.
    ///
    /// # Errors
    /// The keys cannot be read.
    pub fn known_hosts(&self) -> Result<String> {
        let mut text = String::new();
        for kind in &self.host_keys {
            let path = self.scratch.path().join(format!("host_{}.pub", kind.name()));
            let public = std::fs::read_to_string(&path)?;
            let bare: Vec<&str> = public.split_whitespace().take(2).collect();
            writeln!(text, "[127.0.0.1]:{} {}", self.port(), bare.join(" "))?;
        }
        Ok(text)
    }

    /// The same as [`Self::known_hosts`] with hashed host names, as `ssh-keygen -H` makes them.
    ///
    /// # Errors
    /// `ssh-keygen` fails.
    pub async fn known_hosts_hashed(&self) -> Result<String> {
        let file = self.scratch.path().join("hashed");
        tokio::fs::write(&file, self.known_hosts()?).await?;
        let run = Command::new("ssh-keygen").arg("-H").arg("-f").arg(&file).output().await?;
        if !run.status.success() {
            bail!("ssh-keygen failed: {}", String::from_utf8_lossy(&run.stderr).trim());
        }
        Ok(tokio::fs::read_to_string(&file).await?)
    }

    /// Makes a new private key (PEM) that may log in, locked by `passphrase` when given.
    ///
    /// # Errors
    /// `ssh-keygen` fails.
    pub async fn client_key(&self, kind: KeyType, passphrase: Option<&str>) -> Result<String> {
        let pair = key::generate(kind, passphrase).await?;
        let list = self.scratch.path().join("authorized_keys");
        let mut text = tokio::fs::read_to_string(&list).await?;
        text.push_str(&pair.public);
        tokio::fs::write(&list, text).await?;
        Ok(pair.private)
    }

    /// Makes a private key (PEM) that may **not** log in.
    ///
    /// # Errors
    /// `ssh-keygen` fails.
    pub async fn stranger_key(&self, kind: KeyType) -> Result<String> {
        Ok(key::generate(kind, None).await?.private)
    }
}

fn sshd() -> Option<PathBuf> {
    // The program insists on an absolute path, and its folder is seldom in PATH.
    ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd", "/usr/bin/sshd"]
        .into_iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
}

async fn user() -> Result<String> {
    let out = Command::new("id").arg("-un").output().await.context("cannot run id")?;
    Ok(String::from_utf8(out.stdout)?.trim().to_owned())
}

/// Writes host keys and `sshd_config` into `folder` and returns the latter's path.
async fn configure(folder: &Path, options: &Options) -> Result<PathBuf> {
    let mut text = String::new();
    for kind in &options.host_keys {
        let path = folder.join(format!("host_{}", kind.name()));
        key::generate_at(&path, *kind, None).await?;
        writeln!(text, "HostKey {}", path.display())?;
    }
    let authorized = folder.join("authorized_keys");
    tokio::fs::write(&authorized, "").await?;
    writeln!(text, "AuthorizedKeysFile {}", authorized.display())?;
    for line in [
        "PidFile none",
        "UsePAM no",
        "StrictModes no",
        "PermitRootLogin yes",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "PubkeyAuthentication yes",
        "AcceptEnv GIT_PROTOCOL",
        "PrintMotd no",
        "LogLevel ERROR",
    ] {
        writeln!(text, "{line}")?;
    }
    for line in &options.config {
        writeln!(text, "{line}")?;
    }
    let path = folder.join("sshd_config");
    tokio::fs::write(&path, text).await?;
    Ok(path)
}

async fn accept(listener: TcpListener, program: Arc<(PathBuf, PathBuf)>, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        if let Ok((stream, _)) = accepted {
            let program = Arc::clone(&program);
            let stop = stop.clone();
            tokio::spawn(async move {
                // What a session dies of is told to its client.
                tokio::select! {
                    () = stop.cancelled() => {}
                    _ = session(stream, &program.0, &program.1) => {}
                }
            });
        }
    }
}

async fn session(stream: TcpStream, sshd: &Path, config: &Path) -> Result<()> {
    let _ = stream.set_nodelay(true);
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    let output = stream.try_clone()?;
    let mut child = Command::new(sshd)
        .arg("-i")
        .arg("-f")
        .arg(config)
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(stream)))
        .stdout(Stdio::from(std::os::fd::OwnedFd::from(output)))
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    child.wait().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{KeyType, Options, Server, available};

    #[tokio::test]
    async fn real_ssh_lists_a_repository() {
        if !available() {
            println!("skipped: sshd not installed");
            return;
        }
        let http = crate::git::Server::start(crate::git::Options::default()).await.unwrap();
        http.create("fleet", "main", [("a", "1")]).await.unwrap();
        let server = Server::start(http.dir(), Options::default()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        let known = folder.path().join("known_hosts");
        let write = |path: &std::path::Path, text: &str| {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::write(path, text).unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
        };
        write(&key, &server.client_key(KeyType::Ed25519, None).await.unwrap());
        write(&known, &server.known_hosts_hashed().await.unwrap());
        let ssh = format!(
            "ssh -F /dev/null -i {} -o IdentitiesOnly=yes -o BatchMode=yes -o UserKnownHostsFile={} -o StrictHostKeyChecking=yes",
            key.display(),
            known.display()
        );
        let list = || async {
            let mut command = tokio::process::Command::new("git");
            command.env("GIT_SSH_COMMAND", &ssh);
            command.args(["ls-remote", &server.repository_url("fleet")]).output().await.unwrap()
        };
        let good = list().await;
        assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
        assert!(String::from_utf8_lossy(&good.stdout).contains("refs/heads/main"));
        write(&key, &server.stranger_key(KeyType::Ed25519).await.unwrap());
        assert!(!list().await.status.success());
    }
}
