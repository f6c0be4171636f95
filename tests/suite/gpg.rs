//! Keys of `GnuPG`, and what it signs with them.

use std::{os::unix::fs::PermissionsExt as _, process::Command};

use anyhow::{Result, ensure};

/// A home of its own for `gpg`; its agent goes with it.
pub(crate) struct Gpg(pub(crate) tempfile::TempDir);

impl Gpg {
    /// Whether there is one.
    pub(crate) fn available() -> bool {
        Command::new("gpg").arg("--version").output().is_ok()
    }

    pub(crate) fn new() -> Result<Self> {
        let home = tempfile::tempdir()?;
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o700))?;
        std::fs::write(home.path().join("gpg-agent.conf"), "s2k-count 65536\n")?;
        Ok(Self(home))
    }

    fn run(&self, passphrase: &str, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new("gpg");
        command.env("GNUPGHOME", self.0.path()).args(["--batch", "--yes", "--quiet"]);
        command.args(["--pinentry-mode", "loopback", "--passphrase", passphrase]);
        let output = command.args(arguments).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// A new key with its secret part, armored.
    pub(crate) fn key(&self, who: &str, passphrase: &str) -> Result<String> {
        self.run(passphrase, &["--quick-generate-key", who, "ed25519", "sign", "never"])?;
        self.run(passphrase, &["--armor", "--export-secret-keys", who])
    }

    /// The public parts of all keys, armored.
    pub(crate) fn public(&self) -> Result<String> {
        self.run("", &["--armor", "--export"])
    }

    /// A text within its signature, by a key without passphrase.
    pub(crate) fn clearsign(&self, text: &str) -> Result<String> {
        let file = self.0.path().join("text");
        std::fs::write(&file, text)?;
        self.run("", &["--output", "-", "--clearsign", &file.display().to_string()])
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let mut command = Command::new("gpgconf");
        let _ = command.env("GNUPGHOME", self.0.path()).args(["--kill", "all"]).output();
    }
}
