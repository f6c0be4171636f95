//! Figures of staged promotion: many stages on one branch, what they cost once nothing moves, and how long
//! it takes until a merge is noticed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use controller::clock;
use scenarios::{Backend, Options, Tenant, World, skipped};
use serde_json::{Value, json};
use world::gitea::{OWNER, Server};

use crate::{Figure, create_all, create_with, sized, until_by};

const PROMOTION: &str = "promotion.sluice.dev/v1alpha1";
const LOOK: Duration = Duration::from_millis(200);

fn object(api_version: &str, kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": api_version, "kind": kind,
           "metadata": {"name": name, "namespace": "bench"}, "spec": spec})
}

fn file(at: usize) -> (String, String) {
    let text = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: app{at}, namespace: bench}}\ndata:\n  \
         tag: 1.0.0 # {{\"$imagepolicy\": \"bench:app:tag\"}}\n"
    );
    (format!("stages/{at}/app.yaml"), text)
}

/// Seconds until many stages of one branch have promoted a bundle, each in a commit of its own; and how
/// often they look at the branch once nothing moves.
pub(super) async fn storm() -> Result<Vec<Figure>> {
    let n = sized(200);
    let now = clock::Manual::new(jiff::Timestamp::now());
    let world = World::with(Options { clock: Arc::new(now.clone()), ..Options::default() }).await?;
    let objects = &world.objects;
    objects.namespace("bench").await?;
    let files = (0..n).map(file).map(|(path, text)| (path, text.into_bytes()));
    let repository = world.git.create("fleet", "main", files).await?;
    world.registry.publish("app", "1.0.0");
    prepare(&world, n).await?;
    let all = (0..n).map(|at| {
        let spec = json!({"pipelineRef": {"name": "shop"}, "promote": "Auto",
                          "edit": {"paths": [format!("stages/{at}")]}});
        object(PROMOTION, "Stage", &format!("stage{at}"), &spec)
    });
    create_all(objects, all).await?;
    running(&world, n, "1.0.0").await?;
    world.registry.publish("app", "1.1.0");
    let started = Instant::now();
    let images = "image.toolkit.fluxcd.io/v1";
    let scan = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "now"}}});
    objects.patch((images, "ImageRepository"), ("bench", "app"), &scan).await?;
    running(&world, n, "1.1.0").await?;
    let value = started.elapsed().as_secs_f64();
    let log = repository.log("main").await?;
    ensure!(log.len() == n + 1, "{} commits for {n} promotions", log.len() - 1);
    let mut ids: Vec<&str> = log
        .iter()
        .filter_map(|it| it.message.lines().find(|it| it.starts_with("Promotion-Id: ")))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ensure!(ids.len() == n, "{} promotions in {n} commits", ids.len());
    let server = Backend::Embedded;
    let storm =
        Figure { name: "promotion-storm", value, unit: "s", target: 60.0, server, n, peer: None };
    let value = looks(&world, &now).await?;
    let name = "promotion-idle-looks";
    let idle = Figure { name, value, unit: "", target: 1.5, server, n, peer: None };
    Ok(vec![storm, idle])
}

/// What stages need: an image that is chosen, a repository, Kustomizations and a pipeline.
async fn prepare(world: &World, n: usize) -> Result<()> {
    let (images, sources) = ("image.toolkit.fluxcd.io/v1", "source.toolkit.fluxcd.io/v1");
    let repository =
        json!({"image": world.registry.image("app"), "interval": "24h", "insecure": true});
    let policy = json!({"imageRepositoryRef": {"name": "app"}, "policy": {"semver": {"range": "1.x"}},
                        "digestReflectionPolicy": "IfNotPresent"});
    let fleet = json!({"url": world.git.repository_url("fleet"), "interval": "10m",
                       "ref": {"branch": "main"}});
    let pipeline = json!({
        "components": [{"name": "app", "imagePolicyRef": {"name": "app"}}],
        "bundles": {"settle": "0s"},
        "git": {"sourceRef": {"kind": "GitRepository", "name": "fleet"},
                "commit": {"author": {"name": "bot", "email": "bot@example.com"}}},
    });
    let objects = &world.objects;
    create_with(objects, &object(images, "ImageRepository", "app", &repository)).await?;
    create_with(objects, &object(images, "ImagePolicy", "app", &policy)).await?;
    create_with(objects, &object(sources, "GitRepository", "fleet", &fleet)).await?;
    create_with(objects, &object(PROMOTION, "Pipeline", "shop", &pipeline)).await?;
    let all = (0..n).map(|at| {
        let spec = json!({"path": format!("stages/{at}"), "prune": true, "interval": "24h",
                          "sourceRef": {"kind": "GitRepository", "name": "fleet"}});
        object("kustomize.toolkit.fluxcd.io/v1", "Kustomization", &format!("stage{at}"), &spec)
    });
    create_all(objects, all).await
}

/// Waits until all stages run a version that nobody moves any more.
async fn running(world: &World, n: usize, version: &str) -> Result<()> {
    let runs = |it: &Value| {
        let current = &it["status"]["current"];
        current["version"] == version
            && it["status"]["promotion"].is_null()
            && (version == "1.0.0" || current["verifiedAt"].is_string())
    };
    let done = until_by(LOOK, Duration::from_mins(5), || async {
        let all = world.objects.list(PROMOTION, "Stage", "bench").await.unwrap_or_default();
        all.iter().filter(|it| runs(it)).count() == n
    });
    done.await.with_context(|| format!("not all stages run {version}"))
}

/// How often the server is asked for its branches in each interval of the GitRepository.
async fn looks(world: &World, now: &clock::Manual) -> Result<f64> {
    const INTERVALS: u32 = 6;
    let before = world.git.counts().ls_refs;
    for _ in 0..INTERVALS {
        now.advance(Duration::from_mins(10));
        // Quiet for a while is all that can be said of what does not happen.
        let mut seen = usize::MAX;
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let asked = world.git.counts().ls_refs;
            if asked == seen {
                break;
            }
            seen = asked;
        }
    }
    let asked = world.git.counts().ls_refs - before;
    ensure!(asked > 0, "nobody looked at all");
    #[expect(clippy::cast_precision_loss, reason = "a few hundreds")]
    Ok(asked as f64 / f64::from(INTERVALS))
}

/// A stage that proposes on a Gitea, where a person merges.
struct Merges {
    it: Tenant,
    gitea: Server,
}

/// Seconds from a reconcile request on the stage until the slowest of a few merges is noticed; nothing if
/// there is no Gitea.
pub(super) async fn merge_noticed() -> Result<Option<Figure>> {
    let n = sized(5);
    let Some(gitea) = Server::start().await? else {
        skipped("merge-noticed", "gitea is not built (cargo xtask setup)");
        return Ok(None);
    };
    let world = Arc::new(World::with(Options::default()).await?);
    let it = Merges { it: world.tenant("bench").await?, gitea };
    it.prepare().await?;
    let mut slowest = Duration::ZERO;
    for at in 1..=n {
        slowest = slowest.max(it.merge(&format!("1.{at}.0"), at).await?);
    }
    let (name, server, value) = ("merge-noticed", Backend::Embedded, slowest.as_secs_f64());
    Ok(Some(Figure { name, value, unit: "s", target: 2.0, server, n, peer: None }))
}

impl Merges {
    async fn prepare(&self) -> Result<()> {
        let (it, gitea) = (&self.it, &self.gitea);
        let url = gitea.repository("fleet").await?;
        let (path, text) = file(0);
        gitea.commit("fleet", "main", (&path, &text)).await?;
        it.secret("git", &[("username", OWNER), ("password", gitea.token())]).await?;
        it.secret("gitea", &[("token", gitea.token())]).await?;
        it.world.registry.publish("app", "1.0.0");
        prepare(&it.world, 1).await?;
        let spec = json!({"spec": {"url": url, "secretRef": {"name": "git"}}});
        it.patch(("GitRepository", "fleet"), &spec).await?;
        it.ready("Kustomization", "stage0").await?;
        let push = json!({"mode": "PullRequest", "provider": "gitea",
                          "secretRef": {"name": "gitea"}});
        let spec = json!({"pipelineRef": {"name": "shop"}, "promote": "Auto", "push": push,
                          "edit": {"paths": ["stages/0"]}});
        it.create(&object(PROMOTION, "Stage", "stage0", &spec)).await?;
        let runs = |it: &Value| it["status"]["current"].is_object();
        it.wait(("Stage", "stage0"), "it runs something", runs).await?;
        Ok(())
    }

    /// The promotion of a bundle once its pull request is open.
    async fn proposed(&self, bundle: &Value) -> Result<Value> {
        let find = || async {
            let objects = &self.it.world.objects;
            let all = objects.list(PROMOTION, "Promotion", "bench").await.unwrap_or_default();
            let open =
                |it: &Value| it["spec"]["bundle"] == *bundle && it["status"]["phase"] == "Proposed";
            all.into_iter().find(open)
        };
        let there = || async { find().await.is_some() };
        until_by(Duration::from_millis(50), Duration::from_mins(1), there).await?;
        find().await.context("it is proposed")
    }

    /// How long it takes until the merge of one version is noticed.
    async fn merge(&self, version: &str, at: usize) -> Result<Duration> {
        let it = &self.it;
        it.world.registry.publish("app", version);
        it.request("ImageRepository", "app").await?;
        let newest = |it: &Value| it["status"]["latestBundle"]["version"] == version;
        let pipeline = it.wait(("Pipeline", "shop"), "there is a bundle", newest).await?;
        let bundle = pipeline["status"]["latestBundle"]["name"].clone();
        let promotion = self.proposed(&bundle).await?;
        let name = promotion["metadata"]["name"].as_str().context("a name")?;
        let number = promotion["status"]["pullRequest"]["number"].as_i64().context("a number")?;
        let path = format!("repos/{OWNER}/fleet/pulls/{number}/merge");
        let body = json!({"Do": "merge"});
        // Gitea looks for conflicts in the background, and refuses until then.
        let merged = || async { self.gitea.ask("POST", &path, Some(&body)).await.is_ok() };
        until_by(Duration::from_millis(50), Duration::from_mins(1), merged).await?;
        let started = Instant::now();
        let now = json!({"metadata": {"annotations": {
            "reconcile.fluxcd.io/requestedAt": format!("merge {at}"),
        }}});
        it.patch(("Stage", "stage0"), &now).await?;
        let noticed = || async {
            let promotion = it.get(("Promotion", name)).await.unwrap_or_default();
            promotion["status"]["pullRequest"]["state"] == "Merged"
        };
        until_by(Duration::from_millis(10), Duration::from_mins(2), noticed).await?;
        let took = started.elapsed();
        let runs = |it: &Value| {
            let current = &it["status"]["current"];
            current["version"] == version && current["verifiedAt"].is_string()
        };
        it.wait(("Stage", "stage0"), "it runs what was merged", runs).await?;
        Ok(took)
    }
}
