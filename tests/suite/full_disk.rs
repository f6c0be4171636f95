//! A disk that is full keeps the artifact that was there.
//!
//! The scenario runs in a process of its own, in a mount namespace of its own, where the folder for
//! temporary files is a small one in memory.

use std::{collections::BTreeMap, process::Stdio};

use anyhow::{Result, ensure};
use rand::{RngCore as _, SeedableRng as _, rngs::StdRng};
use scenarios::{Backend, World, condition, skipped};
use serde_json::{Value, json};

use crate::artifact::served;

const KIND: &str = "OCIRepository";
const LAYER: &str = "application/vnd.test.data";
/// The variable that tells the process that it is the one in the namespace.
const INSIDE: &str = "SLUICE_SMALL_DISK";
const DISK: usize = 24 << 20;

fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|it| it.starts_with("Uid:")).unwrap_or_default();
    line.split_whitespace().nth(2) == Some("0")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_keeps_the_artifact() -> Result<()> {
    const NAME: &str = "a_full_disk_keeps_the_artifact";
    if std::env::var_os(INSIDE).is_some() {
        return on_a_small_disk().await;
    }
    let can = tokio::process::Command::new("unshare").args(["--mount", "true"]).output().await;
    if !is_root() || !can.is_ok_and(|it| it.status.success()) {
        skipped(NAME, "root, to mount a small disk in a namespace of its own");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let mount = format!("mount -t tmpfs -o size={DISK} tmpfs \"$1\" && exec \"$2\" \"$3\" --exact");
    let output = tokio::process::Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", &mount, "sh"])
        .arg(folder.path())
        .arg(std::env::current_exe()?)
        .arg(format!("full_disk::{NAME}"))
        .env(INSIDE, "1")
        .env("TMPDIR", folder.path())
        .stdin(Stdio::null())
        .output()
        .await?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    ensure!(said.contains("1 passed"), "it was run: {said}");
    Ok(())
}

/// Bytes that cannot be made smaller.
fn noise(bytes: usize) -> Vec<u8> {
    let mut noise = vec![0; bytes];
    StdRng::seed_from_u64(1).fill_bytes(&mut noise);
    noise
}

async fn on_a_small_disk() -> Result<()> {
    let world = std::sync::Arc::new(World::start(Backend::Embedded).await?);
    let it = world.tenant("apps").await?;
    let publish = |bytes: usize| {
        let layer = noise(bytes);
        let name = format!("{}/app", it.namespace);
        let layers = [(LAYER, layer.as_slice())];
        world.registry.store().publish_layers(&name, "latest", &layers, &BTreeMap::default());
    };
    publish(1 << 10);
    let copy = json!({"layerSelector": {"mediaType": LAYER, "operation": "copy"}});
    it.create(&it.oci_repository("app", &copy)).await?;
    let good = it.ready(KIND, "app").await?;
    // More than there is at all, and so much that it cannot be there twice.
    for bytes in [2 * DISK, DISK / 2 + (1 << 20)] {
        publish(bytes);
        it.request(KIND, "app").await?;
        let full = |it: &Value| {
            let message = condition(it, "Ready")["message"].as_str().unwrap_or_default().to_owned();
            message.to_lowercase().contains("no space left on device")
        };
        let failed = it.wait((KIND, "app"), "the disk is full", full).await?;
        ensure!(condition(&failed, "Ready")["status"] == "False", "{failed}");
        ensure!(failed["status"]["artifact"] == good["status"]["artifact"], "{failed}");
        ensure!(served(&failed).await? == noise(1 << 10), "the artifact is served");
    }
    // What was half written is gone: this fits only if it is.
    publish(DISK / 4);
    it.request(KIND, "app").await?;
    let whole = |it: &Value| it["status"]["artifact"]["size"] == DISK / 4;
    let there = it.wait((KIND, "app"), "there is room again", whole).await?;
    ensure!(served(&there).await? == noise(DISK / 4), "it is whole");
    let told = it.event(KIND, "app", " space left on device").await?;
    ensure!(told.kind == "Warning", "{told:?}");
    Ok(())
}
