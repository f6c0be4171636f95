//! Key pairs made by `ssh-keygen`.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;

/// A kind of SSH key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// Ed25519.
    Ed25519,
    /// ECDSA on NIST P-256.
    Ecdsa,
    /// RSA of 2048 bits.
    Rsa,
}

impl KeyType {
    /// What `ssh-keygen -t` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::Ecdsa => "ecdsa",
            Self::Rsa => "rsa",
        }
    }
}

pub(super) struct Pair {
    pub(super) private: String,
    pub(super) public: String,
}

pub(super) fn available() -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join("ssh-keygen").exists())
}

pub(super) async fn generate(kind: KeyType, passphrase: Option<&str>) -> Result<Pair> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("key");
    generate_at(&path, kind, passphrase).await?;
    let private = tokio::fs::read_to_string(&path).await?;
    let public = tokio::fs::read_to_string(path.with_extension("pub")).await?;
    Ok(Pair { private, public })
}

pub(super) async fn generate_at(
    path: &Path,
    kind: KeyType,
    passphrase: Option<&str>,
) -> Result<()> {
    let mut command = Command::new("ssh-keygen");
    command.args([
        "-q",
        "-t",
        kind.name(),
        "-a",
        "1",
        "-C",
        "world",
        "-N",
        passphrase.unwrap_or(""),
    ]);
    if kind == KeyType::Rsa {
        command.args(["-b", "2048"]);
    }
    let out = command.arg("-f").arg(path).output().await.context("cannot run ssh-keygen")?;
    if !out.status.success() {
        bail!("ssh-keygen failed: {}", String::from_utf8_lossy(&out.stderr).trim());
    }
    Ok(())
}
