//! However often a process is killed while it installs, upgrades and rolls back: no revision stays
//! pending, one is deployed, and what is there is what was asked for. And nobody who writes the same
//! release loses what they wrote.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result, ensure};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use helm::release::{Record, Status, secret_name};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use scenarios::condition;
use serde_json::{Value, json};

use crate::{
    process::{kills, seed},
    release::{Fleet, SPACE},
};

/// The parts that a release may have.
const PARTS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// Values by chance: which parts there are, how long its hook takes, and how its Deployment does.
fn values(random: &mut StdRng, round: usize, fails: bool) -> Value {
    let parts: Vec<&str> = PARTS.into_iter().filter(|_| random.random_bool(0.5)).collect();
    let hook = match random.random_range(0..3) {
        0 => json!(null),
        1 => json!("ready"),
        _ => json!(format!("after={}ms,ready", random.random_range(50..500))),
    };
    let ready = format!("after={}ms,ready", random.random_range(0..400));
    let behaviour = if fails { json!("hang") } else { json!(ready) };
    json!({"message": format!("{round}"), "parts": parts, "hook": hook, "behaviour": behaviour})
}

/// What these values make.
fn wanted(values: &Value) -> BTreeMap<String, String> {
    let message = values["message"].as_str().unwrap_or_default().to_owned();
    let parts = values["parts"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let names = parts.map(|part| format!("app-{part}")).chain(["app".to_owned()]);
    names.map(|name| (name, message.clone())).collect()
}

/// Nothing is pending, and just one revision is deployed.
async fn one_is_deployed(fleet: &Fleet) -> Result<()> {
    let records = fleet.records().await?;
    let is = |status: Status| records.iter().filter(|it| it.info.status == status).count();
    let pending = records.iter().filter(|it| it.info.status.is_pending()).count();
    let history = fleet.history().await?;
    ensure!(pending == 0 && is(Status::Uninstalling) == 0, "something is pending: {history:?}");
    ensure!(is(Status::Deployed) == 1, "{history:?}\n{}", fleet.process.log());
    Ok(())
}

/// Waits until these values are released, and all is as they say.
async fn settled(fleet: &Fleet, values: &Value) -> Result<()> {
    fleet.ready().await?;
    one_is_deployed(fleet).await?;
    let there = fleet.messages().await?;
    let wanted = wanted(values);
    ensure!(there == wanted, "there is {there:?} instead of {wanted:?}\n{}", fleet.process.log());
    Ok(())
}

/// Waits until values that cannot work are given up, and what was there before is there again.
async fn taken_back(fleet: &Fleet, before: &Value) -> Result<()> {
    fleet
        .until("the upgrade is given up", |it| condition(it, "Stalled")["status"] == "True")
        .await?;
    one_is_deployed(fleet).await?;
    let (there, wanted) = (fleet.messages().await?, wanted(before));
    ensure!(there == wanted, "there is {there:?} instead of {wanted:?}\n{}", fleet.process.log());
    Ok(())
}

/// Kills the process at some moment of what it does, and now and then in the middle of a start.
async fn killed(fleet: &mut Fleet, random: &mut StdRng) -> Result<()> {
    tokio::time::sleep(Duration::from_millis(random.random_range(0..1800))).await;
    fleet.restart().await?;
    while random.random_bool(0.3) {
        tokio::time::sleep(Duration::from_millis(random.random_range(0..900))).await;
        fleet.restart().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_leaves_no_release_pending() -> Result<()> {
    let mut random = StdRng::seed_from_u64(seed());
    let mut last = values(&mut random, 0, false);
    let remediation = json!({"remediateLastFailure": true});
    let spec = json!({"upgrade": {"remediation": remediation}, "maxHistory": 4});
    let mut fleet = Fleet::start(&last, &spec).await?;
    // Only what cannot work is given little time.
    let with =
        |values: &Value, timeout: &str| json!({"values": values, "upgrade": {"timeout": timeout}});
    killed(&mut fleet, &mut random).await?;
    settled(&fleet, &last).await?;
    let uid = |it: &Value| it["metadata"]["uid"].clone();
    let first = fleet.objects.get("v1", "ConfigMap", SPACE, "app").await.unwrap_or_default();
    for round in 1..=kills(5) {
        let fails = random.random_bool(0.4);
        if fails {
            settled(&fleet, &last).await?;
        }
        let next = values(&mut random, round, fails);
        fleet.spec(&with(&next, if fails { "2s" } else { "1h" })).await?;
        killed(&mut fleet, &mut random).await?;
        if fails {
            taken_back(&fleet, &last).await?;
            let next = values(&mut random, round, false);
            fleet.spec(&with(&next, "1h")).await?;
            last = next;
        } else {
            last = next;
        }
    }
    settled(&fleet, &last).await?;
    let now = fleet.objects.get("v1", "ConfigMap", SPACE, "app").await.unwrap_or_default();
    ensure!(uid(&first) == uid(&now), "what every revision has was made anew");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_a_failed_revision_had_goes_with_the_next() -> Result<()> {
    let values = |part: &str, behaviour: &str| json!({"message": part, "parts": [part], "behaviour": behaviour});
    let fleet = Fleet::start(&values("a", "ready"), &json!({"timeout": "1s"})).await?;
    fleet.ready().await?;
    fleet.spec(&json!({"values": values("b", "hang")})).await?;
    fleet
        .until("the upgrade is given up", |it| condition(it, "Stalled")["status"] == "True")
        .await?;
    ensure!(fleet.messages().await?.contains_key("app-b"), "it came as far as that");
    let next = values("c", "ready");
    fleet.spec(&json!({"values": next})).await?;
    settled(&fleet, &next).await
}

/// A release whose upgrade waits for what never comes.
async fn waiting() -> Result<Fleet> {
    let before = json!({"message": "one", "parts": ["a"], "behaviour": "ready"});
    let fleet = Fleet::start(&before, &json!({"timeout": "1h"})).await?;
    fleet.ready().await?;
    fleet.spec(&json!({"values": {"message": "two", "behaviour": "hang"}})).await?;
    let there = || async {
        let message = fleet.messages().await.unwrap_or_default().remove("app");
        message.as_deref() == Some("two")
    };
    fleet.objects.eventually("the upgrade waits", there).await?;
    ensure!(fleet.history().await? == ["1 deployed", "2 pending-upgrade"]);
    Ok(fleet)
}

/// Lets the upgrade work from now on, and waits until it has.
async fn helped(fleet: &Fleet) -> Result<()> {
    fleet.spec(&json!({"values": {"behaviour": "ready"}})).await?;
    fleet.ready().await?;
    one_is_deployed(fleet).await?;
    ensure!(fleet.messages().await?.get("app").is_some_and(|it| it == "two"));
    Ok(())
}

/// Writes a record as another client of Helm's storage would.
async fn write(fleet: &Fleet, record: &Record) -> Result<()> {
    let name = secret_name(&record.name, record.version);
    let status = record.info.status.to_string();
    let data = json!({"release": BASE64_STANDARD.encode(record.encode())});
    let labels = json!({
        "name": record.name, "owner": "helm", "status": status,
        "version": record.version.to_string(),
    });
    if fleet.objects.get("v1", "Secret", SPACE, &name).await.is_some() {
        let patch = json!({"metadata": {"labels": labels}, "data": data});
        return fleet.objects.patch(("v1", "Secret"), (SPACE, &name), &patch).await;
    }
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
        "metadata": {"name": name, "labels": labels}, "data": data,
    });
    let created = fleet.objects.create(Some(SPACE), &secret).await?;
    created.map_err(|refused| anyhow::anyhow!(refused.0))
}

/// The event by which people hear of another writer.
async fn told(fleet: &Fleet, part: &str) -> Result<()> {
    let said = || async {
        let events = fleet.objects.list("v1", "Event", SPACE).await.unwrap_or_default();
        let tells = |it: &Value| {
            it["reason"] == "ReleaseChanged"
                && it["message"].as_str().is_some_and(|message| message.contains(part))
        };
        events.iter().any(tells)
    };
    let heard = fleet.objects.eventually(&format!("an event says {part:?}"), said).await;
    heard.with_context(|| fleet.process.log())
}

/// Stock helm rolls back without asking what is pending; here its record does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_yields_to_a_newer_revision_of_somebody_else() -> Result<()> {
    let fleet = waiting().await?;
    let records = fleet.records().await?;
    let [first, _second] = &records[..] else { anyhow::bail!("there are two records") };
    let (mut old, mut theirs) = (first.clone(), first.clone());
    old.info.status = Status::Superseded;
    theirs.version = 3;
    "Rollback to 1".clone_into(&mut theirs.info.description);
    write(&fleet, &old).await?;
    write(&fleet, &theirs).await?;
    told(&fleet, "revision 3 is newer than revision 2").await?;
    helped(&fleet).await?;
    let records = fleet.records().await?;
    let theirs = records.iter().find(|it| it.version == 3).context("their revision is kept")?;
    ensure!(theirs.info.description == "Rollback to 1", "{theirs:?}");
    let ours = records.iter().find(|it| it.version == 2).context("our revision is kept")?;
    ensure!(ours.info.status == Status::Failed, "{:?}", ours.info);
    ensure!(ours.info.description.contains("somebody else"), "{:?}", ours.info);
    Ok(())
}

/// Another controller takes the revision for one that a crash left behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_that_somebody_else_unlocks_is_not_finished_over_it() -> Result<()> {
    let fleet = waiting().await?;
    let mut records = fleet.records().await?;
    let mut theirs = records.pop().context("our revision is there")?;
    theirs.info.status = Status::Failed;
    "Release unlocked from stale 'pending-upgrade' state".clone_into(&mut theirs.info.description);
    write(&fleet, &theirs).await?;
    told(&fleet, "revision 2 is failed").await?;
    helped(&fleet).await?;
    let records = fleet.records().await?;
    let kept = records.iter().find(|it| it.version == 2).context("the revision is kept")?;
    ensure!(kept.info.description == theirs.info.description, "{:?}", kept.info);
    Ok(())
}

/// A release that somebody uninstalls while it is upgraded is installed anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_of_what_somebody_else_uninstalls_begins_anew() -> Result<()> {
    let fleet = waiting().await?;
    for record in fleet.records().await? {
        let name = secret_name(&record.name, record.version);
        fleet.objects.delete(("v1", "Secret"), (SPACE, &name)).await?;
    }
    told(&fleet, "gone from the storage").await?;
    helped(&fleet).await
}
