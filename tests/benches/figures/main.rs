//! What is promised in figures. Each bench prints one JSON line
//! `{name, value, unit, target, peer, ratio, server, n}`; the process exits with 1 when a target is
//! missed. Run all with `cargo bench -p scenarios`, one by its name as an argument.
//!
//! `peer` and `ratio` are null where there is no tool to compare with. With `SLUICE_BENCH_N` set, the
//! benches of sources, charts, Kustomizations and releases run with that many things instead of their own number, to see that they run.
#![allow(clippy::print_stdout, reason = "figures are printed")]

mod build;
mod chart;
mod kustomization;
mod process;
mod promotion;
mod release;
mod source;

use std::{
    collections::BTreeSet,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::api::{WatchEvent, WatchParams};
use scenarios::{Backend, Objects, World};
use serde_json::{Value, json};

const IMAGES: &str = "image.toolkit.fluxcd.io/v1";
const REPOSITORY: (&str, &str) = (IMAGES, "ImageRepository");

/// How many things there are in a bench of sources.
fn sized(usual: usize) -> usize {
    let given = std::env::var("SLUICE_BENCH_N").ok().and_then(|it| it.parse().ok());
    given.unwrap_or(usual)
}

/// One figure against its target.
struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
    target: f64,
    server: Backend,
    n: usize,
    /// The value of the tool to compare with.
    peer: Option<f64>,
}

impl Figure {
    /// Prints the figure. Whether the target is met.
    fn tell(&self) -> bool {
        let line = json!({
            "name": self.name, "value": self.value, "unit": self.unit, "target": self.target,
            "peer": self.peer, "ratio": self.peer.map(|peer| self.value / peer),
            "server": self.server.to_string(), "n": self.n,
        });
        println!("{line}");
        self.value < self.target
    }
}

/// The figures that are measured together, by the names they can be asked for with; and whether on both servers.
const JOBS: &[(&[&str], bool)] = &[
    (&["build-overlays", "build-engine", "build-references"], false),
    (&["charts-rendered", "charts-memory", "charts-engine"], false),
    (&["up-serves"], false),
    (&["up-memory", "idle-cpu"], false),
    (&["run-memory"], false),
    (&["first-fetch", "one-file-commit"], false),
    (&["changed-set"], false),
    (&["unchanged-poll", "idle-sources"], false),
    (&["index-memory"], false),
    (&["promotion-storm", "promotion-idle-looks"], false),
    (&["merge-noticed"], false),
    (&["oci-ready"], true),
    (&["tag-to-commit"], true),
    (&["thousand-ready"], true),
    (&["kustomizations", "commit", "drift"], true),
    (&["releases"], true),
    (&["many-policies"], true),
];

/// Which of the jobs a process is for: its first name, and the server.
const JOB: &str = "SLUICE_BENCH_JOB";

fn main() -> Result<ExitCode> {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    let wants =
        |name: &str| wanted.is_empty() || wanted.iter().any(|it| name.contains(it.as_str()));
    let met = match std::env::var(JOB) {
        Ok(job) => one(&job, &wants)?,
        Err(_) => all(&wants)?,
    };
    Ok(if met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs what is wanted, each job in a process of its own: the memory that one leaves behind is not the
/// next one's.
fn all(wants: &impl Fn(&str) -> bool) -> Result<bool> {
    let program = std::env::current_exe()?;
    let mut met = true;
    for (names, both) in JOBS {
        if !names.iter().any(|name| wants(name)) {
            continue;
        }
        let servers = if *both { Backend::available("figures") } else { vec![Backend::Embedded] };
        for server in servers {
            let mut job = Command::new(&program);
            job.args(std::env::args().skip(1)).env(JOB, format!("{}/{server}", names[0]));
            met &= job.status()?.success();
        }
    }
    Ok(met)
}

/// Runs one job. Whether all its targets are met.
fn one(job: &str, wants: &impl Fn(&str) -> bool) -> Result<bool> {
    // Not every bench makes a world, which does this too.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let (job, server) = job.split_once('/').context("a job and a server")?;
    let mut backends = [Backend::Embedded, Backend::Kubernetes].into_iter();
    let backend = backends.find(|it| it.to_string() == server).context("a server")?;
    let figures = tokio::runtime::Runtime::new()?.block_on(figures(job, backend, wants))?;
    // All are told, also after one that misses its target.
    let missed = figures.iter().filter(|it| !it.tell()).count();
    Ok(missed == 0)
}

async fn figures(
    job: &str,
    backend: Backend,
    wants: &impl Fn(&str) -> bool,
) -> Result<Vec<Figure>> {
    let number = std::env::var("SLUICE_BENCH_N").ok().and_then(|text| text.parse().ok());
    Ok(match job {
        "build-overlays" => build::figures(wants, number)?,
        "charts-rendered" => chart::figures(wants, number)?,
        "up-serves" => vec![process::up_serves().await?],
        "up-memory" => process::up_idle().await?,
        "run-memory" => vec![process::run_memory().await?],
        "first-fetch" => source::first_fetch().await?,
        "changed-set" => vec![source::changed_set().await?],
        "unchanged-poll" => source::unchanged().await?,
        "index-memory" => vec![source::index_memory().await?],
        "promotion-storm" => promotion::storm().await?,
        "merge-noticed" => promotion::merge_noticed().await?.into_iter().collect(),
        "oci-ready" => vec![source::oci_ready(backend).await?],
        "tag-to-commit" => vec![tag_to_commit(backend).await?],
        "thousand-ready" => thousand_ready(backend).await?,
        "kustomizations" => kustomization::figures(backend, number.unwrap_or(500)).await?,
        "releases" => release::figures(backend, number.unwrap_or(300)).await?,
        "many-policies" => many_policies(backend).await?,
        other => anyhow::bail!("there is no bench '{other}'"),
    })
}

/// Milliseconds from a scan asked for to the commit on the server: 5,000 files, warm mirror.
async fn tag_to_commit(backend: Backend) -> Result<Figure> {
    const N: usize = 20;
    let world = World::start(backend).await?;
    let image = world.registry.image("app");
    world.registry.publish("app", "1.0.0");
    let files = (0..5000).map(|n| {
        let marker = if n == 0 { "# {\"$imagepolicy\": \"bench:app\"}" } else { "" };
        let text = format!(
            "kind: Thing\nmetadata:\n  name: t{n}\nspec:\n  image: {image}:0.0.0 {marker}\n"
        );
        (format!("apps/{}/{n}.yaml", n % 50), text.into_bytes())
    });
    world.git.create("fleet", "main", files).await?;
    world.objects.namespace("bench").await?;
    create(&world, &repository("app", &image)).await?;
    create(&world, &policy("app", "app", ">=0.0.0")).await?;
    automate(&world).await?;
    committed(&world, None).await?;
    let mut times = Vec::new();
    for n in 1..=N {
        let before = head(&world)?;
        world.registry.publish("app", &format!("1.0.{n}"));
        let started = Instant::now();
        request(&world, "app", n).await?;
        committed(&world, Some(&before)).await?;
        times.push(started.elapsed());
    }
    times.sort();
    let target = if backend == Backend::Embedded { 300.0 } else { 500.0 };
    let value = times[N / 2].as_secs_f64() * 1000.0;
    Ok(Figure {
        name: "tag-to-commit",
        value,
        unit: "ms",
        target,
        server: backend,
        n: N,
        peer: None,
    })
}

/// Seconds from the last object created to all Ready, and memory, for 1,000 repositories and
/// 1,000 policies. The memory is that of the whole process, registry and control plane included.
async fn thousand_ready(backend: Backend) -> Result<Vec<Figure>> {
    const N: usize = 1000;
    let world = World::start(backend).await?;
    world.objects.namespace("bench").await?;
    for n in 0..N {
        world.registry.publish(&format!("app{n}"), "1.0.0");
    }
    let objects = (0..N).flat_map(|n| {
        let name = format!("app{n}");
        let image = world.registry.image(&name);
        [repository(&name, &image), policy(&name, &name, ">=1.0.0")]
    });
    create_all(&world.objects, objects).await?;
    let started = Instant::now();
    let ready = |it: &Value| scenarios::condition(it, "Ready")["status"] == "True";
    let all = async {
        until_all(&world.objects, (IMAGES, "ImageRepository"), N, ready).await?;
        until_all(&world.objects, (IMAGES, "ImagePolicy"), N, ready).await
    };
    tokio::time::timeout(Duration::from_mins(2), all).await.context("not all are ready")??;
    let value = started.elapsed().as_secs_f64();
    let (target, server) = (if backend == Backend::Embedded { 10.0 } else { 20.0 }, backend);
    let time =
        Figure { name: "thousand-ready", value, unit: "s", target, server, n: N, peer: None };
    let value = resident("self")?;
    let memory = Figure {
        name: "thousand-ready-memory",
        value,
        unit: "MiB",
        target: 120.0,
        server,
        n: N,
        peer: None,
    };
    Ok(vec![time, memory])
}

/// Commits, and seconds after the last change, when 200 policies change at once.
async fn many_policies(backend: Backend) -> Result<Vec<Figure>> {
    const N: usize = 200;
    let world = World::start(backend).await?;
    let image = world.registry.image("app");
    world.registry.publish("app", "1.0.0");
    let line = |n| format!("v{n}: {image}:0.0.0 # {{\"$imagepolicy\": \"bench:p{n}\"}}");
    let lines: Vec<String> = (0..N).map(line).collect();
    let files = [("values.yaml".to_owned(), lines.join("\n").into_bytes())];
    world.git.create("fleet", "main", files).await?;
    world.objects.namespace("bench").await?;
    create(&world, &repository("app", &image)).await?;
    for n in 0..N {
        create(&world, &policy(&format!("p{n}"), "app", ">=0.0.0")).await?;
    }
    until(Duration::from_mins(1), || async { ready(&world, "ImagePolicy").await == N }).await?;
    automate(&world).await?;
    committed(&world, None).await?;
    let before = head(&world)?;
    world.registry.publish("app", "1.1.0");
    request(&world, "app", 1).await?;
    let latest = |policies: &[Value]| {
        policies.iter().filter(|it| it["status"]["latestRef"]["tag"] == "1.1.0").count()
    };
    until(Duration::from_mins(1), || async {
        let policies = world.objects.list(IMAGES, "ImagePolicy", "bench").await;
        latest(&policies.unwrap_or_default()) == N
    })
    .await?;
    let started = Instant::now();
    let fleet = world.git.repository("fleet")?;
    let wanted = format!("{image}:1.1.0");
    until(Duration::from_mins(1), || async {
        let text = fleet.read_file("main", "values.yaml").await.ok().flatten().unwrap_or_default();
        String::from_utf8_lossy(&text).matches(&wanted).count() == N
    })
    .await?;
    let value = started.elapsed().as_secs_f64();
    let commits = fleet.git(["rev-list", "--count", &format!("{before}..main")]).await?;
    let commits: f64 = commits.trim().parse()?;
    let server = backend;
    Ok(vec![
        Figure { name: "many-policies", value, unit: "s", target: 1.0, server, n: N, peer: None },
        Figure {
            name: "many-policies-commits",
            value: commits,
            unit: "",
            target: 1.5,
            server,
            n: N,
            peer: None,
        },
    ])
}

fn repository(name: &str, image: &str) -> Value {
    json!({
        "apiVersion": IMAGES, "kind": "ImageRepository",
        "metadata": {"name": name, "namespace": "bench"},
        "spec": {"image": image, "interval": "1h"},
    })
}

fn policy(name: &str, repository: &str, range: &str) -> Value {
    json!({
        "apiVersion": IMAGES, "kind": "ImagePolicy",
        "metadata": {"name": name, "namespace": "bench"},
        "spec": {
            "imageRepositoryRef": {"name": repository},
            "policy": {"semver": {"range": range}},
        },
    })
}

async fn automate(world: &World) -> Result<()> {
    let git = json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
        "metadata": {"name": "fleet", "namespace": "bench"},
        "spec": {
            "url": world.git.repository_url("fleet"), "interval": "1h", "ref": {"branch": "main"},
        },
    });
    let automation = json!({
        "apiVersion": IMAGES, "kind": "ImageUpdateAutomation",
        "metadata": {"name": "fleet", "namespace": "bench"},
        "spec": {
            "interval": "1h", "sourceRef": {"kind": "GitRepository", "name": "fleet"},
            "git": {"commit": {"author": {"email": "bench@example.com"}}},
        },
    });
    create(world, &git).await?;
    create(world, &automation).await
}

async fn create(world: &World, object: &Value) -> Result<()> {
    create_with(&world.objects, object).await
}

async fn create_with(objects: &Objects, object: &Value) -> Result<()> {
    let created = objects.create(Some("bench"), object).await?;
    created.map_err(|refused| anyhow::anyhow!("{}", refused.0))
}

/// Creates many objects at once.
async fn create_all(objects: &Objects, all: impl Iterator<Item = Value>) -> Result<()> {
    let created = stream::iter(all)
        .map(|object| async move { create_with(objects, &object).await })
        .buffer_unordered(32)
        .collect::<Vec<_>>()
        .await;
    created.into_iter().collect()
}

async fn request(world: &World, name: &str, n: usize) -> Result<()> {
    let patch =
        json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": n.to_string()}}});
    world.objects.patch(REPOSITORY, ("bench", name), &patch).await
}

async fn ready(world: &World, kind: &str) -> usize {
    ready_with(&world.objects, kind).await
}

async fn ready_with(objects: &Objects, kind: &str) -> usize {
    let objects = objects.list(IMAGES, kind, "bench").await.unwrap_or_default();
    let is_ready = |object: &&Value| {
        let conditions = object["status"]["conditions"].as_array();
        conditions.into_iter().flatten().any(|it| it["type"] == "Ready" && it["status"] == "True")
    };
    objects.iter().filter(is_ready).count()
}

/// The head of the branch, read from disk: a process for each look would be most of the time.
fn head(world: &World) -> Result<String> {
    let path = world.git.dir().join("fleet.git/refs/heads/main");
    Ok(std::fs::read_to_string(path).context("the branch has no head")?.trim().to_owned())
}

async fn committed(world: &World, before: Option<&str>) -> Result<()> {
    let first = head(world)?;
    let before = before.unwrap_or(&first).to_owned();
    until(Duration::from_mins(1), || async {
        head(world).is_ok_and(|now| !now.is_empty() && now != before)
    })
    .await
}

async fn until<F: Future<Output = bool>>(limit: Duration, holds: impl Fn() -> F) -> Result<()> {
    until_by(Duration::from_millis(2), limit, holds).await
}

/// Looks every `pause`: often where looking is cheap, seldom where it would be most of the work.
async fn until_by<F: Future<Output = bool>>(
    pause: Duration,
    limit: Duration,
    holds: impl Fn() -> F,
) -> Result<()> {
    let started = Instant::now();
    while !holds().await {
        anyhow::ensure!(started.elapsed() < limit, "it did not come true within {limit:?}");
        tokio::time::sleep(pause).await;
    }
    Ok(())
}

/// Waits until `n` objects of a kind hold; follows them with a watch, since listing all of them again
/// and again would be much of the work that is measured.
async fn until_all(
    objects: &Objects,
    kind: (&str, &str),
    n: usize,
    holds: impl Fn(&Value) -> bool,
) -> Result<()> {
    let api = objects.api(kind.0, kind.1, "bench").await?;
    let mut holding = BTreeSet::new();
    loop {
        let mut events = api.watch(&WatchParams::default(), "0").await?.boxed();
        while let Some(event) = events.try_next().await? {
            let (WatchEvent::Added(it) | WatchEvent::Modified(it)) = event else { continue };
            let name = it.metadata.name.clone().context("no name")?;
            if holds(&serde_json::to_value(it)?) {
                holding.insert(name);
            } else {
                holding.remove(&name);
            }
            if holding.len() == n {
                return Ok(());
            }
        }
    }
}

/// Memory of a process in MiB; `self` is this one.
fn resident(process: &str) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
    Ok(kib / 1024.0)
}
