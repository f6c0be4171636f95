//! Signed commits, checked by gpg, ssh-keygen and git themselves.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Output},
    sync::Arc,
};

use git::{Outcome, Signer};
use world::git::Options;

use crate::fixture::{Mirror, fleet, only, onto, signed};

type Secret = BTreeMap<String, Vec<u8>>;

fn secret(pairs: &[(&str, &str)]) -> Secret {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec())).collect()
}

pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

pub(crate) fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        println!("skipped: {program} not installed");
    }
    found
}

pub(crate) struct Gpg {
    pub(crate) home: tempfile::TempDir,
}

impl Gpg {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::set_permissions(home.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .unwrap();
        // A passphrase of a test need not be slow to try.
        std::fs::write(home.path().join("gpg-agent.conf"), "s2k-count 65536\n").unwrap();
        Self { home }
    }

    pub(crate) fn command(&self, passphrase: &str) -> Command {
        let mut command = Command::new("gpg");
        command.env("GNUPGHOME", self.home.path());
        command.args(["--batch", "--yes", "--quiet", "--pinentry-mode", "loopback"]);
        command.args(["--passphrase", passphrase]);
        command
    }

    /// A new key; returns the armored secret key.
    pub(crate) fn key(&self, who: &str, algorithm: &str, passphrase: &str) -> String {
        let usage = if algorithm.contains('+') { "cert" } else { "sign" };
        let first = algorithm.split('+').next().unwrap();
        run(self.command(passphrase).args(["--quick-generate-key", who, first, usage, "never"]));
        if let Some(second) = algorithm.split('+').nth(1) {
            let list = run(self.command("").args(["--with-colons", "--list-keys", who]));
            let list = String::from_utf8(list.stdout).unwrap();
            let fingerprint = list.lines().find(|line| line.starts_with("fpr")).unwrap();
            let fingerprint = fingerprint.split(':').nth(9).unwrap();
            run(self.command(passphrase).args([
                "--quick-add-key",
                fingerprint,
                second,
                "sign",
                "never",
            ]));
        }
        let out = run(self.command(passphrase).args(["--armor", "--export-secret-keys", who]));
        String::from_utf8(out.stdout).unwrap()
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        // The agent would otherwise outlive its home.
        let mut command = Command::new("gpgconf");
        let _ = command.env("GNUPGHOME", self.home.path()).args(["--kill", "all"]).output();
    }
}

/// Pushes a signed commit and returns the repository with the commit's id.
async fn push_signed(signer: Signer) -> (world::git::Server, world::git::Repository, String) {
    let (server, repository, remote) = fleet(Options::default()).await;
    let mirror = Mirror::new();
    let base = mirror.main(&remote).await.unwrap().snapshot;
    let new = signed(&base, "x", "y\n", Some(Arc::new(signer))).await;
    let pushed = mirror.mirrors.push(&remote, onto("main", &new)).await.unwrap();
    assert_eq!(only(&pushed), &Outcome::Ok);
    repository.git(["fsck", "--strict"]).await.unwrap();
    (server, repository, new.id().to_string())
}

fn verify(repository: &Path, id: &str, settings: &[(&str, &str)], env: &[(&str, &Path)]) -> String {
    let mut command = Command::new("git");
    command.arg("--git-dir").arg(repository);
    for (key, value) in settings {
        command.arg("-c").arg(format!("{key}={value}"));
    }
    command.envs(env.iter().copied());
    let output = run(command.args(["verify-commit", "-v", id]));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn gpg_verifies_what_openpgp_keys_sign() {
    if !has("gpg") {
        return;
    }
    for (algorithm, passphrase) in
        [("ed25519", ""), ("rsa2048", "s3cret"), ("nistp256", ""), ("ed25519+rsa2048", "")]
    {
        let gpg = Gpg::new();
        let armor = gpg.key("bot <bot@example.com>", algorithm, passphrase);
        let mut data = secret(&[("git.asc", &armor)]);
        if !passphrase.is_empty() {
            data.insert("passphrase".to_owned(), passphrase.into());
        }
        let signer = Signer::from_secret("key", &data).unwrap();
        let (_server, repository, id) = push_signed(signer).await;
        let said = verify(repository.path(), &id, &[], &[("GNUPGHOME", gpg.home.path())]);
        assert!(
            said.contains("Good signature from \"bot <bot@example.com>\""),
            "{algorithm}: {said}"
        );
    }
}

#[tokio::test]
async fn git_verifies_what_ssh_keys_sign() {
    if !has("ssh-keygen") && !world::ssh::available() {
        return;
    }
    for (kind, passphrase) in [("ed25519", "pass"), ("ecdsa", ""), ("rsa", "")] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let mut keygen = Command::new("ssh-keygen");
        run(keygen
            .args(["-q", "-a", "1", "-t", kind, "-N", passphrase, "-C", "bot", "-f"])
            .arg(&file));
        let pem = std::fs::read_to_string(&file).unwrap();
        let public = std::fs::read_to_string(file.with_extension("pub")).unwrap();
        let data = secret(&[("identity", &pem), ("password", passphrase)]);
        let data = data.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let signer = Signer::from_secret("key", &data).unwrap();
        let (_server, repository, id) = push_signed(signer).await;
        let allowed = folder.path().join("allowed");
        std::fs::write(&allowed, format!("bot@example.com namespaces=\"git\" {public}")).unwrap();
        let allowed = allowed.to_str().unwrap();
        let settings = [("gpg.format", "ssh"), ("gpg.ssh.allowedSignersFile", allowed)];
        let said = verify(repository.path(), &id, &settings, &[]);
        assert!(said.contains("Good \"git\" signature for bot@example.com"), "{kind}: {said}");

        // The same by ssh-keygen itself, on the payload that git takes out of the commit.
        let raw = repository.git(["cat-file", "commit", &id]).await.unwrap();
        let (payload, signature) = split_signature(&raw);
        let armor = folder.path().join("armor");
        std::fs::write(&armor, signature).unwrap();
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-Y", "verify", "-n", "git", "-I", "bot@example.com", "-f", allowed, "-s"]);
        let input = folder.path().join("payload");
        std::fs::write(&input, payload).unwrap();
        run(keygen.arg(&armor).stdin(std::fs::File::open(&input).unwrap()));
    }
}

/// Takes the `gpgsig` header out of a raw commit.
fn split_signature(raw: &str) -> (String, String) {
    let (mut payload, mut signature, mut inside) = (String::new(), String::new(), false);
    for line in raw.split_inclusive('\n') {
        if let Some(rest) = line.strip_prefix("gpgsig ") {
            inside = true;
            signature.push_str(rest);
        } else if let Some(rest) = line.strip_prefix(' ').filter(|_| inside) {
            signature.push_str(rest);
        } else {
            inside = false;
            payload.push_str(line);
        }
    }
    (payload, signature)
}

#[tokio::test]
async fn keys_that_cannot_sign_are_told_why() {
    let wrong = |data: &Secret| Signer::from_secret("signing", data).unwrap_err().to_string();
    assert_eq!(
        wrong(&secret(&[("other", "x")])),
        "signing key secret 'signing' does not contain a 'git.asc' key"
    );
    let unreadable = "could not read signing key from secret 'signing': ";
    assert!(wrong(&secret(&[("git.asc", "not armored")])).starts_with(unreadable));
    assert_eq!(
        wrong(&secret(&[("identity", "not a key")])),
        "could not parse SSH signing key from secret 'signing': no key found"
    );
    if !has("gpg") {
        return;
    }
    let gpg = Gpg::new();
    let locked = gpg.key("one <one@example.com>", "ed25519", "s3cret");
    assert_eq!(
        wrong(&secret(&[("git.asc", &locked)])),
        "can not use passphrase protected signing key without 'passphrase' field present in secret signing"
    );
    let why = wrong(&secret(&[("git.asc", &locked), ("passphrase", "other")]));
    let start = "could not decrypt private key of the signing key present in secret signing: ";
    assert!(why.starts_with(start), "{why}");
    gpg.key("two <two@example.com>", "ed25519", "s3cret");
    let both = run(gpg.command("s3cret").args(["--armor", "--export-secret-keys"]));
    let both = String::from_utf8(both.stdout).unwrap();
    assert_eq!(
        wrong(&secret(&[("git.asc", &both), ("passphrase", "s3cret")])),
        "multiple entities read from secret 'signing', could not determine which signing key to use"
    );
    let public = run(gpg.command("").args(["--armor", "--export", "one"]));
    let public = String::from_utf8(public.stdout).unwrap();
    assert!(wrong(&secret(&[("git.asc", &public)])).contains("public key only"));
}
