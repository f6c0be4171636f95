//! Two tenants with one address: what one may see, the other does not.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use scenarios::{Options, Tenant, World};
use serde_json::{Value, json};
use world::git;

use crate::{
    artifact::{archive, served},
    web::Web,
};

const PASSWORD: &str = "pa55-of-both";
const WRONG: &str = "wr0ng-password";

/// A tenant with a password, right or not.
async fn tenant(world: &Arc<World>, name: &str, password: &str) -> Result<Tenant> {
    let it = world.tenant(name).await?;
    it.secret("login", &[("username", "user"), ("password", password)]).await?;
    Ok(it)
}

/// What the other tenant may see: why not, and nothing else.
async fn sees_nothing(it: &Tenant, (kind, name): (&str, &str)) -> Result<()> {
    let now = it.get((kind, name)).await.context("it is there")?;
    ensure!(now["status"]["artifact"].is_null(), "{now}");
    let folder = format!("{}/{}", kind.to_lowercase(), it.namespace);
    let folder = it.world.storage().join(folder).join(name);
    let left = std::fs::read_dir(&folder).map(Iterator::count).unwrap_or_default();
    ensure!(left == 0, "{} has {left} files", folder.display());
    let said = it.everything_said().await? + &now["status"].to_string();
    ensure!(!said.contains(PASSWORD) && !said.contains(WRONG), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_is_no_way_around_a_password() -> Result<()> {
    let basic = Some(("user".to_owned(), PASSWORD.to_owned()));
    let git = git::Options { basic, ..git::Options::default() };
    let world = Arc::new(World::with(Options { git, ..Options::default() }).await?);
    world.git.create("shared", "main", [("a", "secret of one tenant")]).await?;
    let url = world.git.repository_url("shared");
    let repository = |it: &Tenant, secret: &str| {
        it.git_repository(&json!({"url": url, "secretRef": {"name": secret}}))
    };
    let (one, other) =
        (tenant(&world, "one", PASSWORD).await?, tenant(&world, "other", WRONG).await?);
    one.create(&repository(&one, "login")).await?;
    let ready = one.ready("GitRepository", "fleet").await?;
    // The mirror is warm now.
    other.create(&repository(&other, "login")).await?;
    let why = other.failing("GitRepository", "fleet", "GitOperationFailed").await?;
    ensure!(why.contains("authentication required"), "{why}");
    sees_nothing(&other, ("GitRepository", "fleet")).await?;
    // Without any login it is the same, and the first one does not suffer.
    let mut bare = repository(&other, "login");
    bare["metadata"]["name"] = json!("bare");
    bare["spec"]["secretRef"] = Value::Null;
    other.create(&bare).await?;
    other.failing("GitRepository", "bare", "GitOperationFailed").await?;
    sees_nothing(&other, ("GitRepository", "bare")).await?;
    let again = one.request("GitRepository", "fleet").await?;
    ensure!(again["status"]["artifact"] == ready["status"]["artifact"], "{again}");
    served(&again).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_and_its_charts_are_no_way_around_a_password() -> Result<()> {
    let world = Arc::new(World::with(Options::default()).await?);
    let web = Web::start().await?;
    // `user:pa55-of-both`
    web.want("Basic dXNlcjpwYTU1LW9mLWJvdGg=");
    let chart = "apiVersion: v2\nname: demo\nversion: 1.0.0\n";
    web.put("/demo-1.0.0.tgz", archive(&[("demo/Chart.yaml", chart)]));
    let entry = "{apiVersion: v2, name: demo, version: 1.0.0, urls: [demo-1.0.0.tgz]}";
    web.put("/index.yaml", format!("apiVersion: v1\nentries:\n  demo: [{entry}]\n"));
    let (one, other) =
        (tenant(&world, "one", PASSWORD).await?, tenant(&world, "other", WRONG).await?);
    for it in [&one, &other] {
        let spec = json!({"url": web.url(""), "secretRef": {"name": "login"}});
        it.create(&it.source("HelmRepository", "charts", json!({"interval": "1h"}), &spec)).await?;
    }
    one.ready("HelmRepository", "charts").await?;
    let why = other.failing("HelmRepository", "charts", "Failed").await?;
    ensure!(why.contains("401 Unauthorized"), "{why}");
    sees_nothing(&other, ("HelmRepository", "charts")).await?;
    let usual = json!({
        "chart": "demo", "interval": "1h",
        "sourceRef": {"kind": "HelmRepository", "name": "charts"},
    });
    for it in [&one, &other] {
        it.create(&it.source("HelmChart", "demo", usual.clone(), &json!({}))).await?;
    }
    one.ready("HelmChart", "demo").await?;
    other.failing("HelmChart", "demo", "NoSourceArtifact").await?;
    sees_nothing(&other, ("HelmChart", "demo")).await?;
    Ok(())
}
