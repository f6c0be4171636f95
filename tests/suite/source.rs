//! GitRepository: from a commit to an artifact that others can fetch.

use std::{collections::BTreeMap, io::Read as _, process::Command};

use anyhow::{Context as _, Result, ensure};
use scenarios::{Tenant, condition, skipped};
use serde_json::{Value, json};
use world::{
    git::{Content, Repository},
    ssh,
};

use crate::artifact::sha256;

const GIT: &str = "GitRepository";

scenarios![
    a_commit_becomes_an_artifact,
    every_reference_has_its_revision,
    what_is_lost_or_damaged_is_built_again,
    ignore_rules_and_sparse_checkout_choose,
    includes_are_put_in_and_followed,
    submodules_are_part_of_it_on_request,
    links_within_the_tree_are_kept_on_request,
    files_of_git_lfs_are_fetched_on_request,
    a_failure_keeps_the_artifact,
    a_deleted_source_leaves_nothing,
    signatures_decide_what_becomes_an_artifact,
];

/// The names and contents of a served artifact.
async fn served(it: &Value) -> Result<BTreeMap<String, String>> {
    let artifact = &it["status"]["artifact"];
    let url = artifact["url"].as_str().context("there is a URL")?;
    let output =
        tokio::process::Command::new("curl").args(["-sSf", "--noproxy", "*", url]).output().await?;
    ensure!(output.status.success(), "{url}: {}", String::from_utf8_lossy(&output.stderr));
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("x.tar.gz");
    std::fs::write(&file, &output.stdout)?;
    let digest = Command::new("sha256sum").arg(&file).output()?;
    let digest = String::from_utf8(digest.stdout)?;
    let digest = format!("sha256:{}", digest.split(' ').next().unwrap_or_default());
    ensure!(artifact["digest"] == digest.as_str(), "{artifact} has the digest {digest}");
    let unpacked = folder.path().join("unpacked");
    std::fs::create_dir(&unpacked)?;
    let done = Command::new("tar").arg("-xzf").arg(&file).arg("-C").arg(&unpacked).output()?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let (mut found, mut folders) = (BTreeMap::new(), vec![unpacked.clone()]);
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(at)? {
            let path = entry?.path();
            let name = path.strip_prefix(&unpacked)?.display().to_string();
            let kind = path.symlink_metadata()?;
            if kind.is_symlink() {
                found.insert(name, format!("-> {}", path.read_link()?.display()));
            } else if kind.is_dir() {
                folders.push(path);
            } else {
                let mut text = String::new();
                std::fs::File::open(&path)?.read_to_string(&mut text)?;
                found.insert(name, text);
            }
        }
    }
    Ok(found)
}

fn names(served: &BTreeMap<String, String>) -> Vec<&str> {
    served.keys().map(String::as_str).collect()
}

async fn source(it: &Tenant, spec: &Value) -> Result<Value> {
    it.create(&it.git_repository(spec)).await?;
    it.ready(GIT, "fleet").await
}

/// Waits until the artifact has this revision.
async fn at(it: &Tenant, revision: &str) -> Result<Value> {
    let is_there = |it: &Value| {
        it["status"]["artifact"]["revision"] == revision
            && it["status"]["observedGeneration"] == it["metadata"]["generation"]
    };
    it.wait((GIT, "fleet"), &format!("the artifact is of {revision}"), is_there).await
}

async fn a_commit_becomes_an_artifact(it: Tenant) -> Result<()> {
    let files = [
        ("a/cm.yaml", Content::from("a: 1\n")),
        ("run.sh", Content::Executable(b"#!/bin/sh\n".to_vec())),
        ("link", Content::Symlink("a".into())),
        (".gitignore", "x".into()),
        ("logo.png", "png".into()),
    ];
    let repository = it.files(files).await?;
    let first = repository.head("main").await?.context("a head")?;
    let ready = source(&it, &json!({})).await?;
    let artifact = &ready["status"]["artifact"];
    ensure!(artifact["revision"] == format!("main@sha1:{first}"), "{artifact}");
    ensure!(artifact["path"] == format!("gitrepository/{}/fleet/{first}.tar.gz", it.namespace));
    let found = served(&ready).await?;
    ensure!(names(&found) == ["a/cm.yaml", "run.sh"], "{found:?}");
    let second = repository.commit("main", [("a/cm.yaml", "a: 2\n")], "more").await?;
    it.request(GIT, "fleet").await?;
    let ready = at(&it, &format!("main@sha1:{second}")).await?;
    ensure!(served(&ready).await?["a/cm.yaml"] == "a: 2\n");
    let event = it.event(GIT, "fleet", "stored artifact for commit 'more'").await?;
    ensure!(event.reason == "NewArtifact" && event.kind == "Normal", "{event:?}");
    Ok(())
}

async fn every_reference_has_its_revision(it: Tenant) -> Result<()> {
    let repository = it.files([("a", "1")]).await?;
    let first = repository.head("main").await?.context("a head")?;
    repository.tag("v1.0.0", "main", Some("annotated")).await?;
    let second = repository.commit("main", [("a", "2")], "second").await?;
    repository.tag("v1.1.0", "main", None).await?;
    source(&it, &json!({"ref": {"branch": "main"}})).await?;
    for (reference, revision) in [
        (json!({"tag": "v1.0.0"}), format!("v1.0.0@sha1:{first}")),
        (json!({"semver": "1.x"}), format!("v1.1.0@sha1:{second}")),
        (json!({"name": "refs/tags/v1.0.0"}), format!("refs/tags/v1.0.0@sha1:{first}")),
        (json!({"commit": second}), format!("sha1:{second}")),
        (json!({"commit": first, "branch": "main"}), format!("main@sha1:{first}")),
        (json!({"branch": "main"}), format!("main@sha1:{second}")),
    ] {
        let none =
            json!({"branch": null, "tag": null, "semver": null, "name": null, "commit": null});
        let mut merged = none;
        for (key, value) in reference.as_object().context("an object")? {
            merged[key] = value.clone();
        }
        it.patch((GIT, "fleet"), &json!({"spec": {"ref": merged}})).await?;
        at(&it, &revision).await?;
    }
    Ok(())
}

/// Alone, since it counts what the whole Git server is asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unchanged_repository_costs_one_look() -> Result<()> {
    let it = crate::alone("unchanged").await?;
    let repository = it.files([("a", "1")]).await?;
    let head = repository.head("main").await?.context("a head")?;
    let before = source(&it, &json!({"ref": {"branch": "main"}})).await?;
    for reference in [json!({"branch": "main"}), json!({"branch": "main", "commit": head})] {
        it.patch((GIT, "fleet"), &json!({"spec": {"ref": reference}})).await?;
        at(&it, &format!("main@sha1:{head}")).await?;
        let counts = it.world.git.counts();
        let after = it.request(GIT, "fleet").await?;
        ensure!(it.world.git.counts().fetches == counts.fetches, "nothing is fetched");
        ensure!(after["status"]["artifact"] == before["status"]["artifact"], "{after}");
    }
    let event = it.event(GIT, "fleet", "no changes since last reconcilation").await?;
    ensure!(event.reason == "GitOperationSucceeded", "{event:?}");
    Ok(())
}

async fn what_is_lost_or_damaged_is_built_again(it: Tenant) -> Result<()> {
    it.files([("a", "1")]).await?;
    let ready = source(&it, &json!({})).await?;
    let path = ready["status"]["artifact"]["path"].as_str().context("a path")?.to_owned();
    let file = it.world.storage().join(path);
    std::fs::write(&file, "something else")?;
    let again = it.request(GIT, "fleet").await?;
    ensure!(served(&again).await?["a"] == "1");
    let event = it.event(GIT, "fleet", "failed to verify integrity of artifact").await?;
    ensure!(event.reason == "ArtifactVerificationFailed" && event.kind == "Warning", "{event:?}");
    std::fs::remove_file(&file)?;
    let again = it.request(GIT, "fleet").await?;
    ensure!(served(&again).await?["a"] == "1");
    Ok(())
}

async fn ignore_rules_and_sparse_checkout_choose(it: Tenant) -> Result<()> {
    let files = [
        ("app/x", "1"),
        ("app/.sourceignore", "drop\n"),
        ("app/drop", "2"),
        ("apple/y", "3"),
        ("other/z", "4"),
    ];
    let repository = it.files(files).await?;
    let head = repository.head("main").await?.context("a head")?;
    let ready = source(&it, &json!({"sparseCheckout": ["./app"]})).await?;
    let found = served(&ready).await?;
    ensure!(names(&found) == ["app/.sourceignore", "app/x", "apple/y"], "{found:?}");
    let spec = json!({"spec": {"sparseCheckout": null, "ignore": "/*\n!/other\n"}});
    it.patch((GIT, "fleet"), &spec).await?;
    let ready = at(&it, &format!("main@sha1:{head}")).await?;
    ensure!(ready["status"]["observedIgnore"] == "/*\n!/other\n", "{ready}");
    ensure!(ready["status"]["observedSparseCheckout"].is_null(), "{ready}");
    let found = served(&ready).await?;
    ensure!(names(&found) == ["other/z"], "{found:?}");
    it.patch((GIT, "fleet"), &json!({"spec": {"sparseCheckout": ["nope"]}})).await?;
    let why = it.failing(GIT, "fleet", "GitOperationFailed").await?;
    ensure!(why.starts_with("failed to sparse checkout directories : "), "{why}");
    Ok(())
}

async fn includes_are_put_in_and_followed(it: Tenant) -> Result<()> {
    it.files([("a", "1")]).await?;
    let name = format!("{}-other", it.namespace);
    let other = it.world.git.create(&name, "main", [("x/b", "2"), ("c", "3")]).await?;
    let include = json!({"repository": {"name": "other"}, "fromPath": "x", "toPath": "lib/y"});
    it.create(&it.git_repository(&json!({"include": [include]}))).await?;
    it.failing(GIT, "fleet", "NotFound").await?;
    let mut included = it.git_repository(&json!({"url": it.world.git.repository_url(&name)}));
    included["metadata"]["name"] = json!("other");
    it.create(&included).await?;
    let ready = it.ready(GIT, "fleet").await?;
    let found = served(&ready).await?;
    ensure!(names(&found) == ["a", "lib/y/b"], "{found:?}");
    // A new artifact of the included one is followed without being asked.
    other.commit("main", [("x/b", "22")], "more").await?;
    let before = ready["status"]["artifact"]["digest"].clone();
    it.request(GIT, "other").await?;
    let followed = |it: &Value| it["status"]["artifact"]["digest"] != before;
    let ready = it.wait((GIT, "fleet"), "the include is followed", followed).await?;
    ensure!(served(&ready).await?["lib/y/b"] == "22");
    let again = json!({"repository": {"name": "other"}, "toPath": "a"});
    it.patch((GIT, "fleet"), &json!({"spec": {"include": [again]}})).await?;
    let why = it.failing(GIT, "fleet", "CopyFailure").await?;
    ensure!(why.starts_with("failed to copy 'other' include from  to a: "), "{why}");
    Ok(())
}

async fn submodules_are_part_of_it_on_request(it: Tenant) -> Result<()> {
    let lib = it.world.git.create(&format!("{}-lib", it.namespace), "main", [("l", "1")]).await?;
    let id = lib.head("main").await?.context("a head")?;
    let modules =
        format!("[submodule \"x\"]\n\tpath = sub/lib\n\turl = ../{}-lib.git\n", it.namespace);
    let files = [
        ("a", Content::from("1")),
        (".gitmodules", modules.into()),
        ("sub/lib", Content::Submodule(id)),
    ];
    let repository = it.files(files).await?;
    let head = repository.head("main").await?.context("a head")?;
    let ready = source(&it, &json!({})).await?;
    ensure!(names(&served(&ready).await?) == ["a"]);
    it.patch((GIT, "fleet"), &json!({"spec": {"recurseSubmodules": true}})).await?;
    let ready = at(&it, &format!("main@sha1:{head}")).await?;
    ensure!(names(&served(&ready).await?) == ["a", "sub/lib/l"]);
    ensure!(ready["status"]["observedRecurseSubmodules"] == true, "{ready}");
    Ok(())
}

async fn links_within_the_tree_are_kept_on_request(it: Tenant) -> Result<()> {
    let files = [
        ("a/b", Content::from("1")),
        ("a/near", Content::Symlink("b".into())),
        ("a/out", Content::Symlink("../../x".into())),
        ("abs", Content::Symlink("/etc/passwd".into())),
    ];
    it.files(files).await?;
    let ready = source(&it, &json!({})).await?;
    ensure!(names(&served(&ready).await?) == ["a/b"]);
    let before = ready["status"]["artifact"]["digest"].clone();
    let annotation =
        json!({"metadata": {"annotations": {"source.sluice.dev/symlinks": "enabled"}}});
    it.patch((GIT, "fleet"), &annotation).await?;
    it.request(GIT, "fleet").await?;
    let changed = |it: &Value| it["status"]["artifact"]["digest"] != before;
    let ready = it.wait((GIT, "fleet"), "the links are kept", changed).await?;
    let found = served(&ready).await?;
    ensure!(names(&found) == ["a/b", "a/near"] && found["a/near"] == "-> b", "{found:?}");
    Ok(())
}

async fn files_of_git_lfs_are_fetched_on_request(it: Tenant) -> Result<()> {
    let pointer = |content: &str| {
        let (oid, size) = (sha256(content.as_bytes()), content.len());
        format!("version https://git-lfs.github.com/spec/v1\noid {oid}\nsize {size}\n")
    };
    let offer = |of: &str, content: &str| {
        let oid = sha256(of.as_bytes());
        it.world.git.set_large(oid.trim_start_matches("sha256:"), content.to_owned());
    };
    let large = format!("large files of {} may be long", it.namespace);
    let files = [("a", "1"), ("large", &pointer(&large)), ("left/out", &pointer("nowhere"))];
    let repository = it.files(files).await?;
    let ready = source(&it, &json!({"ignore": "left/"})).await?;
    ensure!(served(&ready).await?["large"] == pointer(&large), "as upstream has it");
    let annotation = json!({"metadata": {"annotations": {"source.sluice.dev/lfs": "enabled"}}});
    it.patch((GIT, "fleet"), &annotation).await?;
    it.request(GIT, "fleet").await?;
    let why = it.failing(GIT, "fleet", "GitOperationFailed").await?;
    let want = "failed to fetch files of Git LFS: file '";
    ensure!(why.starts_with(want) && why.ends_with("Object does not exist"), "{why}");
    let failed = it.get((GIT, "fleet")).await.context("it is there")?;
    ensure!(failed["status"]["artifact"] == ready["status"]["artifact"], "{failed}");
    // What is sent must be what the pointer says.
    offer(&large, &large.replace("long", "LONG"));
    it.request(GIT, "fleet").await?;
    let told = |it: &Value| {
        let message = condition(it, "Ready")["message"].as_str().unwrap_or_default().to_owned();
        message.ends_with("of Git LFS is not what its pointer says")
    };
    it.wait((GIT, "fleet"), "another file is refused", told).await?;
    offer(&large, &large);
    it.request(GIT, "fleet").await?;
    let before = ready["status"]["artifact"]["digest"].clone();
    let changed = |it: &Value| it["status"]["artifact"]["digest"] != before;
    let ready = it.wait((GIT, "fleet"), "the file is there", changed).await?;
    let found = served(&ready).await?;
    ensure!(names(&found) == ["a", "large"] && found["large"] == large, "{found:?}");
    ensure!(repository.head("main").await?.is_some());
    Ok(())
}

async fn a_failure_keeps_the_artifact(it: Tenant) -> Result<()> {
    it.files([("a", "1")]).await?;
    let before = source(&it, &json!({})).await?;
    it.patch((GIT, "fleet"), &json!({"spec": {"ref": {"branch": "nope"}}})).await?;
    it.failing(GIT, "fleet", "GitOperationFailed").await?;
    let failed = it.get((GIT, "fleet")).await.context("it is there")?;
    ensure!(failed["status"]["artifact"] == before["status"]["artifact"], "{failed}");
    ensure!(served(&failed).await?["a"] == "1");
    it.patch((GIT, "fleet"), &json!({"spec": {"ref": {"branch": "main"}}})).await?;
    it.ready(GIT, "fleet").await?;
    let event = it.event(GIT, "fleet", "stored artifact for commit 'main@sha1:").await?;
    ensure!(event.reason == "Succeeded", "{event:?}");
    Ok(())
}

async fn a_deleted_source_leaves_nothing(it: Tenant) -> Result<()> {
    it.files([("a", "1")]).await?;
    let ready = source(&it, &json!({})).await?;
    let path = ready["status"]["artifact"]["path"].as_str().context("a path")?.to_owned();
    let folder = it.world.storage().join(path).parent().context("a folder")?.to_owned();
    ensure!(folder.exists());
    it.delete((GIT, "fleet")).await?;
    let gone = || async { it.get((GIT, "fleet")).await.is_none() };
    it.world.objects.eventually("the object is gone", gone).await?;
    ensure!(!folder.exists(), "{} is left", folder.display());
    Ok(())
}

/// A commit on `main` that is signed with an SSH key.
fn signed(repository: &Repository, key: &std::path::Path, message: &str) -> Result<String> {
    let git = |arguments: &[&str]| -> Result<String> {
        let mut command = Command::new("git");
        command.arg("--git-dir").arg(repository.path());
        command.args(["-c", "gpg.format=ssh", "-c", "user.name=bot", "-c", "user.email=b@e.x"]);
        command.arg("-c").arg(format!("user.signingKey={}", key.display())).args(arguments);
        let output = command.output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    };
    let commit = git(&["commit-tree", "-S", "main^{tree}", "-p", "main", "-m", message])?;
    git(&["update-ref", "refs/heads/main", &commit])?;
    Ok(commit)
}

async fn signatures_decide_what_becomes_an_artifact(it: Tenant) -> Result<()> {
    if !ssh::available() {
        skipped("signatures_decide_what_becomes_an_artifact", "ssh-keygen");
        return Ok(());
    }
    let repository = it.files([("a", "1")]).await?;
    let folder = tempfile::tempdir()?;
    let key = folder.path().join("key");
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key);
    ensure!(keygen.output()?.status.success());
    let public = std::fs::read_to_string(key.with_extension("pub"))?;
    it.secret("keys", &[("bot.sshpub", &public)]).await?;
    let verify = json!({"verify": {"mode": "HEAD", "secretRef": {"name": "keys"}}});
    it.create(&it.git_repository(&verify)).await?;
    let why = it.failing(GIT, "fleet", "InvalidCommitSignature").await?;
    ensure!(why.contains("the provided signature is empty"), "{why}");
    let unsigned = it.get((GIT, "fleet")).await.context("it is there")?;
    ensure!(unsigned["status"]["artifact"].is_null(), "{unsigned}");
    let commit = signed(&repository, &key, "trusted")?;
    it.request(GIT, "fleet").await?;
    let ready = it.ready(GIT, "fleet").await?;
    let verified = condition(&ready, "SourceVerified");
    let message = format!("verified signature of\n\t- commit '{commit}' with key 'SHA256:");
    ensure!(verified["message"].as_str().is_some_and(|it| it.starts_with(&message)), "{verified}");
    ensure!(ready["status"]["sourceVerificationMode"] == "HEAD", "{ready}");
    // Tags cannot be verified on a branch: that is for the user to change.
    it.patch((GIT, "fleet"), &json!({"spec": {"verify": {"mode": "Tag"}}})).await?;
    it.failing(GIT, "fleet", "InvalidVerificationMode").await?;
    let stalled = it.get((GIT, "fleet")).await.context("it is there")?;
    ensure!(condition(&stalled, "Stalled")["reason"] == "InvalidVerificationMode", "{stalled}");
    it.patch((GIT, "fleet"), &json!({"spec": {"verify": null}})).await?;
    let ready = it.ready(GIT, "fleet").await?;
    ensure!(condition(&ready, "SourceVerified").is_null(), "{ready}");
    ensure!(ready["status"]["sourceVerificationMode"].is_null(), "{ready}");
    Ok(())
}
