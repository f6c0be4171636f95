//! `examples/promotion`, run to its end, on a plain Git server and on a Gitea: one release that comes
//! through, and one that comes back.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use controller::clock::{self, Clock as _};
use jiff::Timestamp;
use scenarios::{Options, Tenant, World, skipped};
use serde_json::{Value, json};
use world::{
    git::{Content, Repository},
    gitea::{OWNER, Server},
    registry::MEDIA_TYPE_MANIFEST,
};

use crate::{
    automation::read,
    gate::metric,
    tree::{files, objects},
    web::Web,
};

/// Monday, in the middle of the night in Berlin.
const START: &str = "2026-11-23T01:00:00Z";
const STAGES: [&str; 3] = ["shop-dev", "shop-staging", "shop-prod"];
/// Where Prometheus answers.
const QUERY: &str = "/api/v1/query";
/// How long something that must happen may take; far beyond what it takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// Where the branch is.
enum Home {
    Plain(Repository),
    /// With the address of the repository, and that of the sources of both images.
    Gitea {
        server: Box<Server>,
        fleet: String,
        source: String,
    },
}

/// The example with its servers elsewhere.
struct Example {
    it: Tenant,
    clock: clock::Manual,
    home: Home,
    /// Answers as a Prometheus does.
    prometheus: Web,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/promotion")
}

async fn tenant() -> Result<(clock::Manual, Tenant)> {
    let clock = clock::Manual::new(START.parse()?);
    let flags = |it: &mut sluice::controllers::Setup| it.promotion.unguarded = true;
    let clock_of_world = Arc::new(clock.clone());
    let options = Options { clock: clock_of_world, flags, workloads: true, ..Options::default() };
    Ok((clock, Arc::new(World::with(options).await?).tenant("flux-system").await?))
}

/// The files that are deployed, with the images of this world's registry.
fn fleet(it: &Tenant) -> Result<Vec<(String, String)>> {
    let registry = it.world.registry.host();
    let text = |(path, content): (String, Content)| {
        let Content::File(bytes) = content else { return None };
        Some((path, String::from_utf8_lossy(&bytes).replace("127.0.0.1:5050", &registry)))
    };
    Ok(files(&folder().join("fleet"))?.into_iter().filter_map(text).collect())
}

impl Example {
    async fn plain() -> Result<Self> {
        let (clock, it) = tenant().await?;
        let fleet = fleet(&it)?;
        let given = fleet.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        let home = Home::Plain(it.files(given).await?);
        Ok(Self { it, clock, home, prometheus: Web::start().await? })
    }

    /// Nothing if there is no Gitea.
    async fn on_gitea() -> Result<Option<Self>> {
        let Some(server) = Server::start().await? else { return Ok(None) };
        let (clock, it) = tenant().await?;
        let address = server.repository("fleet").await?;
        let source = server.repository("shop").await?;
        for (path, text) in fleet(&it)? {
            server.commit("fleet", "main", (&path, &text)).await?;
        }
        it.secret("fleet-login", &[("username", OWNER), ("password", server.token())]).await?;
        it.secret("fleet-bot", &[("token", server.token())]).await?;
        let home = Home::Gitea { server: Box::new(server), fleet: address, source };
        Ok(Some(Self { it, clock, home, prometheus: Web::start().await? }))
    }

    async fn apply(&self, name: &str) -> Result<()> {
        let text = std::fs::read_to_string(folder().join(name))?;
        let plain = self.it.world.git.repository_url(&self.it.repository_name());
        let address = match &self.home {
            Home::Plain(_) => plain,
            Home::Gitea { fleet, .. } => fleet.clone(),
        };
        let text = text
            .replace("http://127.0.0.1:5051/fleet.git", &address)
            .replace("http://127.0.0.1:3000/shop/fleet.git", &address)
            .replace("127.0.0.1:5050", &self.it.world.registry.host())
            .replace("http://127.0.0.1:9090", &self.prometheus.url(""));
        for object in objects(&text)? {
            self.it.create(&object).await?;
        }
        Ok(())
    }

    /// Everything, and waits until all stages know what they run.
    async fn begin(&self) -> Result<()> {
        self.prometheus.put(QUERY, metric("0.1"));
        let revision = self.built("1.8.1").await?;
        for image in ["api", "web"] {
            self.push(image, "1.8.1", revision.as_deref());
        }
        let own = |name: &str| match &self.home {
            Home::Plain(_) => name.to_owned(),
            Home::Gitea { .. } => format!("gitea/{name}"),
        };
        self.apply("images.yaml").await?;
        self.apply(&own("repository.yaml")).await?;
        self.apply("kustomizations.yaml").await?;
        for name in STAGES {
            self.it.ready("Kustomization", name).await?;
        }
        self.apply("pipeline.yaml").await?;
        self.apply(&own("production.yaml")).await?;
        for name in STAGES {
            let known = |it: &Value| it["status"]["current"].is_object();
            self.wait(("Stage", name), "it knows what it runs", known).await?;
        }
        Ok(())
    }

    /// The commit that a version is built from, if anybody can tell.
    async fn built(&self, version: &str) -> Result<Option<String>> {
        let Home::Gitea { server, .. } = &self.home else { return Ok(None) };
        Ok(Some(server.commit("shop", "main", ("VERSION", version)).await?))
    }

    fn push(&self, image: &str, tag: &str, revision: Option<&str>) {
        let registry = &self.it.world.registry;
        let (Home::Gitea { source, .. }, Some(revision)) = (&self.home, revision) else {
            registry.publish(image, tag);
            return;
        };
        let labels = json!({
            "org.opencontainers.image.source": source.trim_end_matches(".git"),
            "org.opencontainers.image.revision": revision,
            "org.opencontainers.image.version": tag,
        });
        let config = json!({"architecture": "amd64", "os": "linux", "config": {"Labels": labels}});
        let blob = |kind: &str, text: String| {
            let size = text.len();
            let digest = registry.store().put_blob(image, text.into());
            json!({"mediaType": format!("application/vnd.oci.image.{kind}"), "digest": digest, "size": size})
        };
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MEDIA_TYPE_MANIFEST,
            "config": blob("config.v1+json", config.to_string()),
            "layers": [blob("layer.v1.tar+gzip", format!("{image} {tag}"))],
        });
        registry.store().put(image, tag, MEDIA_TYPE_MANIFEST, manifest.to_string());
    }

    async fn publish(&self, image: &str, tag: &str, revision: Option<&str>) -> Result<()> {
        self.push(image, tag, revision);
        self.it.request("ImageRepository", image).await?;
        let chosen = |it: &Value| it["status"]["latestRef"]["tag"] == tag;
        self.wait(("ImagePolicy", image), &format!("{tag} is chosen"), chosen).await?;
        Ok(())
    }

    /// Waits for an object to be as told. Its time may come before the turn ends that waits for it: then it
    /// is looked at a moment later, so that a little time passes.
    async fn wait(
        &self,
        of: (&str, &str),
        what: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let started = Instant::now();
        let mut looks = 0_u32;
        loop {
            let it = self.it.get(of).await.unwrap_or_default();
            if holds(&it) {
                return Ok(it);
            }
            ensure!(started.elapsed() < PATIENCE, "it never came true that {what}: {it:#}");
            tokio::time::sleep(Duration::from_millis(20)).await;
            looks += 1;
            if looks.is_multiple_of(25) {
                self.clock.advance(Duration::from_secs(1));
            }
        }
    }

    fn pass(&self, minutes: u64) {
        self.clock.advance(Duration::from_secs(minutes * 60 + 1));
    }

    /// Waits until a stage runs a version that is verified.
    async fn runs(&self, stage: &str, version: &str) -> Result<Value> {
        let runs = |it: &Value| {
            let status = &it["status"];
            status["current"]["version"] == version
                && status["current"]["verifiedAt"].is_string()
                && status["promotion"].is_null()
        };
        self.wait(("Stage", stage), &format!("{stage} runs {version}"), runs).await
    }

    /// Waits until a stage's promotion waits for something.
    async fn waits(&self, stage: &str, wanted: &str) -> Result<String> {
        let has = |it: &Value| it["status"]["promotion"].is_string();
        let it = self.wait(("Stage", stage), "it has a promotion", has).await?;
        let name = it["status"]["promotion"].as_str().context("a name")?.to_owned();
        self.wait(("Promotion", &name), &format!("it waits for {wanted}"), says(wanted)).await?;
        Ok(name)
    }

    async fn holds(&self, stage: &str, version: &str) -> Result<bool> {
        let path = format!("clusters/{}/shop.yaml", stage.trim_start_matches("shop-"));
        let text = match &self.home {
            Home::Plain(repository) => read(repository, "main", &path).await?,
            Home::Gitea { server, .. } => {
                use base64::Engine as _;
                let path = format!("repos/{OWNER}/fleet/contents/{path}?ref=main");
                let it = server.ask("GET", &path, None).await?;
                let content = it["content"].as_str().context("content")?.replace('\n', "");
                String::from_utf8(base64::prelude::BASE64_STANDARD.decode(content)?)?
            }
        };
        Ok(["api", "web"].iter().all(|it| text.contains(&format!("/{it}:{version}"))))
    }

    /// The messages of the last commits, newest first.
    async fn messages(&self) -> Result<Vec<String>> {
        let Home::Gitea { server, .. } = &self.home else {
            let Home::Plain(repository) = &self.home else { return Ok(Vec::new()) };
            return Ok(repository.log("main").await?.into_iter().map(|it| it.message).collect());
        };
        let path = format!("repos/{OWNER}/fleet/commits?sha=main&limit=10");
        let all = server.ask("GET", &path, None).await?;
        let message = |it: &Value| it["commit"]["message"].as_str().unwrap_or_default().to_owned();
        Ok(all.as_array().into_iter().flatten().map(message).collect())
    }

    /// A release on its way to production's gates.
    async fn release(&self, version: &str) -> Result<Option<String>> {
        let revision = self.built(version).await?;
        self.publish("api", version, revision.as_deref()).await?;
        // One image alone is no release.
        let unequal = |it: &Value| {
            let why = it["status"]["candidate"][0]["reason"].as_str().unwrap_or_default();
            why.contains("settles until") || why.contains("bundles.when does not hold")
        };
        self.wait(("Pipeline", "shop"), "it waits for the other image", unequal).await?;
        self.publish("web", version, revision.as_deref()).await?;
        let settles = |it: &Value| {
            let all = it["status"]["candidate"].as_array();
            all.into_iter().flatten().all(|it| {
                let why = it["reason"].as_str().unwrap_or_default();
                it["value"]["image"]["tag"] == version && why.contains("settles until")
            })
        };
        self.wait(("Pipeline", "shop"), "it settles", settles).await?;
        self.pass(3);
        self.runs("shop-dev", version).await?;
        self.waits("shop-staging", "bake: healthy until").await?;
        self.pass(10);
        self.runs("shop-staging", version).await?;
        let soaks = |it: &Value| {
            let why = it["status"]["candidate"]["blockedBy"].as_str().unwrap_or_default();
            why.contains("soaks in shop-staging until")
        };
        self.wait(("Stage", "shop-prod"), "it waits for the soak", soaks).await?;
        Ok(revision)
    }

    /// Two people agree, one of them for the group that must.
    async fn approve(&self, promotion: &str) -> Result<()> {
        let approvals = json!([{"by": "alice"}, {"by": "carol", "group": "sre"}]);
        self.it.patch(("Promotion", promotion), &json!({"spec": {"approvals": approvals}})).await
    }

    /// Both builds of a commit are good.
    async fn build(&self, promotion: &str, revision: Option<&str>) -> Result<()> {
        let (Home::Gitea { server, .. }, Some(revision)) = (&self.home, revision) else {
            return Ok(());
        };
        let waits = says("ci: build is not there");
        self.wait(("Promotion", promotion), "it waits for the builds", waits).await?;
        for context in ["build", "e2e"] {
            let status = json!({"context": context, "state": "success"});
            let path = format!("repos/{OWNER}/shop/statuses/{revision}");
            server.ask("POST", &path, Some(&status)).await?;
        }
        Ok(())
    }

    /// Time passes from one look to the next until a promotion is written: a pull request is looked at from
    /// time to time, and Gitea looks for conflicts in the background.
    async fn written(&self, promotion: &str) -> Result<()> {
        let written = |it: &Value| it["status"]["commits"].is_array();
        let mut before = Value::Null;
        loop {
            let next = |it: &Value| it["status"]["nextTransition"].clone();
            let news = |it: &Value| written(it) || next(it).is_string() && next(it) != before;
            let what = format!("it is written, or looked at again after {before}");
            let it = self.wait(("Promotion", promotion), &what, news).await?;
            if written(&it) {
                return Ok(());
            }
            before = next(&it);
            let at: Timestamp = before.as_str().context("a time")?.parse()?;
            let left = Duration::try_from(at.duration_since(self.clock.now())).unwrap_or_default();
            self.clock.advance(left + Duration::from_secs(1));
        }
    }

    /// Time passes from one question to the next until it is clear what became of a promotion: the
    /// error rate is asked for each minute, the Job every few seconds.
    async fn measure(&self, promotion: &str) -> Result<Value> {
        let over = |it: &Value| it["status"]["finishedAt"].is_string();
        let asked = |it: &Value| {
            let all = it["status"]["verify"].as_array().into_iter().flatten();
            all.map(|it| it["evaluatedAt"].clone()).collect::<Value>()
        };
        let mut before = Value::Null;
        loop {
            let news = |it: &Value| over(it) || asked(it) != before;
            let what = format!("it is asked again after {before}");
            let it = self.wait(("Promotion", promotion), &what, news).await?;
            if over(&it) {
                return Ok(it);
            }
            before = asked(&it);
            self.pass(1);
        }
    }

    /// A release that comes through: the night, the window, two people, the builds, the error rate and
    /// the smoke test.
    async fn comes_through(&self) -> Result<()> {
        let revision = self.release("1.8.3").await?;
        ensure!(self.holds("shop-staging", "1.8.3").await?, "staging has it");
        ensure!(self.holds("shop-prod", "1.8.1").await?, "production does not have it yet");
        self.pass(240);
        let promotion = self.waits("shop-prod", "hours: window shut; opens 2026-11-23T08").await?;
        self.pass(180);
        self.waits("shop-prod", "signoff: 0 of 2; needs 2 more").await?;
        ensure!(self.holds("shop-prod", "1.8.1").await?, "nothing is written at a shut gate");
        self.approve(&promotion).await?;
        self.build(&promotion, revision.as_deref()).await?;
        self.written(&promotion).await?;
        self.waits("shop-prod", "bake: healthy until").await?;
        ensure!(self.holds("shop-prod", "1.8.3").await?, "production has it");
        self.pass(15);
        let ended = self.measure(&promotion).await?;
        ensure!(ended["status"]["phase"] == "Succeeded", "{ended:#}");
        let measured = &ended["status"]["verify"][0];
        ensure!(measured["attempt"] == 10 && measured["evidence"]["passed"] == "10", "{ended:#}");
        self.runs("shop-prod", "1.8.3").await?;
        let messages = self.messages().await?;
        for trailer in ["Promotion-Stage: flux-system/shop-prod", "Approved-By: carol "] {
            let has = |it: &String| it.lines().any(|line| line.starts_with(trailer));
            ensure!(messages.iter().take(2).any(has), "{messages:#?}");
        }
        Ok(())
    }

    /// What makes errors comes back, and holds.
    async fn comes_back(&self) -> Result<()> {
        let revision = self.release("1.9.0").await?;
        self.pass(24 * 60);
        let promotion = self.waits("shop-prod", "signoff: 0 of 2").await?;
        self.approve(&promotion).await?;
        self.build(&promotion, revision.as_deref()).await?;
        self.written(&promotion).await?;
        self.waits("shop-prod", "bake: healthy until").await?;
        self.prometheus.put(QUERY, metric("7.5"));
        self.pass(15);
        let ended = self.measure(&promotion).await?;
        ensure!(ended["status"]["reason"] == "VerifyFailed", "{ended:#}");
        ensure!(ended["status"]["verify"][0]["evidence"]["failed"] == "3", "{ended:#}");
        let new =
            |it: &Value| it["status"]["promotion"].as_str().is_some_and(|name| name != promotion);
        let prod = self.wait(("Stage", "shop-prod"), "it rolls back", new).await?;
        let rollback = prod["status"]["promotion"].as_str().context("a name")?.to_owned();
        let baking = says("bake: healthy until");
        self.wait(("Promotion", &rollback), "it is deployed", baking).await?;
        self.pass(15);
        let over = |it: &Value| it["status"]["phase"] == "Succeeded";
        let rollback = self.wait(("Promotion", &rollback), "it is done", over).await?;
        ensure!(rollback["spec"]["kind"] == "Rollback", "{rollback:#}");
        ensure!(rollback["status"]["pullRequest"].is_null(), "it goes to the branch at once");
        let back = |it: &Value| {
            it["status"]["current"]["version"] == "1.8.3"
                && it["status"]["hold"]["kind"] == "Failure"
        };
        self.wait(("Stage", "shop-prod"), "it is back and held", back).await?;
        ensure!(self.holds("shop-prod", "1.8.3").await?, "production is as it was");
        ensure!(self.holds("shop-staging", "1.9.0").await?, "staging stays");
        Ok(())
    }
}

fn says(part: &str) -> impl Fn(&Value) -> bool + '_ {
    move |it| it["status"]["message"].as_str().is_some_and(|it| it.contains(part))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_promotion_example_runs_to_its_end() -> Result<()> {
    let example = Example::plain().await?;
    example.begin().await?;
    example.comes_through().await?;
    example.comes_back().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_promotion_example_runs_to_its_end_on_gitea() -> Result<()> {
    let Some(example) = Example::on_gitea().await? else {
        skipped(
            "the_promotion_example_runs_to_its_end_on_gitea",
            "gitea is not built (cargo xtask setup)",
        );
        return Ok(());
    };
    example.begin().await?;
    example.comes_through().await?;
    example.comes_back().await
}
