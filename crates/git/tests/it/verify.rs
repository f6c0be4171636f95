//! Signatures that gpg, ssh-keygen and git made, checked by us.

use std::{collections::BTreeMap, path::Path, process::Command};

use git::{Checkout, Reference, Trust};
use world::git::{Options, Repository};

use crate::{
    fixture::{Mirror, SCOPE, fleet},
    sign::{Gpg, has, run},
};

fn now() -> i64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs().try_into().unwrap()
}

fn trust(key: &str, text: &str) -> Trust {
    Trust::from_secret(&BTreeMap::from([(key.to_owned(), text.as_bytes().to_vec())]))
}

/// Makes a signed commit on `main` and a signed tag `v1` of it, with git itself.
fn sign(repository: &Repository, settings: &[(&str, &str)], home: &Path) {
    let git = |arguments: &[&str], input: Option<&str>| {
        let mut command = Command::new("git");
        command.arg("--git-dir").arg(repository.path()).env("GNUPGHOME", home);
        for (key, value) in settings {
            command.arg("-c").arg(format!("{key}={value}"));
        }
        command.args(["-c", "user.name=bot", "-c", "user.email=bot@example.com"]);
        command.args(arguments);
        if let Some(input) = input {
            command.args(["-m", input]);
        }
        String::from_utf8(run(&mut command).stdout).unwrap().trim().to_owned()
    };
    let commit = git(&["commit-tree", "-S", "main^{tree}", "-p", "main"], Some("signed"));
    git(&["update-ref", "refs/heads/main", &commit], None);
    git(&["tag", "-s", "v1", &commit], Some("a tag"));
}

async fn checked_out(mirror: &Mirror, remote: &git::Remote, reference: Reference) -> Checkout {
    mirror.mirrors.checkout(SCOPE, remote, &reference, &[]).await.unwrap()
}

fn tag(name: &str) -> Reference {
    Reference { tag: Some(name.into()), ..Reference::default() }
}

#[tokio::test]
async fn signatures_of_openpgp_keys_are_verified() {
    if !has("gpg") {
        return;
    }
    for algorithm in ["ed25519", "rsa2048", "ed25519+rsa2048"] {
        let gpg = Gpg::new();
        gpg.key("bot <bot@example.com>", algorithm, "");
        let export = |who: &str| {
            let out = run(gpg.command("").args(["--armor", "--export", who]));
            String::from_utf8(out.stdout).unwrap()
        };
        let ring = export("bot");
        let (_server, repository, remote) = fleet(Options::default()).await;
        sign(&repository, &[("user.signingKey", "bot@example.com")], gpg.home.path());
        let mirror = Mirror::new();
        let found = checked_out(&mirror, &remote, tag("v1")).await;
        let (commit, tag) = (found.signed().await.unwrap(), found.tag().await.unwrap().unwrap());
        assert_eq!(tag.name, "v1");
        let (id, signed) = tag.object.clone().unwrap();
        assert_eq!(tag.to_string(), format!("v1@{id}"));
        for object in [&commit, &signed] {
            assert!(object.is_signed());
            let key = object.verify(&trust("author.asc", &ring), now()).unwrap();
            assert_eq!(key.len(), 16, "{key}");
            assert!(key.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F')), "{key}");
        }
        gpg.key("other <other@example.com>", "ed25519", "");
        let why = commit.verify(&trust("x", &export("other")), now()).unwrap_err().to_string();
        let none = "unable to verify payload with any of the given key rings";
        assert_eq!(why, format!("unable to verify Git commit: {none}"));
        let why = signed.verify(&trust("x", &export("other")), now()).unwrap_err().to_string();
        assert_eq!(why, format!("unable to verify Git tag: {none}"));
        let why = commit.verify(&trust("x", "no ring"), now()).unwrap_err().to_string();
        let start = "unable to verify Git commit: unable to read armored key ring: ";
        assert!(why.starts_with(start), "{why}");
    }
}

#[tokio::test]
async fn keys_that_are_expired_or_revoked_are_refused() {
    if !has("gpg") {
        return;
    }
    let gpg = Gpg::new();
    run(gpg.command("").args([
        "--quick-generate-key",
        "bot <bot@example.com>",
        "ed25519",
        "sign",
        "2d",
    ]));
    let (_server, repository, remote) = fleet(Options::default()).await;
    sign(&repository, &[("user.signingKey", "bot@example.com")], gpg.home.path());
    let ring = run(gpg.command("").args(["--armor", "--export", "bot"])).stdout;
    let ring = String::from_utf8(ring).unwrap();
    let mirror = Mirror::new();
    let found = checked_out(&mirror, &remote, Reference::to_branch("main")).await;
    let commit = found.signed().await.unwrap();
    commit.verify(&trust("x", &ring), now()).unwrap();
    commit.verify(&trust("x", &ring), now() + 3 * 86_400).unwrap_err();
    let file = std::fs::read_dir(gpg.home.path().join("openpgp-revocs.d")).unwrap();
    let file = file.map(|entry| entry.unwrap().path()).next().unwrap();
    let text = std::fs::read_to_string(&file).unwrap().replace(":-----BEGIN", "-----BEGIN");
    std::fs::write(&file, text).unwrap();
    run(gpg.command("").arg("--import").arg(&file));
    let revoked = run(gpg.command("").args(["--armor", "--export", "bot"])).stdout;
    let revoked = String::from_utf8(revoked).unwrap();
    commit.verify(&trust("x", &revoked), now()).unwrap_err();
}

#[tokio::test]
async fn signatures_of_ssh_keys_are_verified() {
    if !world::ssh::available() {
        println!("skipped: ssh-keygen not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let key = |name: &str| {
        let file = folder.path().join(name);
        let mut keygen = Command::new("ssh-keygen");
        run(keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "bot", "-f"]).arg(&file));
        (file.clone(), std::fs::read_to_string(file.with_extension("pub")).unwrap())
    };
    let ((file, public), (_, other)) = (key("one"), key("two"));
    let (_server, repository, remote) = fleet(Options::default()).await;
    let settings = [("gpg.format", "ssh"), ("user.signingKey", file.to_str().unwrap())];
    sign(&repository, &settings, folder.path());
    let mirror = Mirror::new();
    let found = checked_out(&mirror, &remote, tag("v1")).await;
    let (commit, tag) = (found.signed().await.unwrap(), found.tag().await.unwrap().unwrap());
    let both = format!("# ours\n{other}\nrestrict {public}");
    for object in [&commit, &tag.object.unwrap().1] {
        let key = object.verify(&trust("bot.sshpub", &both), now()).unwrap();
        assert!(key.starts_with("SHA256:"), "{key}");
        object.verify(&trust("bot.sshpub", &other), now()).unwrap_err();
        let why = object.verify(&trust("bot.asc", &public), now()).unwrap_err().to_string();
        assert!(why.contains("no SSH public keys found"), "{why}");
    }
}

#[tokio::test]
async fn what_is_not_signed_is_told_apart() {
    let (_server, repository, remote) = fleet(Options::default()).await;
    repository.tag("light", "main", None).await.unwrap();
    repository.tag("heavy", "main", Some("unsigned")).await.unwrap();
    let mirror = Mirror::new();
    let heavy = checked_out(&mirror, &remote, tag("heavy")).await;
    assert!(!heavy.tag().await.unwrap().unwrap().object.unwrap().1.is_signed());
    let commit = heavy.signed().await.unwrap();
    let why = commit.verify(&Trust::default(), now()).unwrap_err().to_string();
    let empty = "unable to verify payload as the provided signature is empty";
    assert_eq!(why, format!("unable to verify Git commit: {empty}"));
    let light = checked_out(&mirror, &remote, tag("light")).await.tag().await.unwrap().unwrap();
    assert_eq!((light.to_string(), light.object), ("light".to_owned(), None));
    let name = |name: &str| Reference { name: Some(name.into()), ..Reference::default() };
    let peeled = checked_out(&mirror, &remote, name("refs/tags/heavy^{}")).await;
    assert!(peeled.revision.starts_with("refs/tags/heavy^{}@sha1:"), "{}", peeled.revision);
    assert_eq!(peeled.tag().await.unwrap(), None, "who asks for the commit does not mean the tag");
    let branch = checked_out(&mirror, &remote, Reference::to_branch("main")).await;
    assert_eq!(branch.tag().await.unwrap(), None);
}
