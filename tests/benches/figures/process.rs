//! Figures of the program as a process of its own, away from registry and client.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use scenarios::{Backend, Objects};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use world::registry;

use crate::{Figure, create_all, policy, ready_with, repository, resident, until_by};

/// How many images, repositories and policies there are.
const N: usize = 1000;
/// How long idle is watched; two rounds of the objects' interval.
pub(super) const IDLE: Duration = Duration::from_mins(2);
/// Ticks a second of the times in `/proc/PID/stat`; Linux never shows others.
const TICKS: f64 = 100.0;

/// The program; killed when dropped.
pub(super) struct Process {
    child: Child,
    folder: TempDir,
}

impl Process {
    pub(super) fn up(arguments: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        let mut command = Command::new(env!("CARGO_BIN_EXE_scenarios"));
        command.arg("up").arg("--data-dir").arg(&data).args(arguments);
        Self::spawn(command, folder)
    }

    /// The controllers alone, on the API server of another process.
    fn run(server: &Self) -> Result<Self> {
        Self::run_with(server, &[])
    }

    /// The same with more flags.
    pub(super) fn run_with(server: &Self, flags: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_scenarios"));
        command.arg("run").arg("--storage-path").arg(folder.path().join("data"));
        command.args(["--metrics-addr=0", "--health-addr=0"]).args(flags);
        command.env("KUBECONFIG", server.kubeconfig());
        Self::spawn(command, folder)
    }

    fn spawn(mut command: Command, folder: TempDir) -> Result<Self> {
        let log = std::fs::File::create(folder.path().join("log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        Ok(Self { child: command.spawn()?, folder })
    }

    fn kubeconfig(&self) -> std::path::PathBuf {
        self.folder.path().join("data/kubeconfig")
    }

    /// Waits until the API answers.
    pub(super) async fn answers(&mut self) -> Result<Objects> {
        let started = Instant::now();
        loop {
            if let Ok(objects) = connect(&self.kubeconfig()).await {
                return Ok(objects);
            }
            if self.child.try_wait()?.is_some() || started.elapsed() > Duration::from_mins(1) {
                let log = std::fs::read_to_string(self.folder.path().join("log"))?;
                bail!("it does not answer: {log}");
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The most memory it ever had, in MiB.
    pub(super) fn peak(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()?))?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).context("no VmHWM")?;
        let kib: f64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
        Ok(kib / 1024.0)
    }

    /// What it has said.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn id(&self) -> Result<String> {
        Ok(self.child.id().context("it ended")?.to_string())
    }

    /// Time it has spent on processors, in seconds.
    pub(super) fn busy(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id()?))?;
        // The name in parentheses may hold blanks; user and system time are 12th and 13th after it.
        let fields = stat.rsplit_once(')').context("no name")?.1;
        let ticks = |n: usize| -> Result<f64> {
            Ok(fields.split_whitespace().nth(n).context("no such field")?.parse()?)
        };
        Ok((ticks(11)? + ticks(12)?) / TICKS)
    }

    fn memory(&self) -> Result<f64> {
        resident(&self.id()?)
    }
}

async fn connect(kubeconfig: &Path) -> Result<Objects> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
    let client = kube::Client::try_from(config)?;
    client.apiserver_version().await?;
    Ok(Objects::new(client))
}

fn figure(name: &'static str, value: f64, unit: &'static str, target: f64, n: usize) -> Figure {
    Figure { name, value, unit, target, server: Backend::Embedded, n, peer: None }
}

/// Seconds from the start of `sluice up` on an empty folder to the first answer; median.
pub(super) async fn up_serves() -> Result<Figure> {
    const TIMES: usize = 5;
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let started = Instant::now();
        let mut process = Process::up(&[])?;
        process.answers().await?;
        times.push(started.elapsed());
        process.child.kill().await?;
    }
    times.sort();
    Ok(figure("up-serves", times[TIMES / 2].as_secs_f64(), "s", 1.0, TIMES))
}

/// Memory of `sluice up` when 1,000 repositories and 1,000 policies are ready, and the share of one
/// core it then takes to scan each repository once a minute.
pub(super) async fn up_idle() -> Result<Vec<Figure>> {
    let (registry, mut process) = (images().await?, Process::up(&[])?);
    fill(&process.answers().await?, &registry).await?;
    let memory = figure("up-memory", process.memory()?, "MiB", 120.0, N);
    let (before, started) = (process.busy()?, Instant::now());
    tokio::time::sleep(IDLE).await;
    let share = (process.busy()? - before) / started.elapsed().as_secs_f64();
    let after = figure("up-memory-idle", process.memory()?, "MiB", 120.0, N);
    Ok(vec![memory, figure("idle-cpu", share * 100.0, "%", 3.0, N), after])
}

/// Memory of `sluice run` with the same objects, on an API server in another process.
pub(super) async fn run_memory() -> Result<Figure> {
    let nobody = "--watch-label-selector=reconciled-by=up";
    let (registry, mut server) = (images().await?, Process::up(&[nobody])?);
    let objects = server.answers().await?;
    let process = Process::run(&server)?;
    fill(&objects, &registry).await?;
    Ok(figure("run-memory", process.memory()?, "MiB", 120.0, N))
}

async fn images() -> Result<registry::Server> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let registry = registry::Server::start().await?;
    for n in 0..N {
        registry.publish(&format!("app{n}"), "1.0.0");
    }
    Ok(registry)
}

/// Creates all objects, and waits until they are ready.
async fn fill(objects: &Objects, registry: &registry::Server) -> Result<()> {
    objects.namespace("bench").await?;
    let all = (0..N).flat_map(|n| {
        let name = format!("app{n}");
        let mut repository = repository(&name, &registry.image(&name));
        repository["spec"]["interval"] = json!("1m");
        [repository, policy(&name, &name, ">=1.0.0")]
    });
    create_all(objects, all).await?;
    until_by(Duration::from_millis(200), Duration::from_mins(3), || async {
        ready_with(objects, "ImageRepository").await + ready_with(objects, "ImagePolicy").await
            == 2 * N
    })
    .await
}
