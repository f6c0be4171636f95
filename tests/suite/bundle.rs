//! What bundles are made of: charts, commits whose folders are copied, images that must be something, tags
//! that go away, and time that jumps; and what is thrown away of them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use controller::clock::{self, Clock};
use jiff::{SignedDuration, Timestamp};
use scenarios::{Options, Tenant, World, condition};
use serde_json::{Value, json};
use world::{git::Content, registry::MEDIA_TYPE_INDEX};

use crate::{
    automation::read,
    gate::until,
    helm::{index, tgz, with_charts},
    promotion::{file, promotions, runs, shop, stage, timed},
    signature::Signer,
};

/// A stage that runs something.
async fn settled(it: &Tenant, name: &str, more: &Value) -> Result<()> {
    it.create(&stage(name, more)).await?;
    let runs = |it: &Value| it["status"]["current"].is_object();
    it.wait(("Stage", name), "it runs something", runs).await?;
    Ok(())
}

/// Why the first component waits.
fn waits(part: &str) -> impl Fn(&Value) -> bool + '_ {
    move |it| {
        let why = it["status"]["candidate"][0]["reason"].as_str();
        why.is_some_and(|it| it.contains(part))
    }
}

async fn components(it: &Tenant, components: &Value) -> Result<()> {
    it.patch(("Pipeline", "shop"), &json!({"spec": {"components": components}})).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chart_of_a_repository_moves_by_its_range() -> Result<()> {
    let (_clock, it) = timed().await?;
    let repository = shop(&it, &["dev"]).await?;
    let (web, _) = with_charts(&it, &["1.0.0", "2.0.0"]).await?;
    let source = json!({"kind": "HelmRepository", "name": "charts"});
    let chart = json!({"sourceRef": source, "chart": "demo", "semver": "1.x"});
    components(&it, &json!([{"name": "chart", "chart": chart}])).await?;
    let text = |version: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: dev, namespace: {}}}\ndata:\n  \
             version: {version} # {{\"$promotion\": \"shop:chart:version\"}}\n",
            it.namespace
        )
    };
    repository.commit("main", [("dev/app.yaml", text("1.0.0").as_str())], "a chart").await?;
    it.request("GitRepository", "fleet").await?;
    settled(&it, "dev", &json!({})).await?;
    // What stands for the component finds it in the index; others' versions do not count.
    web.put("/c/demo-1.1.0.tgz", tgz("1.1.0"));
    web.put("/c/index.yaml", index(&["1.0.0", "1.1.0", "2.0.0"]));
    it.request("HelmRepository", "charts").await?;
    let dev = runs(&it, "dev", "1.1.0").await?;
    assert_eq!(read(&repository, "main", "dev/app.yaml").await?, text("1.1.0"));
    let bundle = dev["status"]["current"]["bundle"].as_str().context("a bundle")?;
    let bundle = it.get(("Bundle", bundle)).await.context("it is there")?;
    let value = &bundle["spec"]["components"][0]["chart"];
    ensure!(value["url"] == web.url("/c") && value["name"] == "demo", "{value}");
    ensure!(value["digest"].as_str().is_some_and(|it| it.starts_with("sha256:")), "{value}");
    // It goes with what it is for.
    let name = format!("promotion.{}.shop.chart", it.namespace);
    ensure!(it.get(("HelmChart", &name)).await.is_some(), "{name} is there");
    it.delete(("Stage", "dev")).await?;
    it.delete(("Pipeline", "shop")).await?;
    ensure!(it.get(("HelmChart", &name)).await.is_none(), "{name} is gone");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_a_component_stalls() -> Result<()> {
    let (_clock, it) = timed().await?;
    shop(&it, &["dev"]).await?;
    let charts = json!({"kind": "HelmRepository", "name": "charts"});
    let one = json!({"kind": "HelmChart", "name": "demo"});
    let verify = json!({"provider": "cosign"});
    let image = json!({"name": "app"});
    for (component, reason, what) in [
        (json!({"chart": {"sourceRef": charts}}), "InvalidPolicy", "which chart"),
        (json!({"chart": {"sourceRef": one, "semver": "1.x"}}), "InvalidPolicy", "range of"),
        (json!({"ociRef": image, "require": {"verify": verify}}), "InvalidPolicy", "of their own"),
        (
            json!({"imagePolicyRef": image, "require": {"platforms": ["linux"]}}),
            "InvalidPolicy",
            "'linux' is not like linux/arm64",
        ),
        (json!({"stageRef": {"name": "other"}}), "NotImplemented", "stageRef"),
    ] {
        let mut component = component;
        component["name"] = json!("app");
        components(&it, &json!([component])).await?;
        let message = it.failing("Pipeline", "shop", reason).await?;
        ensure!(message.contains(what) && message.contains("'app'"), "{message}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folder_of_a_commit_is_copied_with_what_goes_away() -> Result<()> {
    let (_clock, it) = timed().await?;
    let repository = shop(&it, &["dev"]).await?;
    let map = |name: &str, value: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: {}}}\ndata: \
             {{value: {value}}}\n",
            it.namespace
        )
    };
    let files = [
        ("base/one.yaml".to_owned(), map("one", "a")),
        ("base/old.yaml".to_owned(), map("old", "a")),
        ("README.md".to_owned(), "not copied".to_owned()),
    ];
    let given = files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    let config = it.world.git.create("config", "main", given).await?;
    let url = it.world.git.repository_url("config");
    let source = json!({"url": url, "interval": "1h", "ref": {"branch": "main"}});
    it.create(&it.source("GitRepository", "config", source, &json!({}))).await?;
    it.ready("GitRepository", "config").await?;
    let gitref = json!({"name": "config", "paths": ["base"]});
    components(
        &it,
        &json!([
            {"name": "app", "imagePolicyRef": {"name": "app"}},
            {"name": "config", "gitRef": gitref},
        ]),
    )
    .await?;
    let copy = json!([{"component": "config", "from": "base", "to": "dev/config"}]);
    it.create(&stage("dev", &json!({"edit": {"paths": ["dev"], "copy": copy}}))).await?;
    let there = |it: &Value| it["status"]["current"]["verifiedAt"].is_string();
    let dev = it.wait(("Stage", "dev"), "it runs a copy", there).await?;
    assert_eq!(read(&repository, "main", "dev/config/one.yaml").await?, map("one", "a"));
    let first = dev["status"]["current"]["bundle"].clone();
    // A commit elsewhere is no other value.
    config.commit("main", [("README.md", "still not")], "words").await?;
    it.request("GitRepository", "config").await?;
    it.request("Pipeline", "shop").await?;
    let pipeline = it.get(("Pipeline", "shop")).await.context("it is there")?;
    assert_eq!(pipeline["status"]["latestBundle"]["name"], first);
    // What is gone there goes here; other files of the stage stay.
    let next =
        [("base/one.yaml", Content::from(map("one", "b"))), ("base/old.yaml", Content::Absent)];
    config.commit("main", next, "another base").await?;
    it.request("GitRepository", "config").await?;
    let newer = |it: &Value| {
        it["status"]["current"]["bundle"] != first
            && it["status"]["current"]["verifiedAt"].is_string()
            && it["status"]["promotion"].is_null()
    };
    it.wait(("Stage", "dev"), "it runs the next copy", newer).await?;
    assert_eq!(read(&repository, "main", "dev/config/one.yaml").await?, map("one", "b"));
    let files = repository.files("main").await?;
    ensure!(!files.contains(&"dev/config/old.yaml".to_owned()), "{files:?}");
    ensure!(files.contains(&"dev/app.yaml".to_owned()), "{files:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folder_alone_is_enough_for_a_stage() -> Result<()> {
    let (_clock, it) = timed().await?;
    let repository = shop(&it, &["dev"]).await?;
    let config = it.world.git.create("config", "main", [("base/note.txt", "one")]).await?;
    let url = it.world.git.repository_url("config");
    let source = json!({"url": url, "interval": "1h", "ref": {"branch": "main"}});
    it.create(&it.source("GitRepository", "config", source, &json!({}))).await?;
    it.ready("GitRepository", "config").await?;
    components(&it, &json!([{"name": "config", "gitRef": {"name": "config"}}])).await?;
    let copy = json!([{"component": "config", "from": "base", "to": "dev/config"}]);
    it.create(&stage("dev", &json!({"edit": {"paths": ["dev"], "copy": copy}}))).await?;
    let runs = |commit: &Value| {
        let commit = commit.clone();
        move |it: &Value| {
            let current = &it["status"]["current"];
            current["bundle"] == commit && current["verifiedAt"].is_string()
        }
    };
    for text in ["one", "two"] {
        let id = config.commit("main", [("base/note.txt", text)], "a note").await?;
        it.request("GitRepository", "config").await?;
        let newest = |it: &Value| it["status"]["candidate"][0]["value"]["git"]["commit"] == id;
        let pipeline = it.wait(("Pipeline", "shop"), "it has the commit", newest).await?;
        let bundle = &pipeline["status"]["latestBundle"]["name"];
        let dev = it.wait(("Stage", "dev"), "it runs it", runs(bundle)).await?;
        ensure!(dev["status"]["hold"].is_null(), "{dev:#}");
        assert_eq!(read(&repository, "main", "dev/config/note.txt").await?, text);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn persons_change_in_a_copied_folder_holds_the_stage() -> Result<()> {
    let (_clock, it) = timed().await?;
    let repository = shop(&it, &["dev"]).await?;
    let config = it.world.git.create("config", "main", [("base/note.txt", "one")]).await?;
    let url = it.world.git.repository_url("config");
    let source = json!({"url": url, "interval": "1h", "ref": {"branch": "main"}});
    it.create(&it.source("GitRepository", "config", source, &json!({}))).await?;
    it.ready("GitRepository", "config").await?;
    components(
        &it,
        &json!([
            {"name": "app", "imagePolicyRef": {"name": "app"}},
            {"name": "config", "gitRef": {"name": "config"}},
        ]),
    )
    .await?;
    let copy = json!([{"component": "config", "from": "base", "to": "dev/config"}]);
    it.create(&stage("dev", &json!({"edit": {"paths": ["dev"], "copy": copy}}))).await?;
    let runs = |it: &Value| {
        it["status"]["current"]["verifiedAt"].is_string() && it["status"]["promotion"].is_null()
    };
    it.wait(("Stage", "dev"), "it runs a copy", runs).await?;
    // A commit beside the folder is nobody's business.
    repository.commit("main", [("dev/README.md", "hello")], "words").await?;
    it.request("GitRepository", "fleet").await?;
    // One in the folder is, also where a newer bundle comes at the same time.
    repository.commit("main", [("dev/config/note.txt", "mine")], "a fix").await?;
    let id = config.commit("main", [("base/note.txt", "two")], "a note").await?;
    it.request("GitRepository", "config").await?;
    it.request("GitRepository", "fleet").await?;
    let held = |it: &Value| it["status"]["hold"]["kind"] == "Commit";
    let dev = it.wait(("Stage", "dev"), "it is held", held).await?;
    let why = dev["status"]["hold"]["reason"].as_str().unwrap_or_default();
    assert_eq!(why, "a commit changed dev/config, which is copied", "{dev:#}");
    let newest = |it: &Value| it["status"]["candidate"][1]["value"]["git"]["commit"] == id;
    it.wait(("Pipeline", "shop"), "it has the newer commit", newest).await?;
    let shown = |it: &Value| {
        let candidate = &it["status"]["candidate"]["bundle"];
        candidate.is_string() && *candidate != it["status"]["current"]["bundle"]
    };
    it.wait(("Stage", "dev"), "it shows what would come", shown).await?;
    assert_eq!(read(&repository, "main", "dev/config/note.txt").await?, "mine");
    // Until somebody says so.
    let resume = json!({"metadata": {"annotations": {"promotion.sluice.dev/resumeAt": "now"}}});
    it.patch(("Stage", "dev"), &resume).await?;
    let newer = |it: &Value| runs(it) && it["status"]["hold"].is_null();
    it.wait(("Stage", "dev"), "it runs the newer copy", newer).await?;
    assert_eq!(read(&repository, "main", "dev/config/note.txt").await?, "two");
    assert_eq!(read(&repository, "main", "dev/README.md").await?, "hello");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn image_must_be_there_for_all_platforms() -> Result<()> {
    let (clock, it) = timed().await?;
    shop(&it, &["dev"]).await?;
    let require = json!({"platforms": ["linux/amd64", "linux/arm/v7"]});
    components(
        &it,
        &json!([{"name": "app", "imagePolicyRef": {"name": "app"}, "require": require}]),
    )
    .await?;
    // What was let through before is looked at anew.
    it.wait(("Pipeline", "shop"), "it waits", waits("is not there for linux/arm/v7")).await?;
    settled(&it, "dev", &json!({})).await?;
    it.release("1.1.0").await?;
    it.wait(("Pipeline", "shop"), "it waits", waits("1.1.0 is not there for linux/arm/v7")).await?;
    let (store, name) = (it.world.registry.store(), format!("{}/app", it.namespace));
    let digest = store.digest(&name, "1.1.0").context("it is there")?;
    let platform = |architecture: &str, variant: Option<&str>| {
        json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 1,
            "platform": {"os": "linux", "architecture": architecture, "variant": variant},
        })
    };
    let manifests = [platform("amd64", None), platform("arm", Some("v7"))];
    let index = json!({"schemaVersion": 2, "mediaType": MEDIA_TYPE_INDEX, "manifests": manifests});
    store.put(&name, "1.2.0", MEDIA_TYPE_INDEX, index.to_string());
    it.request("ImageRepository", "app").await?;
    let runs = |it: &Value| it["status"]["current"]["version"] == "1.2.0";
    until((&clock, &it), ("Stage", "dev"), "it runs 1.2.0", runs).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn image_must_be_signed() -> Result<()> {
    let Some(cosign) = Signer::new("cosign-v2.5.2/cosign")? else { return Ok(()) };
    let (clock, it) = timed().await?;
    shop(&it, &["dev"]).await?;
    cosign.run(&["generate-key-pair"]).await?;
    it.secret("trusted", &[("cosign.pub", &cosign.read("cosign.pub")?)]).await?;
    settled(&it, "dev", &json!({})).await?;
    let verify = json!({"provider": "cosign", "secretRef": {"name": "trusted"}});
    components(
        &it,
        &json!([
            {"name": "app", "imagePolicyRef": {"name": "app"}, "require": {"verify": verify}},
        ]),
    )
    .await?;
    it.release("1.1.0").await?;
    it.wait(("Pipeline", "shop"), "it waits", waits("it is not verified")).await?;
    // Nor does a person get by that.
    let store = it.world.registry.store();
    let digest = store.digest(&format!("{}/app", it.namespace), "1.1.0").context("a digest")?;
    let address = format!("{}@{digest}", it.image("app"));
    let sign = ["sign", "--key", "cosign.key", "--yes", "--tlog-upload=false"];
    let insecure = ["--allow-http-registry", "--allow-insecure-registry", &address];
    cosign.run(&[&sign, &insecure[..]].concat()).await?;
    let runs = |it: &Value| it["status"]["current"]["version"] == "1.1.0";
    until((&clock, &it), ("Stage", "dev"), "it runs 1.1.0", runs).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_needs_is_thrown_away() -> Result<()> {
    let (clock, it) = timed().await?;
    shop(&it, &["dev"]).await?;
    let keep = json!({"bundles": 1, "promotionsPerStage": 1});
    it.patch(("Pipeline", "shop"), &json!({"spec": {"keep": keep}})).await?;
    settled(&it, "dev", &json!({})).await?;
    for version in ["1.1.0", "1.2.0", "1.3.0", "1.4.0"] {
        it.release(version).await?;
        runs(&it, "dev", version).await?;
        clock.advance(Duration::from_secs(1));
    }
    let before = promotions(&it).await?.len();
    ensure!(before >= 4, "{before} promotions");
    // Nobody may still be reading it.
    clock.advance(Duration::from_secs(601));
    it.request("Pipeline", "shop").await?;
    let objects = &it.world.objects;
    let kind = "promotion.sluice.dev/v1alpha1";
    let few = || async {
        let bundles = objects.list(kind, "Bundle", &it.namespace).await.unwrap_or_default();
        let left = promotions(&it).await.unwrap_or_default();
        if left.len() == 1 && bundles.len() > 2 {
            // Bundles go once no promotion names them any more.
            clock.advance(Duration::from_secs(301));
        }
        left.len() == 1 && bundles.len() <= 2
    };
    if let Err(why) = objects.eventually("little is left", few).await {
        let text = |it: &Value| format!("{} {}", it["metadata"]["name"], it["status"]["phase"]);
        let left: Vec<String> = promotions(&it).await?.iter().map(text).collect();
        let bundles = objects.list(kind, "Bundle", &it.namespace).await?;
        let bundles: Vec<String> = bundles.iter().map(text).collect();
        bail!("{why}: {left:#?} {bundles:#?}");
    }
    let dev = runs(&it, "dev", "1.4.0").await?;
    let current = dev["status"]["current"]["bundle"].as_str().context("a bundle")?;
    ensure!(it.get(("Bundle", current)).await.is_some(), "what runs stays");
    let verified = |it: &Value| it["status"]["verifiedIn"][0]["dwell"].is_null();
    it.wait(("Bundle", current), "it runs still", verified).await?;
    it.release("1.5.0").await?;
    runs(&it, "dev", "1.5.0").await?;
    let told = |it: &Value| it["status"]["verifiedIn"][0]["dwell"].is_string();
    it.wait(("Bundle", current), "it is told how long it ran", told).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_tag_brings_nothing_old() -> Result<()> {
    let (_clock, it) = timed().await?;
    let repository = shop(&it, &["dev"]).await?;
    settled(&it, "dev", &json!({})).await?;
    it.release("1.1.0").await?;
    let dev = runs(&it, "dev", "1.1.0").await?;
    let name = format!("{}/app", it.namespace);
    ensure!(it.world.registry.delete(&name, "1.1.0"), "it was there");
    it.request("ImageRepository", "app").await?;
    let back = |it: &Value| it["status"]["latestRef"]["tag"] == "1.0.0";
    it.wait(("ImagePolicy", "app"), "it steps back", back).await?;
    it.wait(("Pipeline", "shop"), "it does not", waits("set bundles.allowRegress")).await?;
    it.request("Stage", "dev").await?;
    let now = runs(&it, "dev", "1.1.0").await?;
    assert_eq!(now["status"]["current"], dev["status"]["current"]);
    assert_eq!(read(&repository, "main", "dev/app.yaml").await?, file(&it, "dev", "1.1.0"));
    // Unless somebody wants that.
    let allow = json!({"spec": {"bundles": {"allowRegress": true}}});
    it.patch(("Pipeline", "shop"), &allow).await?;
    runs(&it, "dev", "1.0.0").await?;
    Ok(())
}

/// A clock that people set, while what sleeps goes by the time that really passes.
#[derive(Debug, Clone)]
struct Jumping {
    real: clock::Manual,
    /// In seconds.
    off: Arc<AtomicI64>,
}

impl Jumping {
    fn set_back(&self, seconds: i64) {
        self.off.fetch_sub(seconds, Ordering::SeqCst);
    }

    fn off(&self) -> SignedDuration {
        SignedDuration::from_secs(self.off.load(Ordering::SeqCst))
    }
}

impl Clock for Jumping {
    fn now(&self) -> Timestamp {
        self.real.now() + self.off()
    }

    fn sleep_until(&self, at: Timestamp) -> clock::Sleep {
        self.real.sleep_until(at.saturating_sub(self.off()).unwrap_or(at))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_that_jumps_lets_nothing_through_early_and_nothing_wait_for_ever() -> Result<()> {
    let real = clock::Manual::new(Timestamp::now());
    let clock = Jumping { real: real.clone(), off: Arc::default() };
    let flags = |it: &mut sluice::controllers::Setup| it.promotion.unguarded = true;
    let world =
        World::with(Options { clock: Arc::new(clock.clone()), flags, ..Options::default() })
            .await?;
    let it = Arc::new(world).tenant("apps").await?;
    let repository = shop(&it, &["dev", "prod"]).await?;
    settled(&it, "dev", &json!({})).await?;
    let soak = json!({"stage": "dev", "soak": "10m", "soakMode": "SinceVerified"});
    settled(&it, "prod", &json!({"from": [soak]})).await?;
    it.release("1.1.0").await?;
    runs(&it, "dev", "1.1.0").await?;
    let soaks = |it: &Value| {
        let why = it["status"]["candidate"]["blockedBy"].as_str();
        why.is_some_and(|it| it.contains("soaks in dev until"))
    };
    let prod = it.wait(("Stage", "prod"), "it soaks", soaks).await?;
    let gates = prod["status"]["candidate"]["gates"].as_array().context("gates")?;
    let upstream = gates.iter().find(|it| it["name"] == "upstream").context("a gate")?;
    ensure!(upstream["state"] == "Pending" && upstream["nextCheck"].is_string(), "{upstream}");
    // Set back by a day: what was verified will have been in a day.
    clock.set_back(24 * 3600);
    real.advance(Duration::from_hours(1));
    it.request("Stage", "prod").await?;
    let prod = it.wait(("Stage", "prod"), "it still soaks", soaks).await?;
    ensure!(condition(&prod, "Ready")["status"] == "True", "{prod:#}");
    assert_eq!(read(&repository, "main", "prod/app.yaml").await?, file(&it, "prod", "1.0.0"));
    // And ahead again: at the latest when the time is there that was told.
    clock.set_back(-24 * 3600);
    real.advance(Duration::from_secs(601));
    runs(&it, "prod", "1.1.0").await?;
    // A year passes in which nobody looked.
    it.release("1.2.0").await?;
    runs(&it, "dev", "1.2.0").await?;
    it.wait(("Stage", "prod"), "it soaks", soaks).await?;
    real.advance(Duration::from_hours(365 * 24));
    runs(&it, "prod", "1.2.0").await?;
    Ok(())
}
