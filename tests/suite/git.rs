//! ImageUpdateAutomation and the Git servers it meets: credentials, faults, races, signatures.

use std::{
    path::Path,
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use controller::clock::{self, Clock as _};
use scenarios::{Options, Tenant, World, skipped};
use serde_json::{Value, json};
use world::{
    git::{self, Fault, Repository},
    proxy::{Kind, Proxy},
    ssh::{self, KeyType},
};

use crate::{
    automation::{AUTOMATION, fleet, landed, no_warnings, pushed, read},
    gpg::Gpg,
};

const PASSWORD: &str = "pa55-of-git";
const WRONG: &str = "wr0ng-password";

async fn special(git: git::Options) -> Result<Tenant> {
    let world = World::with(Options { git, ..Options::default() }).await?;
    Arc::new(world).tenant("apps").await
}

/// A fleet with one marker and a newer image, but no automation yet.
async fn outdated(it: &Tenant) -> Result<Repository> {
    fleet(it, [("a.yaml", it.line("1.0.0").as_str())], &["1.0.0", "1.1.0"]).await
}

/// The automation fails without a Secret and with a wrong one, and works with the right one.
async fn logs_in(it: &Tenant, wrong: &[(&str, &str)], right: &[(&str, &str)]) -> Result<()> {
    let repository = outdated(it).await?;
    it.secret("wrong", wrong).await?;
    it.secret("right", right).await?;
    it.create(&it.automation("fleet", &json!({}))).await?;
    it.failing(AUTOMATION, "fleet", "GitOperationFailed").await?;
    use_secret(it, "wrong").await?;
    let why = it.failing(AUTOMATION, "fleet", "GitOperationFailed").await?;
    ensure!(why.starts_with("failed to checkout source: "), "{why}");
    use_secret(it, "right").await?;
    landed(it, (&repository, "main", "a.yaml"), ":1.1.0").await?;
    it.ready(AUTOMATION, "fleet").await?;
    let said = it.everything_said().await?;
    ensure!(!said.contains(PASSWORD) && !said.contains(WRONG), "{said}");
    ensure!(!said.contains("PRIVATE KEY"), "{said}");
    Ok(())
}

async fn use_secret(it: &Tenant, name: &str) -> Result<()> {
    let secret = json!({"spec": {"secretRef": {"name": name}}});
    it.patch(("GitRepository", "fleet"), &secret).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn user_and_password_log_in_over_https() -> Result<()> {
    let basic = Some(("user".to_owned(), PASSWORD.to_owned()));
    let tls = Some(git::Tls::default());
    let it = special(git::Options { basic, tls, ..Default::default() }).await?;
    let ca = it.world.git.ca_pem().context("it speaks TLS")?.to_owned();
    let with = |password| [("username", "user"), ("password", password), ("ca.crt", &*ca)];
    logs_in(&it, &with(WRONG), &with(PASSWORD)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bearer_token_logs_in() -> Result<()> {
    let bearer = Some(PASSWORD.to_owned());
    let it = special(git::Options { bearer, ..Default::default() }).await?;
    logs_in(&it, &[("bearerToken", WRONG)], &[("bearerToken", PASSWORD)]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_certificate_is_shown() -> Result<()> {
    let tls = Some(git::Tls { client_certificate: true, expired: false });
    let it = special(git::Options { tls, ..Default::default() }).await?;
    let ca = it.world.git.ca_pem().context("it speaks TLS")?.to_owned();
    let client = it.world.git.client_identity().context("it asks for one")?.clone();
    let (certificate, key) = (client.certificate_pem.as_str(), client.key_pem.as_str());
    let all = [("ca.crt", &*ca), ("tls.crt", certificate), ("tls.key", key)];
    logs_in(&it, &[("ca.crt", &ca)], &all).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_certificate_is_refused() -> Result<()> {
    let tls = Some(git::Tls { client_certificate: false, expired: true });
    let it = special(git::Options { tls, ..Default::default() }).await?;
    outdated(&it).await?;
    let ca = it.world.git.ca_pem().context("it speaks TLS")?.to_owned();
    it.secret("ca", &[("ca.crt", &ca)]).await?;
    use_secret(&it, "ca").await?;
    it.create(&it.automation("fleet", &json!({}))).await?;
    let why = it.failing(AUTOMATION, "fleet", "GitOperationFailed").await?;
    ensure!(why.contains("expired"), "{why}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxies_with_credentials_are_used() -> Result<()> {
    for (kind, scheme, host) in
        [(Kind::Http, "http", "git.example"), (Kind::Socks5, "socks5", "git.example")]
    {
        let it = crate::alone("apps").await?;
        let repository = outdated(&it).await?;
        let proxy = Proxy::start(kind, Some(("user", PASSWORD))).await?;
        let address = format!("{scheme}://{}", proxy.host());
        let with =
            |password| [("address", &*address), ("username", "user"), ("password", password)];
        it.secret("wrong", &with(WRONG)).await?;
        it.secret("right", &with(PASSWORD)).await?;
        // Only the proxy knows where git.example is.
        let url = it.world.git.repository_url(&it.repository_name());
        let url = url.replace("127.0.0.1", host);
        let through =
            |secret: &str| json!({"spec": {"url": url, "proxySecretRef": {"name": secret}}});
        it.patch(("GitRepository", "fleet"), &through("wrong")).await?;
        it.create(&it.automation("fleet", &json!({}))).await?;
        let why = it.failing(AUTOMATION, "fleet", "GitOperationFailed").await?;
        ensure!(proxy.refused() > 0 && proxy.targets().is_empty(), "{why}");
        it.patch(("GitRepository", "fleet"), &through("right")).await?;
        landed(&it, (&repository, "main", "a.yaml"), ":1.1.0").await?;
        it.ready(AUTOMATION, "fleet").await?;
        let targets = proxy.targets();
        ensure!(targets.iter().all(|target| target.starts_with(host)), "{targets:?}");
        let said = it.everything_said().await?;
        ensure!(!said.contains(PASSWORD) && !said.contains(WRONG), "{said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_logs_in_over_ssh_and_the_host_must_be_known() -> Result<()> {
    if !ssh::available() {
        skipped("automation over SSH", "sshd");
        return Ok(());
    }
    let it = crate::alone("apps").await?;
    let repository = outdated(&it).await?;
    let server = ssh::Server::start(it.world.git.dir(), ssh::Options::default()).await?;
    let key = server.client_key(KeyType::Ed25519, Some(PASSWORD)).await?;
    let (known, stranger) = (server.known_hosts()?, server.stranger_key(KeyType::Ed25519).await?);
    let other = ssh::Server::start(it.world.git.dir(), ssh::Options::default()).await?;
    let port = |of: &ssh::Server| format!("]:{} ", of.port());
    let changed = other.known_hosts()?.replace(&port(&other), &port(&server));
    let with = |key, known| [("identity", key), ("known_hosts", known), ("password", PASSWORD)];
    it.secret("stranger", &with(&stranger, &known)[..2]).await?;
    it.secret("changed", &with(&key, &changed)).await?;
    it.secret("right", &with(&key, &known)).await?;
    let url = server.repository_url(&it.repository_name());
    it.patch(("GitRepository", "fleet"), &json!({"spec": {"url": url}})).await?;
    it.create(&it.automation("fleet", &json!({}))).await?;
    let why = it.failing(AUTOMATION, "fleet", "SourceManagerFailed").await?;
    ensure!(why.contains("'identity' is required"), "{why}");
    for (secret, part) in [("stranger", "unable to authenticate"), ("changed", "knownhosts")] {
        use_secret(&it, secret).await?;
        let denied = |it: &Value| {
            scenarios::condition(it, "Ready")["message"]
                .as_str()
                .is_some_and(|message| message.contains(part))
        };
        it.wait((AUTOMATION, "fleet"), part, denied).await?;
    }
    use_secret(&it, "right").await?;
    landed(&it, (&repository, "main", "a.yaml"), ":1.1.0").await?;
    it.ready(AUTOMATION, "fleet").await?;
    let said = it.everything_said().await?;
    ensure!(!said.contains(PASSWORD) && !said.contains("PRIVATE KEY"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_misbehaves_is_told_and_tried_again() -> Result<()> {
    let it = crate::alone("apps").await?;
    let repository = outdated(&it).await?;
    it.create(&it.automation("fleet", &json!({}))).await?;
    pushed(&it, "fleet").await?;
    for (round, fault) in
        [Fault::Status(503), Fault::Html, Fault::Truncate(40)].into_iter().enumerate()
    {
        it.world.git.set_fault(Some(fault));
        let tag = format!("1.2.{round}");
        it.release(&tag).await?;
        let why = it.failing(AUTOMATION, "fleet", "GitOperationFailed").await?;
        it.event(AUTOMATION, "fleet", &why).await?;
        it.world.git.set_fault(None);
        landed(&it, (&repository, "main", "a.yaml"), &format!(":{tag} ")).await?;
        it.ready(AUTOMATION, "fleet").await?;
    }
    assert_eq!(repository.log("main").await?.len(), 5);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_whose_answer_is_lost_is_made_once() -> Result<()> {
    let it = crate::alone("apps").await?;
    let repository = outdated(&it).await?;
    it.create(&it.automation("fleet", &json!({}))).await?;
    pushed(&it, "fleet").await?;
    // Git takes the push and does its work, but nobody hears of it.
    let world = Arc::clone(&it.world);
    let once = AtomicBool::new(true);
    it.world.git.before_push(move |_| {
        if once.swap(false, Ordering::SeqCst) {
            world.git.cut_next_answer(3);
        }
    });
    it.release("1.2.0").await?;
    landed(&it, (&repository, "main", "a.yaml"), ":1.2.0").await?;
    let head = repository.head("main").await?;
    let known = |it: &Value| {
        json!(head) == it["status"]["lastPushCommit"] && it["status"]["lastPushTime"].is_string()
    };
    it.wait((AUTOMATION, "fleet"), "the commit is found again", known).await?;
    it.ready(AUTOMATION, "fleet").await?;
    assert_eq!(repository.log("main").await?.len(), 3);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_push_race_lands_on_the_new_head() -> Result<()> {
    let it = crate::alone("apps").await?;
    let repository = outdated(&it).await?;
    let (line, races) = (it.line("1.0.0"), AtomicBool::new(true));
    let (rival, runtime) = (repository.clone(), tokio::runtime::Handle::current());
    it.world.git.before_push(move |_| {
        if races.swap(false, Ordering::SeqCst) {
            let commit = rival.commit("main", [("b.yaml", line.as_str())], "faster");
            runtime.block_on(commit).expect("another writer commits");
        }
    });
    it.create(&it.automation("fleet", &json!({}))).await?;
    pushed(&it, "fleet").await?;
    for path in ["a.yaml", "b.yaml"] {
        ensure!(read(&repository, "main", path).await?.contains(":1.1.0 "), "{path}");
    }
    let messages: Vec<String> =
        repository.log("main").await?.into_iter().map(|entry| entry.message).collect();
    assert_eq!(messages, ["Update from image update automation", "faster", "init"]);
    no_warnings(&it, "fleet").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_push_is_told_and_tried_again() -> Result<()> {
    let it = crate::alone("apps").await?;
    let repository = outdated(&it).await?;
    repository.install_hook("pre-receive", "#!/bin/sh\necho not today >&2\nexit 1\n").await?;
    it.create(&it.automation("fleet", &json!({}))).await?;
    let why = it.failing(AUTOMATION, "fleet", "GitOperationFailed").await?;
    ensure!(why.contains("pre-receive hook declined"), "{why}");
    let automation = it.get((AUTOMATION, "fleet")).await.unwrap_or_default();
    assert_eq!(automation["status"]["lastPushTime"], Value::Null);
    repository.install_hook("pre-receive", "#!/bin/sh\nexit 0\n").await?;
    landed(&it, (&repository, "main", "a.yaml"), ":1.1.0").await
}

/// A world whose time is advanced by the test.
async fn timed() -> Result<(clock::Manual, Tenant)> {
    let clock = clock::Manual::new(jiff::Timestamp::now());
    let world =
        World::with(Options { clock: Arc::new(clock.clone()), ..Options::default() }).await?;
    Ok((clock, Arc::new(world).tenant("apps").await?))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_new_costs_one_look_at_the_references() -> Result<()> {
    let it = crate::alone("apps").await?;
    outdated(&it).await?;
    it.create(&it.automation("fleet", &json!({}))).await?;
    pushed(&it, "fleet").await?;
    it.request(AUTOMATION, "fleet").await?;
    let before = it.world.git.counts();
    for _ in 0..3 {
        it.request(AUTOMATION, "fleet").await?;
    }
    let after = it.world.git.counts();
    assert_eq!((after.fetches, after.pushes), (before.fetches, before.pushes));
    assert_eq!(after.ls_refs, before.ls_refs + 3);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_of_somebody_else_waits_for_the_interval() -> Result<()> {
    let (clock, it) = timed().await?;
    let repository = outdated(&it).await?;
    it.create(&it.automation("fleet", &json!({"interval": "10m"}))).await?;
    pushed(&it, "fleet").await?;
    // Whatever woke it so far has its run before or in this one.
    let run = it.request(AUTOMATION, "fleet").await?["status"]["lastAutomationRunTime"].clone();
    let run: jiff::Timestamp = run.as_str().context("a time")?.parse()?;
    repository.commit("main", [("b.yaml", it.line("1.0.0").as_str())], "more").await?;
    while !read(&repository, "main", "b.yaml").await?.contains(":1.1.0 ") {
        clock.advance(Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let waited = clock.now().duration_since(run).as_secs();
    ensure!(waited >= 600, "updated after {waited} s");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_flag_keeps_sources_in_their_namespace() -> Result<()> {
    let flags = |setup: &mut sluice::controllers::Setup| {
        setup.automation.no_cross_namespace_refs = true;
    };
    let world = Arc::new(World::with(Options { flags, ..Options::default() }).await?);
    let (host, guest) = (world.tenant("host").await?, world.tenant("guest").await?);
    host.create(&host.git_repository(&json!({}))).await?;
    let source = json!({"sourceRef": {"namespace": "host"}});
    guest.create(&guest.automation("fleet", &source)).await?;
    let why = guest.failing(AUTOMATION, "fleet", "AccessDenied").await?;
    ensure!(why.contains("cross-namespace references have been blocked"), "{why}");
    Ok(())
}

fn run(command: &mut Command) -> Result<Output> {
    let output = command.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(output)
}

/// Whether a program is installed; says so if it is not.
fn has(program: &str, needed_for: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        skipped(needed_for, program);
    }
    found
}

/// What git says of the signature of the newest commit.
fn verify(repository: &Path, settings: &[String], home: &Path) -> Result<String> {
    let mut command = Command::new("git");
    command.arg("--git-dir").arg(repository).env("GNUPGHOME", home);
    for setting in settings {
        command.args(["-c", setting]);
    }
    command.args(["-c", "safe.directory=*", "verify-commit", "-v", "main"]);
    Ok(String::from_utf8_lossy(&run(&mut command)?.stderr).into_owned())
}

fn signed_by(secret: &str) -> Value {
    json!({"git": {"commit": {"signingKey": {"secretRef": {"name": secret}}}}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gpg_verifies_signed_commits() -> Result<()> {
    if !has("gpg", "OpenPGP signatures") {
        return Ok(());
    }
    let it = crate::alone("apps").await?;
    let repository = outdated(&it).await?;
    let gpg = Gpg::new()?;
    let key = gpg.key("bot <bot@example.com>", PASSWORD)?;
    let other = gpg.key("other <other@example.com>", "")?;
    it.secret("locked", &[("git.asc", &key)]).await?;
    it.secret("wrong", &[("git.asc", &key), ("passphrase", WRONG)]).await?;
    it.secret("two", &[("git.asc", &format!("{key}\n{other}"))]).await?;
    it.secret("right", &[("git.asc", &key), ("passphrase", PASSWORD)]).await?;
    it.create(&it.automation("fleet", &signed_by("absent"))).await?;
    for name in ["absent", "locked", "wrong", "two"] {
        it.patch((AUTOMATION, "fleet"), &json!({"spec": signed_by(name)})).await?;
        let why = it.failing(AUTOMATION, "fleet", "SourceManagerFailed").await?;
        ensure!(why.contains(name), "{why}");
    }
    it.patch((AUTOMATION, "fleet"), &json!({"spec": signed_by("right")})).await?;
    pushed(&it, "fleet").await?;
    let said = verify(repository.path(), &[], gpg.0.path())?;
    ensure!(said.contains("Good signature from \"bot <bot@example.com>\""), "{said}");
    let said = it.everything_said().await?;
    ensure!(!said.contains(PASSWORD) && !said.contains(WRONG), "{said}");
    ensure!(!said.contains("PRIVATE KEY"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn git_verifies_commits_signed_with_ssh() -> Result<()> {
    if !ssh::available() {
        skipped("SSH signatures", "ssh-keygen");
        return Ok(());
    }
    let it = crate::alone("apps").await?;
    let repository = outdated(&it).await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("key");
    let mut keygen = Command::new("ssh-keygen");
    run(keygen.args(["-q", "-t", "ed25519", "-a", "1", "-N", PASSWORD, "-f"]).arg(&file))?;
    let key = std::fs::read_to_string(&file)?;
    it.secret("signing", &[("identity", &key), ("password", PASSWORD)]).await?;
    it.create(&it.automation("fleet", &signed_by("signing"))).await?;
    pushed(&it, "fleet").await?;
    let public = std::fs::read_to_string(file.with_extension("pub"))?;
    let allowed = folder.path().join("allowed");
    std::fs::write(&allowed, format!("bot@example.com namespaces=\"git\" {public}"))?;
    let allowed = format!("gpg.ssh.allowedSignersFile={}", allowed.display());
    let settings = ["gpg.format=ssh".to_owned(), allowed];
    let said = verify(repository.path(), &settings, folder.path())?;
    ensure!(said.contains("Good \"git\" signature for bot@example.com"), "{said}");
    Ok(())
}
