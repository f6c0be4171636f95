//! One program of the server: started with its output in a file, killed when dropped.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use super::STARTING;

#[derive(Debug)]
pub(super) struct Process {
    name: String,
    log: PathBuf,
    child: std::sync::Mutex<Child>,
}

impl Process {
    pub(super) fn start(program: &Path, log: &Path, arguments: &[String]) -> Result<Self> {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let output =
            File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { name, log: log.to_owned(), child: std::sync::Mutex::new(child) })
    }

    /// Asks `url` until it answers 200, the process ends, or a minute has passed.
    pub(super) async fn wait_until_ready(&self, url: &str, token: Option<&str>) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < STARTING {
            if let Some(status) = self.ended()? {
                bail!("{} ended with {status}:\n{}", self.name, self.end_of_log());
            }
            if answers(url, token).await {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("{} was not ready after a minute:\n{}", self.name, self.end_of_log());
    }

    fn ended(&self) -> Result<Option<std::process::ExitStatus>> {
        let mut child = self.child.lock().map_err(|_| anyhow::anyhow!("a thread panicked"))?;
        Ok(child.try_wait()?)
    }

    fn end_of_log(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(child) = self.child.get_mut() {
            // Already ended is as good as killed.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Whether a GET is answered with 200. Certificates are not looked at: the answer decides nothing
/// but whether to go on.
async fn answers(url: &str, token: Option<&str>) -> bool {
    let client = reqwest::Client::builder()
        .tls_danger_accept_invalid_certs(true)
        .no_proxy()
        .timeout(Duration::from_secs(2));
    let Ok(client) = client.build() else { return false };
    let mut request = client.get(url);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    request.send().await.is_ok_and(|answer| answer.status().is_success())
}
