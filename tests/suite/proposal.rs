//! Pull requests of staged promotion, with a real Gitea.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use scenarios::{Tenant, condition, skipped};
use serde_json::{Value, json};
use world::gitea::{OWNER, Server};

use crate::{
    promotion::{file, fleet, promotions, runs, stage, timed},
    refusal::{Between, Fault},
};

/// The repository at the provider.
const NAME: &str = "fleet";
/// For what Gitea does in the background.
const PATIENCE: Duration = Duration::from_mins(1);

/// A tenant whose repository is on a Gitea.
struct Place {
    it: Tenant,
    clock: controller::clock::Manual,
    gitea: Arc<Server>,
}

impl Place {
    /// With a folder and a Kustomization for each stage; nothing if there is no Gitea.
    async fn start(shown: &str, stages: &[&str]) -> Result<Option<Self>> {
        let (clock, it) = timed().await?;
        let Some(gitea) = Server::start().await? else {
            skipped(shown, "gitea is not built (cargo xtask setup)");
            return Ok(None);
        };
        let url = gitea.repository(NAME).await?;
        for name in stages {
            let text = file(&it, name, "1.0.0");
            gitea.commit(NAME, "main", (&format!("{name}/app.yaml"), &text)).await?;
        }
        it.secret("git", &[("username", OWNER), ("password", gitea.token())]).await?;
        it.secret("gitea", &[("token", gitea.token())]).await?;
        fleet(&it, stages, &json!({"url": url, "secretRef": {"name": "git"}})).await?;
        Ok(Some(Self { it, clock, gitea: Arc::new(gitea) }))
    }

    /// A stage that proposes, and runs something.
    async fn stage(&self, name: &str, push: &Value, more: &Value) -> Result<()> {
        let mut spec = json!({"push": {
            "mode": "PullRequest", "provider": "gitea", "secretRef": {"name": "gitea"},
        }});
        for (key, value) in push.as_object().into_iter().flatten() {
            spec["push"][key] = value.clone();
        }
        for (key, value) in more.as_object().into_iter().flatten() {
            spec[key] = value.clone();
        }
        self.it.create(&stage(name, &spec)).await?;
        let runs = |it: &Value| it["status"]["current"].is_object();
        self.it.wait(("Stage", name), "it runs something", runs).await?;
        Ok(())
    }

    /// The promotion of a version into a stage once its pull request is open, and the number of that.
    async fn proposed(&self, stage: &str, version: &str) -> Result<(String, i64)> {
        let promoting = |it: &Value| it["status"]["promotion"].is_string();
        let holds = format!("{stage} promotes {version}");
        loop {
            let it = self.it.wait(("Stage", stage), &holds, promoting).await?;
            let name = it["status"]["promotion"].as_str().context("a name")?.to_owned();
            let seen = |it: &Value| {
                let phase = it["status"]["phase"].as_str().unwrap_or_default();
                !matches!(phase, "" | "Pending" | "Gating" | "Writing")
            };
            let promotion = self.it.wait(("Promotion", &name), "it is proposed", seen).await?;
            let bundle = promotion["spec"]["bundle"].as_str().context("a bundle")?;
            let bundle = self.it.get(("Bundle", bundle)).await.context("it is there")?;
            let open = promotion["status"]["phase"] == "Proposed";
            if bundle["spec"]["version"] == version && open {
                let number = promotion["status"]["pullRequest"]["number"].as_i64();
                return Ok((name, number.context("a number")?));
            }
        }
    }

    async fn pull(&self, number: i64) -> Result<Value> {
        Ok(self.gitea.ask("GET", &format!("repos/{OWNER}/{NAME}/pulls/{number}"), None).await?)
    }

    /// Merges by hand. Gitea looks for conflicts in the background, and refuses until then.
    async fn merge(&self, number: i64, how: &str) -> Result<()> {
        let path = format!("repos/{OWNER}/{NAME}/pulls/{number}/merge");
        let started = Instant::now();
        loop {
            match self.gitea.ask("POST", &path, Some(&json!({"Do": how}))).await {
                Ok(_) => return Ok(()),
                Err(_) if started.elapsed() < PATIENCE => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(why) => return Err(why.into()),
            }
        }
    }

    async fn closed(&self, number: i64) -> Result<()> {
        let started = Instant::now();
        while self.pull(number).await?["state"] != "closed" {
            ensure!(started.elapsed() < PATIENCE, "#{number} stays open");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Asks for a look, again and again, until the promotion is as told: time passes on its own clock.
    async fn until(&self, name: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Result<Value> {
        let started = Instant::now();
        loop {
            let promotion = self.it.get(("Promotion", name)).await.context("it is there")?;
            if holds(&promotion) {
                return Ok(promotion);
            }
            ensure!(started.elapsed() < PATIENCE, "{what}: {promotion:#}");
            // Flux deploys in its own time, whatever this clock says.
            let deploys = promotion["status"]["phase"] == "Deploying";
            self.clock.advance(Duration::from_secs(if deploys { 5 } else { 61 }));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn text(&self, branch: &str, path: &str) -> Result<String> {
        use base64::Engine as _;
        let path = format!("repos/{OWNER}/{NAME}/contents/{path}?ref={branch}");
        let it = self.gitea.ask("GET", &path, None).await?;
        let content = it["content"].as_str().context("content")?.replace('\n', "");
        Ok(String::from_utf8(base64::prelude::BASE64_STANDARD.decode(content)?)?)
    }

    /// The number of commits on main that are not merges.
    async fn commits(&self) -> Result<usize> {
        let path = format!("repos/{OWNER}/{NAME}/commits?sha=main&limit=50");
        let all = self.gitea.ask("GET", &path, None).await?;
        let all = all.as_array().context("commits")?;
        let single = |it: &&Value| it["parents"].as_array().is_some_and(|it| it.len() < 2);
        Ok(all.iter().filter(single).count())
    }
}

fn phase(wanted: &str) -> impl Fn(&Value) -> bool + '_ {
    move |it| it["status"]["phase"] == wanted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_request_is_opened_and_merged_by_people() -> Result<()> {
    let test = "a_pull_request_is_opened_and_merged_by_people";
    let Some(place) = Place::start(test, &["prod"]).await? else { return Ok(()) };
    let it = &place.it;
    place
        .stage("prod", &json!({"labels": ["promotion"], "reviewers": ["nobody"]}), &json!({}))
        .await?;
    it.release("1.1.0").await?;
    let (name, number) = place.proposed("prod", "1.1.0").await?;
    // Nothing is on the branch, and everything in the request.
    assert_eq!(place.text("main", "prod/app.yaml").await?, file(it, "prod", "1.0.0"));
    let pull = place.pull(number).await?;
    assert_eq!(pull["title"], "promote(shop): 1.1.0 to prod");
    assert_eq!(pull["labels"][0]["name"], "promotion");
    let body = pull["body"].as_str().context("a text")?;
    ensure!(body.contains("`prod/app.yaml`: `1.0.0` -> `1.1.0`"), "{body}");
    ensure!(body.contains("Promotion-Stage: "), "{body}");
    let branch = pull["head"]["ref"].as_str().context("a branch")?;
    assert_eq!(place.text(branch, "prod/app.yaml").await?, file(it, "prod", "1.1.0"));
    it.event("Promotion", &name, "PromotionProposed").await?;
    let promotion = it.get(("Promotion", &name)).await.context("it is there")?;
    let notes = &promotion["status"]["pullRequest"]["notes"];
    ensure!(notes[0].as_str().is_some_and(|it| it.starts_with("reviewers: ")), "{notes}");
    // A new process finds it again and opens no other.
    it.world.restart_controllers().await?;
    place.merge(number, "squash").await?;
    let now = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "merged"}}});
    it.patch(("Promotion", &name), &now).await?;
    let merged = |it: &Value| it["status"]["pullRequest"]["state"] == "Merged";
    it.wait(("Promotion", &name), "the merge is noticed", merged).await?;
    let prod = runs(it, "prod", "1.1.0").await?;
    assert!(prod["status"]["hold"].is_null(), "{prod:#}");
    let promotion = it.ready("Promotion", &name).await?;
    let request = &promotion["status"]["pullRequest"];
    assert_eq!(request["mergedBy"], OWNER);
    assert_eq!(prod["status"]["current"]["commit"], request["mergeCommit"]);
    assert_eq!(place.text("main", "prod/app.yaml").await?, file(it, "prod", "1.1.0"));
    // The first two are Gitea's and the file's.
    assert_eq!(place.commits().await?, 3);
    assert_eq!(promotions(it).await?.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pull_requests_are_superseded_closed_and_left_to_people() -> Result<()> {
    let test = "pull_requests_are_superseded_closed_and_left_to_people";
    let Some(place) = Place::start(test, &["prod"]).await? else { return Ok(()) };
    let it = &place.it;
    place.stage("prod", &json!({}), &json!({})).await?;
    it.release("1.1.0").await?;
    let (first, one) = place.proposed("prod", "1.1.0").await?;
    // Something newer takes its place.
    it.release("1.2.0").await?;
    it.wait(("Promotion", &first), "it is superseded", phase("Superseded")).await?;
    place.closed(one).await?;
    let comments = format!("repos/{OWNER}/{NAME}/issues/{one}/comments");
    let comments = place.gitea.ask("GET", &comments, None).await?;
    ensure!(
        comments[0]["body"].as_str().is_some_and(|it| it.contains("superseded by")),
        "{comments}"
    );
    // A person closes the next one: the bundle does not come again.
    let (second, two) = place.proposed("prod", "1.2.0").await?;
    let close = format!("repos/{OWNER}/{NAME}/pulls/{two}");
    place.gitea.ask("PATCH", &close, Some(&json!({"state": "closed"}))).await?;
    place.until(&second, "it is rejected", phase("Rejected")).await?;
    // Somebody commits to the branch of the third: it is theirs from then on.
    it.release("1.3.0").await?;
    let (third, three) = place.proposed("prod", "1.3.0").await?;
    let pull = place.pull(three).await?;
    let branch = pull["head"]["ref"].as_str().context("a branch")?;
    place.gitea.commit(NAME, branch, ("prod/note.txt", "by hand")).await?;
    let foreign = |it: &Value| {
        it["status"]["message"].as_str().is_some_and(|it| it.contains("somebody else committed"))
    };
    place.until(&third, "it is left to people", foreign).await?;
    place.merge(three, "merge").await?;
    place.until(&third, "it is done", phase("Succeeded")).await?;
    let prod = runs(it, "prod", "1.3.0").await?;
    assert!(prod["status"]["hold"].is_null(), "{prod:#}");
    // A stage that goes takes its pull request along.
    it.release("1.4.0").await?;
    let (fourth, four) = place.proposed("prod", "1.4.0").await?;
    it.delete(("Stage", "prod")).await?;
    place.closed(four).await?;
    it.wait(("Promotion", &fourth), "it is aborted", phase("Aborted")).await?;
    assert_eq!(place.text("main", "prod/app.yaml").await?, file(it, "prod", "1.3.0"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_merges_once_its_gates_pass() -> Result<()> {
    let test = "a_stage_merges_once_its_gates_pass";
    let Some(place) = Place::start(test, &["prod"]).await? else { return Ok(()) };
    let it = &place.it;
    let gates = json!({"gates": [
        {"name": "ci", "commitStatus": {"on": "PullRequestHead", "contexts": ["build"]}},
    ]});
    place.stage("prod", &json!({"merge": "WhenGatesPass", "draft": true}), &gates).await?;
    it.release("1.1.0").await?;
    let (name, number) = place.proposed("prod", "1.1.0").await?;
    let pull = place.pull(number).await?;
    assert_eq!(pull["draft"], true);
    let waits = |it: &Value| {
        it["status"]["message"].as_str().is_some_and(|it| it.contains("build is not there"))
    };
    it.wait(("Promotion", &name), "it waits for the build", waits).await?;
    let head = pull["head"]["sha"].as_str().context("a commit")?;
    // A person changes the same lines meanwhile: nothing is merged over that.
    place.gitea.commit(NAME, "main", ("prod/app.yaml", &file(it, "prod", "0.9.0"))).await?;
    let status = json!({"context": "build", "state": "success"});
    let path = format!("repos/{OWNER}/{NAME}/statuses/{head}");
    place.gitea.ask("POST", &path, Some(&status)).await?;
    it.request("GitRepository", "fleet").await?;
    let stopped = |it: &Value| it["status"]["hold"]["kind"] == "Commit";
    it.wait(("Stage", "prod"), "it is held", stopped).await?;
    assert_eq!(place.text("main", "prod/app.yaml").await?, file(it, "prod", "0.9.0"));
    assert_eq!(place.pull(number).await?["merged"], false);
    // Until somebody says so: then it is proposed anew, on top of that.
    let resume = json!({"metadata": {"annotations": {"promotion.sluice.dev/resumeAt": "now"}}});
    it.patch(("Stage", "prod"), &resume).await?;
    let moved = |it: &Value| {
        it["status"]["phase"] == "Proposed" && it["status"]["pullRequest"]["head"] != head
    };
    let promotion = place.until(&name, "it is proposed anew", moved).await?;
    assert_eq!(promotion["status"]["pullRequest"]["number"], number);
    let head = promotion["status"]["pullRequest"]["head"].as_str().context("a commit")?;
    let path = format!("repos/{OWNER}/{NAME}/statuses/{head}");
    place.gitea.ask("POST", &path, Some(&status)).await?;
    place.until(&name, "it is done", phase("Succeeded")).await?;
    assert_eq!(place.text("main", "prod/app.yaml").await?, file(it, "prod", "1.1.0"));
    let prod = runs(it, "prod", "1.1.0").await?;
    assert_eq!(condition(&prod, "Ready")["status"], "True");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_answers_badly_gets_no_second_pull_request() -> Result<()> {
    let test = "a_provider_that_answers_badly_gets_no_second_pull_request";
    let Some(place) = Place::start(test, &["prod"]).await? else { return Ok(()) };
    let it = &place.it;
    let between = Between::start(Arc::clone(&place.gitea)).await?;
    place
        .stage("prod", &json!({"merge": "WhenGatesPass", "address": between.url()}), &json!({}))
        .await?;
    // Opened, but who asked does not get to know; then asked too much; then merged unseen.
    between.inject(Fault::new("POST", "/pulls", 500).but_done());
    between.inject(Fault::new("GET", "/pulls/1", 429));
    between.inject(Fault::new("GET", "/pulls/1", 502));
    between.inject(Fault::new("POST", "/pulls/1/merge", 405));
    between.inject(Fault::new("POST", "/pulls/1/merge", 422));
    it.release("1.1.0").await?;
    let promoting = |it: &Value| it["status"]["promotion"].is_string();
    let prod = it.wait(("Stage", "prod"), "it promotes", promoting).await?;
    let name = prod["status"]["promotion"].as_str().context("a name")?.to_owned();
    place.until(&name, "it is done", phase("Succeeded")).await?;
    runs(it, "prod", "1.1.0").await?;
    assert_eq!(between.left(), 0);
    let pulls = format!("repos/{OWNER}/{NAME}/pulls?state=all");
    let pulls = place.gitea.ask("GET", &pulls, None).await?;
    assert_eq!(pulls.as_array().context("a list")?.len(), 1, "{pulls:#}");
    assert_eq!(place.commits().await?, 3);
    // The merge comes through, and its answer is lost.
    between.inject(Fault::new("POST", "/pulls/2/merge", 500).but_done());
    it.release("1.2.0").await?;
    let next = |it: &Value| it["status"]["promotion"].as_str().is_some_and(|it| it != name);
    let prod = it.wait(("Stage", "prod"), "it promotes", next).await?;
    let name = prod["status"]["promotion"].as_str().context("a name")?.to_owned();
    place.until(&name, "it is done", phase("Succeeded")).await?;
    assert_eq!(between.left(), 0);
    assert_eq!(place.text("main", "prod/app.yaml").await?, file(it, "prod", "1.2.0"));
    assert_eq!(place.commits().await?, 4);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_protected_branch_gets_a_pull_request_instead() -> Result<()> {
    let test = "a_protected_branch_gets_a_pull_request_instead";
    let Some(place) = Place::start(test, &["prod"]).await? else { return Ok(()) };
    let it = &place.it;
    place.stage("prod", &json!({"mode": "Commit", "fallback": "PullRequest"}), &json!({})).await?;
    let rule = json!({"branch_name": "main", "rule_name": "main", "enable_push": false});
    let path = format!("repos/{OWNER}/{NAME}/branch_protections");
    place.gitea.ask("POST", &path, Some(&rule)).await?;
    it.release("1.1.0").await?;
    let (name, number) = place.proposed("prod", "1.1.0").await?;
    assert_eq!(place.text("main", "prod/app.yaml").await?, file(it, "prod", "1.0.0"));
    place.merge(number, "merge").await?;
    place.until(&name, "it is done", phase("Succeeded")).await?;
    let prod = runs(it, "prod", "1.1.0").await?;
    assert!(prod["status"]["hold"].is_null(), "{prod:#}");
    Ok(())
}
