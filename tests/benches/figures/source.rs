//! Figures of sources: what fetching, looking again and large things cost.

use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use axum::{Router, body::Body, routing::get};
use scenarios::{Backend, Objects, World};
use serde_json::{Value, json};
use tokio::process::Command;
use world::{git, registry};

use crate::{Figure, create_all, create_with, process::Process, sized, until_by};

const SOURCES: &str = "source.toolkit.fluxcd.io/v1";
const LAYER: &str = "application/vnd.cncf.flux.content.v1.tar+gzip";
const LOOK: Duration = Duration::from_millis(20);

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": SOURCES, "kind": kind,
        "metadata": {"name": name, "namespace": "bench"}, "spec": spec,
    })
}

fn oci(name: &str, registry: &registry::Server, interval: &str) -> Value {
    let url = format!("oci://{}", registry.image("app"));
    object("OCIRepository", name, &json!({"url": url, "insecure": true, "interval": interval}))
}

fn fleet(name: &str, git: &git::Server, interval: &str) -> Value {
    let spec = json!({
        "url": git.repository_url("fleet"), "interval": interval, "ref": {"branch": "main"},
    });
    object("GitRepository", name, &spec)
}

/// An empty archive is enough where only the way of it counts.
fn publish(registry: &registry::Server) {
    // A gzipped tar archive without entries.
    let layer: [u8; 29] = [
        31, 139, 8, 0, 0, 0, 0, 0, 0, 255, 99, 96, 24, 5, 163, 96, 20, 140, 84, 0, 0, 46, 175, 181,
        239, 0, 4, 0, 0,
    ];
    let layers = [(LAYER, layer.as_slice())];
    registry.store().publish_layers("app", "latest", &layers, &BTreeMap::default());
}

async fn ready(objects: &Objects, kind: &str) -> usize {
    let all = objects.list(SOURCES, kind, "bench").await.unwrap_or_default();
    all.iter().filter(|it| scenarios::condition(it, "Ready")["status"] == "True").count()
}

/// Seconds from the last of many `OCIRepositories` created to all of them Ready.
pub(super) async fn oci_ready(backend: Backend) -> Result<Figure> {
    let n = sized(1000);
    let world = World::start(backend).await?;
    world.objects.namespace("bench").await?;
    publish(&world.registry);
    let all = (0..n).map(|n| oci(&format!("app{n}"), &world.registry, "1h"));
    create_all(&world.objects, all).await?;
    let started = Instant::now();
    until_by(Duration::from_millis(100), Duration::from_mins(3), || async {
        ready(&world.objects, "OCIRepository").await == n
    })
    .await?;
    let value = started.elapsed().as_secs_f64();
    let target = if backend == Backend::Embedded { 15.0 } else { 30.0 };
    Ok(Figure { name: "oci-ready", value, unit: "s", target, server: backend, n, peer: None })
}

/// Seconds of the first fetch of a repository with many files, against `git clone --depth 1`, and of
/// the artifact after a commit of one file.
pub(super) async fn first_fetch() -> Result<Vec<Figure>> {
    let n = sized(20_000);
    let world = World::start(Backend::Embedded).await?;
    world.objects.namespace("bench").await?;
    let files = (0..n).map(|n| {
        let text = format!("kind: Thing\nmetadata:\n  name: t{n}\nspec:\n  replicas: {}\n", n % 7);
        (format!("apps/{}/{n}.yaml", n % 200), text.into_bytes())
    });
    let repository = world.git.create("fleet", "main", files).await?;
    let folder = tempfile::tempdir()?;
    let started = Instant::now();
    let cloned = Command::new("git")
        .args(["clone", "--quiet", "--depth", "1", &world.git.repository_url("fleet")])
        .arg(folder.path().join("clone"))
        .status()
        .await?;
    ensure!(cloned.success(), "git cannot clone");
    let peer = started.elapsed().as_secs_f64();
    let revision = |commit: &str| format!("main@sha1:{commit}");
    let at = async |commit: &str| {
        let wanted = revision(commit);
        until_by(LOOK, Duration::from_mins(2), || async {
            let it = world.objects.get(SOURCES, "GitRepository", "bench", "fleet").await;
            it.unwrap_or_default()["status"]["artifact"]["revision"] == wanted.as_str()
        })
        .await
    };
    let head = repository.head("main").await?.context("a head")?;
    let started = Instant::now();
    create_with(&world.objects, &fleet("fleet", &world.git, "1h")).await?;
    at(&head).await?;
    let value = started.elapsed().as_secs_f64();
    let (unit, server) = ("s", Backend::Embedded);
    let target = 1.2 * peer;
    let first = Figure { name: "first-fetch", value, unit, target, server, n, peer: Some(peer) };
    let head = repository.commit("main", [("apps/0/0.yaml", "kind: Other\n")], "one").await?;
    let started = Instant::now();
    request(&world.objects, "GitRepository", "fleet").await?;
    at(&head).await?;
    let value = started.elapsed().as_secs_f64();
    let one = Figure { name: "one-file-commit", value, unit, target: 1.0, server, n, peer: None };
    Ok(vec![first, one])
}

/// Milliseconds until it is known which of many files a commit changed: the fetch into a mirror that
/// has the commit before, and both trees compared. The slowest of ten.
pub(super) async fn changed_set() -> Result<Figure> {
    let n = sized(20_000);
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let server = git::Server::start(git::Options::default()).await?;
    let files = (0..n).map(|n| (format!("apps/{}/{n}.yaml", n % 200), format!("n: {n}\n")));
    let repository = server.create("fleet", "main", files).await?;
    let folder = tempfile::tempdir()?;
    let network = ::git::Network::new(::git::Options::default());
    let mirrors = ::git::Mirrors::open(folder.path(), ::git::Limits::default(), network)?;
    let remote = ::git::Remote::anonymous(&server.repository_url("fleet"))?;
    let want = ::git::Want::branch("main");
    let files = async || {
        let fetched = mirrors.fetch("bench", &remote, &want).await?;
        let commit = fetched.commit("refs/heads/main").context("main is there")?;
        anyhow::Ok(fetched.snapshot(commit).await?.files("").await?)
    };
    let mut before = files().await?;
    let mut slowest: f64 = 0.0;
    for turn in 0..10 {
        let path = format!("apps/{turn}/{turn}.yaml");
        repository.commit("main", [(path.as_str(), "n: other\n")], "one").await?;
        let started = Instant::now();
        let after = files().await?;
        let old: HashSet<_> = before.iter().map(|it| (&it.path, it.id)).collect();
        let changed: Vec<_> = after.iter().filter(|it| !old.contains(&(&it.path, it.id))).collect();
        slowest = slowest.max(started.elapsed().as_secs_f64() * 1000.0);
        ensure!(changed.len() == 1 && changed[0].path == path, "{changed:?} changed");
        before = after;
    }
    let (name, unit, server) = ("changed-set", "ms", Backend::Embedded);
    Ok(Figure { name, value: slowest, unit, target: 150.0, server, n, peer: None })
}

async fn request(objects: &Objects, kind: &str, name: &str) -> Result<()> {
    let patch = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "now"}}});
    objects.patch((SOURCES, kind), ("bench", name), &patch).await
}

/// Milliseconds of processor and requests for a look at a source that has not changed, and the share
/// of one core that many sources take with a look a minute.
pub(super) async fn unchanged() -> Result<Vec<Figure>> {
    let n = sized(1000) / 2;
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let registry = registry::Server::start().await?;
    publish(&registry);
    let git = git::Server::start(git::Options::default()).await?;
    git.create("fleet", "main", [("a", "1")]).await?;
    let mut process = Process::up(&[])?;
    let objects = process.answers().await?;
    objects.namespace("bench").await?;
    let all = (0..n).flat_map(|n| {
        let name = format!("app{n}");
        [oci(&name, &registry, "1m"), fleet(&name, &git, "1m")]
    });
    create_all(&objects, all).await?;
    until_by(Duration::from_millis(200), Duration::from_mins(5), || async {
        ready(&objects, "OCIRepository").await + ready(&objects, "GitRepository").await == 2 * n
    })
    .await?;
    let looks = || git.counts().ls_refs + registry.requests().len();
    let (clones, before) = (git.counts().fetches, looks());
    let (busy, started) = (process.busy()?, Instant::now());
    tokio::time::sleep(crate::process::IDLE).await;
    let (spent, time) = (process.busy()? - busy, started.elapsed().as_secs_f64());
    let made = looks() - before;
    ensure!(made > 0, "nothing was looked at");
    ensure!(git.counts().fetches == clones, "what has not changed was fetched again");
    #[expect(clippy::cast_precision_loss, reason = "a few thousands")]
    let each = spent * 1000.0 / made as f64;
    // Two looks at each in two minutes, give or take the jitter.
    #[expect(clippy::cast_precision_loss, reason = "a few thousands")]
    let requests = made as f64 / (2.0 * 2.0 * n as f64);
    let figure = |name, value, unit, target| Figure {
        name,
        value,
        unit,
        target,
        server: Backend::Embedded,
        n: 2 * n,
        peer: None,
    };
    Ok(vec![
        figure("unchanged-poll", each, "ms", 5.0),
        figure("unchanged-poll-requests", requests, "", 1.3),
        figure("idle-sources", spent / time * 100.0, "%", 10.0),
    ])
}

/// Most memory, in MiB, of a process that has only an index of this many MB to read.
pub(super) async fn index_memory() -> Result<Figure> {
    let n = sized(300);
    let (url, task) = serve_index(n).await?;
    let nobody = "--watch-label-selector=reconciled-by=up";
    let mut server = Process::up(&[nobody])?;
    let objects = server.answers().await?;
    let process = Process::run_with(&server, &["--helm-index-max-size=524288000"])?;
    objects.namespace("bench").await?;
    let spec = json!({"url": url, "interval": "1h", "timeout": "59s"});
    create_with(&objects, &object("HelmRepository", "charts", &spec)).await?;
    let done = until_by(Duration::from_millis(200), Duration::from_mins(3), || async {
        ready(&objects, "HelmRepository").await == 1
    });
    done.await.with_context(|| process.log())?;
    task.abort();
    let value = process.peak()?;
    let server = Backend::Embedded;
    Ok(Figure { name: "index-memory", value, unit: "MiB", target: 200.0, server, n, peer: None })
}

/// Serves an index of so many MB, made while it is sent.
async fn serve_index(megabytes: usize) -> Result<(String, tokio::task::JoinHandle<()>)> {
    let router = Router::new().route(
        "/index.yaml",
        get(move || async move {
            let head = futures::stream::iter([Ok("apiVersion: v1\nentries:\n".to_owned())]);
            // A chart with 2,000 versions of 500 bytes is one MB.
            let charts = futures::stream::iter((0..megabytes).map(|chart| {
                let mut text = format!("  chart{chart}:\n");
                for version in 0..2000 {
                    text += &entry(chart, version);
                }
                Ok::<_, std::io::Error>(text)
            }));
            Body::from_stream(futures::StreamExt::chain(head, charts))
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let task = tokio::spawn(async move {
        // It ends with the bench.
        let _ = axum::serve(listener, router).await;
    });
    Ok((url, task))
}

fn entry(chart: usize, version: usize) -> String {
    let mut text = format!(
        "  - apiVersion: v2\n    appVersion: {version}.0.0\n    created: \
         \"2026-11-21T10:00:00.000000Z\"\n    digest: {version:064x}\n    name: chart{chart}\n    \
         urls:\n    - charts/chart{chart}-1.{version}.0.tgz\n    version: 1.{version}.0\n    \
         description: "
    );
    let missing = 499_usize.saturating_sub(text.len());
    text.extend(std::iter::repeat_n('d', missing.max(1)));
    text.push('\n');
    text
}
