//! Stopping in order before the kernel does so without: the feature gate `OOMWatch`.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use clap::Args;

use super::flag;

/// Where the kernel tells a container's limit and use of memory: version 2 of cgroups, then 1.
const LIMITS: [&str; 2] =
    ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
const USES: [&str; 2] =
    ["/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory/memory.usage_in_bytes"];

/// When memory is short.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(crate) struct Flags {
    /// With the feature gate `OOMWatch`, at which share of the container's memory the process stops
    #[arg(long = "oom-watch-memory-threshold", default_value_t = 95, value_parser = clap::value_parser!(u8).range(1..=100), value_name = "PERCENT")]
    threshold: u8,
    /// With the feature gate `OOMWatch`, time between two looks
    #[arg(long = "oom-watch-interval", default_value = "500ms", value_parser = flag::duration, value_name = "DURATION")]
    interval: Duration,
    /// File with the container's memory; the kernel's by default
    #[arg(
        long = "oom-watch-max-memory-path",
        default_value = "",
        value_name = "FILE",
        hide_default_value = true
    )]
    limit: String,
    /// File with the memory in use; the kernel's by default
    #[arg(
        long = "oom-watch-current-memory-path",
        default_value = "",
        value_name = "FILE",
        hide_default_value = true
    )]
    used: String,
}

impl Flags {
    /// Ends when memory gets short; never if there is no limit.
    ///
    /// # Errors
    /// The files are not there.
    pub(super) fn short(&self) -> Result<impl Future<Output = ()> + use<>> {
        let limit = found(&self.limit, LIMITS, "--oom-watch-max-memory-path")?;
        let used = found(&self.used, USES, "--oom-watch-current-memory-path")?;
        let limit = number(&limit)?;
        number(&used)?;
        let (interval, threshold) = (self.interval.max(Duration::from_millis(50)), self.threshold);
        Ok(async move {
            let Some(limit) = limit else { return std::future::pending().await };
            loop {
                tokio::time::sleep(interval).await;
                let Ok(Some(now)) = number(&used) else { continue };
                if now >= limit / 100 * u64::from(threshold) {
                    tracing::info!(used = now, limit, "memory usage is near OOM, shutting down");
                    return;
                }
            }
        })
    }
}

fn found(given: &str, usual: [&str; 2], flag: &str) -> Result<PathBuf> {
    if !given.is_empty() {
        return Ok(given.into());
    }
    let found = usual.into_iter().map(PathBuf::from).find(|path| path.exists());
    found.with_context(|| format!("the kernel tells nothing of memory here; give {flag}"))
}

/// The number in a file; nothing for `max`, which is no limit.
fn number(path: &Path) -> Result<Option<u64>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    match text.trim() {
        "max" => Ok(None),
        text => text.parse().map(Some).with_context(|| format!("{shown} holds no number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(folder: &Path, limit: &str, used: &str) -> Flags {
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let interval = Duration::from_millis(50);
        Flags { threshold: 90, interval, limit: file("limit", limit), used: file("used", used) }
    }

    #[tokio::test]
    async fn memory_is_short_above_the_threshold() {
        let folder = tempfile::tempdir().unwrap();
        let flags = flags(folder.path(), "1000\n", "100\n");
        let short = tokio::spawn(flags.short().unwrap());
        std::fs::write(folder.path().join("used"), "950\n").unwrap();
        short.await.unwrap();
    }

    #[tokio::test]
    async fn without_a_limit_it_never_is_and_without_numbers_nobody_knows() {
        let folder = tempfile::tempdir().unwrap();
        let short = flags(folder.path(), "max\n", "950\n").short().unwrap();
        let ended = tokio::time::timeout(Duration::from_millis(200), short).await;
        assert!(ended.is_err());
        assert!(flags(folder.path(), "many", "1").short().is_err());
    }
}
