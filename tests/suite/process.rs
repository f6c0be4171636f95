//! `sluice up` as a process of its own, on a folder that outlives it.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use scenarios::Objects;
use tokio::process::{Child, Command};

/// The process, if it runs, and its folder.
pub(crate) struct Process {
    folder: tempfile::TempDir,
    pub(crate) child: Option<Child>,
    pub(crate) objects: Option<Objects>,
}

impl Process {
    pub(crate) fn new() -> Result<Self> {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        Ok(Self { folder: tempfile::tempdir()?, child: None, objects: None })
    }

    /// Starts the process; what it says goes to a file.
    pub(crate) fn spawn(&mut self, arguments: &[&str]) -> Result<()> {
        let log = std::fs::File::options().create(true).append(true).open(self.path("log"))?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_scenarios"));
        command.arg("up").arg("--data-dir").arg(self.path("data")).args(arguments);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        self.child = Some(command.spawn()?);
        self.objects = None;
        Ok(())
    }

    /// Ends it as the kernel does when memory is short.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        let mut child = self.child.take().context("it runs")?;
        if let Some(code) = child.try_wait()? {
            bail!("it ended by itself with {code}: {}", self.log());
        }
        Ok(child.kill().await?)
    }

    /// Waits until the process answers.
    pub(crate) async fn answers(&mut self) -> Result<Objects> {
        for _ in 0..1000 {
            if let Ok(objects) = self.connect().await {
                self.objects = Some(objects.clone());
                return Ok(objects);
            }
            let child = self.child.as_mut().context("it runs")?;
            if let Some(code) = child.try_wait()? {
                bail!("it ended by itself with {code}: {}", self.log());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("it does not answer: {}", self.log())
    }

    async fn connect(&self) -> Result<Objects> {
        let kubeconfig = Kubeconfig::read_from(self.path("data").join("kubeconfig"))?;
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
        let client = kube::Client::try_from(config)?;
        client.apiserver_version().await?;
        Ok(Objects::new(client))
    }

    /// The objects of the process, once it has answered.
    pub(crate) fn objects(&self) -> Result<&Objects> {
        self.objects.as_ref().context("it answers")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }
}

pub(crate) fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path of this test is text")
}

/// The seed of what happens by chance, told so that a failure can be had again.
#[expect(clippy::print_stdout, reason = "whoever looks into a failure needs the seed")]
pub(crate) fn seed() -> u64 {
    let given = std::env::var("SLUICE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(rand::random);
    println!("SLUICE_SEED={seed}");
    seed
}

/// How often a scenario kills: a few times, or 200 times with `SLUICE_FULL`.
pub(crate) fn kills(few: usize) -> usize {
    if std::env::var_os("SLUICE_FULL").is_some() { 200 } else { few }
}
