//! A process that is killed at any moment loses nothing and does nothing twice.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result, ensure};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tokio::process::Child;
use world::{git, registry};

use crate::process::{Process, kills, seed, text};

const IMAGE: &str = "image.toolkit.fluxcd.io/v1";

/// The objects that are there, as kind and name.
const OBJECTS: [(&str, &str); 3] =
    [("ImageRepository", "app"), ("ImagePolicy", "app"), ("ImageUpdateAutomation", "fleet")];

/// `sluice up` on a folder, a registry and a Git server that outlive it.
struct Victim {
    process: Process,
    registry: registry::Server,
    git: git::Server,
    repository: git::Repository,
    published: u32,
}

impl Victim {
    async fn new() -> Result<Self> {
        let process = Process::new()?;
        let (registry, git) =
            (registry::Server::start().await?, git::Server::start(git::Options::default()).await?);
        registry.publish("app", "1.0.0");
        let line =
            format!("image: {} # {{\"$imagepolicy\": \"apps:app\"}}\n", tagged(&registry, 0));
        let repository = git.create("fleet", "main", [("a.yaml", line.as_str())]).await?;
        let manifests: Vec<String> =
            manifests(&registry, &git).iter().map(ToString::to_string).collect();
        std::fs::write(process.path("objects.yaml"), manifests.join("\n---\n"))?;
        Ok(Self { process, registry, git, repository, published: 0 })
    }

    fn publish(&mut self) {
        self.published += 1;
        self.registry.publish("app", &format!("1.{}.0", self.published));
    }

    /// Waits until the newest tag is committed and the automation knows.
    async fn settles(&self) -> Result<Value> {
        let objects = self.process.objects()?;
        let wanted = tagged(&self.registry, self.published);
        let settled = || async {
            let text = self.repository.read_file("main", "a.yaml").await.ok().flatten();
            let there = text.is_some_and(|it| String::from_utf8_lossy(&it).contains(&wanted));
            let head = self.repository.head("main").await.ok().flatten();
            let it = objects.get(IMAGE, "ImageUpdateAutomation", "apps", "fleet").await;
            let status = it.unwrap_or_default()["status"].clone();
            let told = self.published == 0 || json!(head) == status["lastPushCommit"];
            there && told && status["lastPushTime"].is_string() == (self.published > 0)
        };
        let what = format!("{wanted} is committed");
        objects.eventually(&what, settled).await.with_context(|| self.process.log())?;
        let it = objects.get(IMAGE, "ImageUpdateAutomation", "apps", "fleet").await;
        it.context("the automation is there")
    }

    /// The objects by kind: uid and finalizers.
    async fn identities(&self) -> Result<BTreeMap<&'static str, (Value, Value)>> {
        let objects = self.process.objects()?;
        let mut all = BTreeMap::new();
        for (kind, name) in OBJECTS {
            let it = objects.get(IMAGE, kind, "apps", name).await;
            let it = it.with_context(|| format!("{kind}/{name} is lost"))?;
            let metadata = &it["metadata"];
            all.insert(kind, (metadata["uid"].clone(), metadata["finalizers"].clone()));
        }
        Ok(all)
    }

    /// The history is one line of commits, each of which brings a newer tag.
    async fn history_is_straight(&self) -> Result<usize> {
        let merges = self.repository.git(["rev-list", "--min-parents=2", "main"]).await?;
        ensure!(merges.is_empty(), "merges: {merges}");
        let commits = self.repository.git(["rev-list", "--reverse", "main"]).await?;
        let mut last = None;
        for commit in commits.lines() {
            let text = self.repository.read_file(commit, "a.yaml").await?.context("a.yaml")?;
            let text = String::from_utf8(text)?;
            let minor = text.split(":1.").nth(1).and_then(|rest| rest.split('.').next());
            let minor: u32 = minor.with_context(|| format!("a tag in {text}"))?.parse()?;
            ensure!(last < Some(minor), "{commit} goes from {last:?} to {minor}");
            last = Some(minor);
        }
        ensure!(last <= Some(self.published), "there is no tag 1.{last:?}.0");
        Ok(commits.lines().count())
    }
}

fn tagged(registry: &registry::Server, minor: u32) -> String {
    format!("{}:1.{minor}.0", registry.image("app"))
}

fn manifests(registry: &registry::Server, git: &git::Server) -> [Value; 5] {
    let of = |kind: &str, name: &str, spec: Value| {
        json!({
            "apiVersion": IMAGE, "kind": kind,
            "metadata": {"name": name, "namespace": "apps"}, "spec": spec,
        })
    };
    let image = registry.image("app");
    [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "apps"}}),
        of("ImageRepository", "app", json!({"image": image, "insecure": true, "interval": "1s"})),
        of(
            "ImagePolicy",
            "app",
            json!({"imageRepositoryRef": {"name": "app"}, "policy": {"semver": {"range": "1.x"}}}),
        ),
        json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
            "metadata": {"name": "fleet", "namespace": "apps"},
            "spec": {"url": git.repository_url("fleet"), "interval": "1h", "ref": {"branch": "main"}},
        }),
        of(
            "ImageUpdateAutomation",
            "fleet",
            json!({
                "sourceRef": {"kind": "GitRepository", "name": "fleet"}, "interval": "1h",
                "git": {"commit": {"author": {"email": "bot@example.com"}}},
                "update": {"strategy": "Setters"},
            }),
        ),
    ]
}

/// The first run, in which nobody is killed: everything is applied and ready.
async fn begun(victim: &mut Victim) -> Result<BTreeMap<&'static str, (Value, Value)>> {
    let manifests = victim.process.path("objects.yaml");
    victim.process.spawn(&["-f", text(&manifests)?])?;
    let objects = victim.process.answers().await?;
    let ready = || async {
        let it = objects.get(IMAGE, "ImageUpdateAutomation", "apps", "fleet").await;
        let it = it.unwrap_or_default();
        let seen = it["status"]["observedPolicies"].is_object();
        seen && scenarios::condition(&it, "Ready")["status"] == "True"
    };
    objects
        .eventually("the automation is ready", ready)
        .await
        .with_context(|| victim.process.log())?;
    victim.identities().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_loses_nothing_and_doubles_nothing() -> Result<()> {
    let mut random = StdRng::seed_from_u64(seed());
    let mut victim = Victim::new().await?;
    let identities = begun(&mut victim).await?;
    for _ in 0..kills(5) {
        victim.publish();
        // From before the scan to after the push, and now and then in the middle of a start.
        tokio::time::sleep(Duration::from_millis(random.random_range(0..1800))).await;
        victim.process.kill().await?;
        victim.history_is_straight().await?;
        victim.process.spawn(&[])?;
        while random.random_bool(0.3) {
            tokio::time::sleep(Duration::from_millis(random.random_range(0..600))).await;
            victim.process.kill().await?;
            victim.process.spawn(&[])?;
        }
        victim.process.answers().await?;
        assert_eq!(victim.identities().await?, identities, "{}", victim.process.log());
    }
    victim.publish();
    let automation = victim.settles().await?;
    assert_eq!(victim.identities().await?, identities);
    let tag = format!("1.{}.0", victim.published);
    assert_eq!(automation["status"]["observedPolicies"]["app"]["tag"], tag);
    // Not earlier: of a repository that a push is on its way to, fsck may see one half.
    victim.repository.git(["fsck", "--strict"]).await?;
    let commits = victim.history_is_straight().await?;
    ensure!(commits > 1, "nothing was committed");
    ensure!(victim.git.counts().pushes + 1 >= commits, "more commits than pushes");
    Ok(())
}

/// Publishes a tag, and has the process killed while the server runs the hook of that name.
async fn killed_in(victim: &mut Victim, hook: &str) -> Result<()> {
    let id = victim.process.child.as_ref().and_then(Child::id).context("it runs")?.to_string();
    victim.repository.install_hook(hook, &format!("#!/bin/sh\nkill -9 {id}\n")).await?;
    victim.publish();
    let mut child = victim.process.child.take().context("it runs")?;
    let ended = tokio::time::timeout(Duration::from_mins(1), child.wait()).await;
    ended.with_context(|| format!("nothing was pushed: {}", victim.process.log()))??;
    victim.repository.install_hook(hook, "#!/bin/sh\n").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_while_it_pushes_finds_its_commit_again() -> Result<()> {
    let mut random = StdRng::seed_from_u64(seed());
    let mut victim = Victim::new().await?;
    let identities = begun(&mut victim).await?;
    let mut lost = 0;
    for round in 1..=kills(2) {
        // After the branch has moved, and the process will never know; or just before.
        let before = round > 1 && random.random_bool(0.5);
        lost += usize::from(before);
        killed_in(&mut victim, if before { "pre-receive" } else { "post-receive" }).await?;
        victim.process.spawn(&[])?;
        let objects = victim.process.answers().await?;
        victim.settles().await?;
        assert_eq!(victim.identities().await?, identities);
        assert_eq!(victim.history_is_straight().await?, round + 1);
        let pushes = victim.git.counts().pushes;
        ensure!((round..=round + lost).contains(&pushes), "{pushes} pushes of {round} commits");
        let head = victim.repository.head("main").await?.context("main is there")?;
        let told = || async {
            let events = objects.list("v1", "Event", "apps").await.unwrap_or_default();
            let message = format!("pushed commit '{}' to branch 'main'", &head[..7]);
            let about =
                |it: &&Value| it["message"].as_str().is_some_and(|it| it.contains(&message));
            events.iter().filter(about).count() == 1
        };
        objects
            .eventually("the commit is told of", told)
            .await
            .with_context(|| victim.process.log())?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_while_it_applies_makes_every_object_once() -> Result<()> {
    let mut random = StdRng::seed_from_u64(seed());
    let mut victim = Victim::new().await?;
    let manifests = victim.process.path("objects.yaml");
    for _ in 0..kills(4) {
        if random.random_bool(0.3) && victim.process.path("data").exists() {
            std::fs::remove_dir_all(victim.process.path("data"))?;
        }
        victim.process.spawn(&["-f", text(&manifests)?])?;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..1200))).await;
        victim.process.kill().await?;
    }
    let identities = begun(&mut victim).await?;
    victim.process.kill().await?;
    victim.process.spawn(&[])?;
    victim.process.answers().await?;
    assert_eq!(victim.identities().await?, identities);
    assert_eq!(victim.history_is_straight().await?, 1);
    Ok(())
}
