//! Processes that die after any single write of a promotion, or just before it.

use anyhow::{Result, ensure};
use scenarios::{Fault, Options, World};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

use crate::promotion::{promotions, runs, shop, stage};

/// What promotions are written by.
const KINDS: &str = "promotion.sluice.dev";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_write_neither_loses_nor_doubles_a_commit() -> Result<()> {
    let fault = Fault::default();
    let world = World::with(Options { fault: fault.clone(), ..Options::default() }).await?;
    let it = Arc::new(world).tenant("crash").await?;
    let repository = shop(&it, &["dev"]).await?;
    it.create(&stage("dev", &json!({}))).await?;
    let first = |it: &Value| it["status"]["current"].is_object();
    it.wait(("Stage", "dev"), "it runs something", first).await?;
    let mut made = 0;
    for n in 0.. {
        ensure!(n < 120, "a promotion takes more writes than anybody would think");
        let version = format!("1.{}.0", n + 1);
        // Each write once lost, and once only its answer.
        fault.arm(KINDS, n / 2 + 1, n % 2 == 1);
        it.publish("app", &[&version]);
        let asked =
            json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": version}}});
        it.patch(("ImageRepository", "app"), &asked).await?;
        made += 1;
        let ended = async || {
            let current = it.get(("Stage", "dev")).await.unwrap_or_default();
            let current = current["status"]["current"].clone();
            fault.struck() || current["version"] == version && current["verifiedAt"].is_string()
        };
        it.world.objects.eventually("it crashes or is done", ended).await?;
        let struck = fault.struck();
        if struck {
            // A new process knows nothing but what was written.
            it.world.restart_controllers().await?;
            fault.disarm();
            it.world.restart_controllers().await?;
        }
        runs(&it, "dev", &version).await?;
        fault.disarm();
        if !struck && n % 2 == 1 {
            let current = it.get(("Stage", "dev")).await.unwrap_or_default();
            assert!(current["status"]["hold"].is_null(), "{current:#}");
            break;
        }
    }
    let mut commits: BTreeMap<String, usize> = BTreeMap::new();
    for entry in repository.log("main").await? {
        let id = entry.message.lines().find_map(|it| it.strip_prefix("Promotion-Id: "));
        if let Some(id) = id {
            *commits.entry(id.to_owned()).or_default() += 1;
        }
    }
    ensure!(commits.values().all(|it| *it == 1), "a promotion has two commits: {commits:?}");
    assert_eq!(commits.len(), made, "each version was committed once");
    let promotions = promotions(&it).await?;
    assert_eq!(promotions.len(), made, "{promotions:#?}");
    Ok(())
}
