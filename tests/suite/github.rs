//! Pull requests of staged promotion, with a server that speaks as GitHub does.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use axum::{
    Json, Router,
    extract::{Request, State},
    http::{Method, StatusCode},
    response::{IntoResponse as _, Response},
};
use scenarios::Tenant;
use serde_json::{Value, json};
use world::git::Repository;

use crate::{
    automation::read,
    gate::until,
    promotion::{file, fleet, promotions, runs, stage, timed},
};

const TOKEN: &str = "ghp_scenario";
/// What GitHub answers to a body it cannot use.
const UNPROCESSABLE: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;

/// What the server keeps besides Git.
#[derive(Default)]
struct Kept {
    pulls: BTreeMap<u64, Value>,
    statuses: BTreeMap<String, Vec<Value>>,
    comments: BTreeMap<u64, Vec<Value>>,
    /// How often merges are still refused: checks are not over yet.
    busy: usize,
}

#[derive(Clone)]
struct Server {
    kept: Arc<Mutex<Kept>>,
    git: Repository,
}

type Answer = Result<(StatusCode, Value), (StatusCode, &'static str)>;

impl Server {
    /// Starts it; its address as `push.address` has it.
    async fn start(git: Repository) -> Result<(Self, String)> {
        let it = Self { kept: Arc::default(), git };
        let router = Router::new().fallback(answer).with_state(it.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}/api/v3", listener.local_addr()?);
        tokio::spawn(async move {
            // It ends with the test.
            let _ = axum::serve(listener, router).await;
        });
        Ok((it, address))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("no panic while it is held")
    }

    async fn head(&self, branch: &str) -> String {
        self.git.head(branch).await.ok().flatten().unwrap_or_default()
    }

    /// A pull request with the commits its branches have now.
    async fn shown(&self, number: u64) -> Option<Value> {
        let mut it = self.kept().pulls.get(&number)?.clone();
        if it["state"] == "open" {
            for side in ["head", "base"] {
                let branch = it[side]["ref"].as_str().unwrap_or_default().to_owned();
                it[side]["sha"] = json!(self.head(&branch).await);
            }
        }
        Some(it)
    }

    async fn list(&self, query: &str) -> Answer {
        let query: BTreeMap<String, String> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let head = query.get("head").and_then(|it| it.split_once(':')).map(|(_, branch)| branch);
        let numbers: Vec<u64> = self.kept().pulls.keys().copied().collect();
        let mut all = Vec::new();
        for number in numbers {
            let Some(it) = self.shown(number).await else { continue };
            if head.is_none_or(|head| it["head"]["ref"] == head) {
                all.push(it);
            }
        }
        Ok((StatusCode::OK, Value::Array(all)))
    }

    async fn open(&self, body: &Value) -> Answer {
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        let (head, base) = (text("head"), text("base"));
        let (tip, on) = (self.head(&head).await, self.head(&base).await);
        if tip.is_empty() || on.is_empty() || tip == on {
            return Err((UNPROCESSABLE, "No commits between base and head"));
        }
        let mut kept = self.kept();
        if kept.pulls.values().any(|it| it["head"]["ref"] == head && it["state"] == "open") {
            return Err((UNPROCESSABLE, "A pull request already exists"));
        }
        let number = kept.pulls.len() as u64 + 1;
        let pull = json!({
            "number": number, "node_id": format!("PR_{number}"), "state": "open",
            "html_url": format!("https://github.test/acme/fleet/pull/{number}"),
            "title": text("title"), "body": text("body"), "draft": body["draft"], "labels": [],
            "head": {"ref": head, "sha": tip}, "base": {"ref": base, "sha": on},
            // GitHub tries the merge: that commit is on no branch.
            "merge_commit_sha": tip,
        });
        kept.pulls.insert(number, pull.clone());
        Ok((StatusCode::CREATED, pull))
    }

    async fn change(&self, number: u64, body: &Value) -> Answer {
        let known = {
            let mut kept = self.kept();
            let it = kept.pulls.get_mut(&number).ok_or((StatusCode::NOT_FOUND, "Not Found"))?;
            for key in ["title", "body", "state"] {
                if !body[key].is_null() {
                    it[key] = body[key].clone();
                }
            }
            number
        };
        Ok((StatusCode::OK, self.shown(known).await.unwrap_or_default()))
    }

    async fn merge(&self, number: u64, (body, by): (&Value, &str)) -> Answer {
        let it = self.shown(number).await.ok_or((StatusCode::NOT_FOUND, "Not Found"))?;
        {
            let mut kept = self.kept();
            if it["state"] != "open" || it["draft"] == true || kept.busy > 0 {
                kept.busy = kept.busy.saturating_sub(1);
                return Err((StatusCode::METHOD_NOT_ALLOWED, "Pull Request is not mergeable"));
            }
        }
        if !body["sha"].is_null() && body["sha"] != it["head"]["sha"] {
            return Err((StatusCode::CONFLICT, "Head branch was modified. Review and try again."));
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (head, base) = (text(&it["head"]["sha"]), text(&it["base"]["sha"]));
        let title = body["commit_title"].as_str().unwrap_or("Merge pull request");
        let message = format!("{title}\n\n{}", text(&body["commit_message"]));
        let squash = body["merge_method"] == "squash";
        let made = self.commit((&base, &head), &message, squash).await;
        let made = made.map_err(|_| (StatusCode::METHOD_NOT_ALLOWED, "Merge conflict"))?;
        let mut kept = self.kept();
        let Some(it) = kept.pulls.get_mut(&number) else { return Err((UNPROCESSABLE, "gone")) };
        it["state"] = json!("closed");
        it["merged_at"] = json!(jiff::Timestamp::now().to_string());
        it["merged_by"] = json!({"login": by});
        it["merge_commit_sha"] = json!(made);
        it["head"]["sha"] = json!(head);
        Ok((StatusCode::OK, json!({"sha": made, "merged": true, "message": "merged"})))
    }

    /// Merges as the server does: in one step, with or without the other commit as a parent.
    async fn commit(&self, (base, head): (&str, &str), text: &str, squash: bool) -> Result<String> {
        let tree = self.git.git(["merge-tree", "--write-tree", base, head]).await?;
        let tree = tree.trim().to_owned();
        let mut arguments = vec!["commit-tree", &tree, "-m", text, "-p", base];
        if !squash {
            arguments.extend(["-p", head]);
        }
        let made = self.git.git(arguments).await?.trim().to_owned();
        self.git.git(["update-ref", "refs/heads/main", &made, base]).await?;
        Ok(made)
    }

    fn say(&self, commit: &str, body: &Value) -> Value {
        let mut it = body.clone();
        it["creator"] = json!({"login": "sluice[bot]"});
        // The newest comes first.
        self.kept().statuses.entry(commit.to_owned()).or_default().insert(0, it.clone());
        it
    }

    fn said(&self, commit: &str) -> Vec<Value> {
        self.kept().statuses.get(commit).cloned().unwrap_or_default()
    }

    async fn route(&self, method: &Method, (path, query): (&str, &str), body: &Value) -> Answer {
        let graph = (StatusCode::OK, json!({"data": {}}));
        if path == "/api/graphql" {
            let id = body["variables"]["id"].as_str().unwrap_or_default();
            let ready =
                body["query"].as_str().is_some_and(|it| it.contains("markPullRequestReady"));
            let number = id.trim_start_matches("PR_").parse().unwrap_or_default();
            if let Some(it) = self.kept().pulls.get_mut(&number) {
                it["draft"] = json!(!ready);
            }
            return Ok(graph);
        }
        let absent = (StatusCode::NOT_FOUND, "Not Found");
        let rest = path.strip_prefix("/api/v3/repos/acme/fleet/").ok_or(absent)?;
        let parts: Vec<&str> = rest.split('/').collect();
        let number = parts.get(1).and_then(|it| it.parse::<u64>().ok()).unwrap_or_default();
        let nothing = || Ok((StatusCode::OK, json!([])));
        match (method.as_str(), parts.as_slice()) {
            ("GET", ["pulls"]) => self.list(query).await,
            ("POST", ["pulls"]) => self.open(body).await,
            ("GET", ["pulls", _]) => Ok((StatusCode::OK, self.shown(number).await.ok_or(absent)?)),
            ("PATCH", ["pulls", _]) => self.change(number, body).await,
            ("PUT", ["pulls", _, "merge"]) => self.merge(number, (body, "sluice[bot]")).await,
            ("POST", ["pulls", _, "requested_reviewers"]) => nothing(),
            ("POST", ["issues", _, "labels"]) => {
                let named = |it: &Value| json!({"name": it});
                let labels = body["labels"].as_array().into_iter().flatten().map(named);
                let labels: Value = labels.collect();
                if let Some(it) = self.kept().pulls.get_mut(&number) {
                    it["labels"] = labels.clone();
                }
                Ok((StatusCode::OK, labels))
            }
            ("GET", ["issues", _, "comments"]) => {
                let all = self.kept().comments.get(&number).cloned().unwrap_or_default();
                Ok((StatusCode::OK, Value::Array(all)))
            }
            ("POST", ["issues", _, "comments"]) => {
                self.kept().comments.entry(number).or_default().push(body.clone());
                Ok((StatusCode::CREATED, body.clone()))
            }
            ("GET", ["commits", commit, "statuses"]) => {
                Ok((StatusCode::OK, Value::Array(self.said(commit))))
            }
            ("GET", ["commits", _, "check-runs"]) => {
                Ok((StatusCode::OK, json!({"total_count": 0, "check_runs": []})))
            }
            ("POST", ["statuses", commit]) => Ok((StatusCode::CREATED, self.say(commit, body))),
            _ => Err(absent),
        }
    }
}

async fn answer(State(it): State<Server>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let header = |name: &str| head.headers.get(name).and_then(|it| it.to_str().ok());
    let known = header("authorization") == Some(&format!("Bearer {TOKEN}"));
    let told = header("user-agent").is_some() && header("x-github-api-version").is_some();
    let (method, uri) = (head.method.clone(), head.uri.clone());
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let place = (uri.path(), uri.query().unwrap_or_default());
    let answer = match (known, told) {
        (false, _) => Err((StatusCode::UNAUTHORIZED, "Bad credentials")),
        (true, false) => Err((StatusCode::FORBIDDEN, "Request forbidden by administrative rules")),
        (true, true) => it.route(&method, place, &body).await,
    };
    match answer {
        Ok((status, body)) => (status, Json(body)).into_response(),
        Err((status, why)) => (status, Json(json!({"message": why}))).into_response(),
    }
}

/// A tenant whose repository is on a GitHub, with one stage that proposes.
struct Place {
    it: Tenant,
    clock: controller::clock::Manual,
    server: Server,
    repository: Repository,
}

impl Place {
    async fn start(push: &Value) -> Result<Self> {
        let (clock, it) = timed().await?;
        let text = file(&it, "prod", "1.0.0");
        let files = [("prod/app.yaml", text.as_str())];
        let repository = it.world.git.create("acme/fleet", "main", files).await?;
        let (server, address) = Server::start(repository.clone()).await?;
        it.secret("github", &[("token", TOKEN)]).await?;
        let url = it.world.git.repository_url("acme/fleet");
        fleet(&it, &["prod"], &json!({"url": url})).await?;
        let mut spec = json!({"push": {
            "mode": "PullRequest", "provider": "github", "address": address,
            "secretRef": {"name": "github"},
        }});
        for (key, value) in push.as_object().into_iter().flatten() {
            spec["push"][key] = value.clone();
        }
        it.create(&stage("prod", &spec)).await?;
        let runs = |it: &Value| it["status"]["current"].is_object();
        it.wait(("Stage", "prod"), "it runs something", runs).await?;
        Ok(Self { it, clock, server, repository })
    }

    /// The promotion of a version once its pull request is open.
    async fn proposed(&self, version: &str) -> Result<String> {
        self.it.release(version).await?;
        let promoting = |it: &Value| it["status"]["promotion"].is_string();
        let stage = self.it.wait(("Stage", "prod"), "it promotes", promoting).await?;
        let name = stage["status"]["promotion"].as_str().context("a name")?.to_owned();
        let open = |it: &Value| it["status"]["pullRequest"]["number"].is_number();
        self.it.wait(("Promotion", &name), "it is proposed", open).await?;
        Ok(name)
    }

    async fn until(&self, name: &str, phase: &str) -> Result<Value> {
        let is = |it: &Value| it["status"]["phase"] == phase;
        until((&self.clock, &self.it), ("Promotion", name), phase, is).await
    }

    /// What is said of the stage at the commit it runs.
    async fn said(&self) -> Result<Vec<(String, String)>> {
        let prod = self.it.get(("Stage", "prod")).await.context("it is there")?;
        let commit = prod["status"]["current"]["commit"].as_str().context("a commit")?.to_owned();
        let text = |it: &Value, key: &str| it[key].as_str().unwrap_or_default().to_owned();
        let all = self.server.said(&commit);
        let own = all.iter().filter(|it| it["context"] == "promotion/prod");
        Ok(own.map(|it| (text(it, "state"), text(it, "description"))).collect())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn github_merges_what_is_proposed_and_is_told_what_became_of_it() -> Result<()> {
    let push = json!({
        "merge": "WhenGatesPass", "method": "Squash", "draft": true, "labels": ["promotion"],
    });
    let place = Place::start(&push).await?;
    place.server.kept().busy = 2;
    let name = place.proposed("1.1.0").await?;
    let pull = place.server.shown(1).await.context("a pull request")?;
    ensure!(pull["labels"][0]["name"] == "promotion", "{pull:#}");
    assert_eq!(pull["title"], "promote(shop): 1.1.0 to prod");
    let promotion = place.until(&name, "Succeeded").await?;
    let request = &promotion["status"]["pullRequest"];
    assert_eq!(
        (&request["state"], &request["mergedBy"]),
        (&json!("Merged"), &json!("sluice[bot]"))
    );
    let it = &place.it;
    let prod = runs(it, "prod", "1.1.0").await?;
    assert_eq!(prod["status"]["current"]["commit"], request["mergeCommit"]);
    assert_eq!(read(&place.repository, "main", "prod/app.yaml").await?, file(it, "prod", "1.1.0"));
    // One commit, and one request for it.
    assert_eq!(place.repository.log("main").await?.len(), 2);
    assert_eq!(place.server.kept().pulls.len(), 1);
    let said = place.said().await?;
    let (state, text) = said.first().context("a status")?;
    ensure!(state == "success" && text == "1.1.0 runs in prod and is verified", "{said:?}");
    ensure!(said.last().is_some_and(|it| it.0 == "pending"), "{said:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_merge_and_close_on_github() -> Result<()> {
    let place = Place::start(&json!({})).await?;
    let first = place.proposed("1.1.0").await?;
    // With words of their own: the trailers are gone, the values count.
    let body = json!({"merge_method": "squash", "commit_title": "ship it", "commit_message": ""});
    let merged = place.server.merge(1, (&body, "alice")).await;
    ensure!(merged.is_ok(), "{merged:?}");
    let promotion = place.until(&first, "Succeeded").await?;
    assert_eq!(promotion["status"]["pullRequest"]["mergedBy"], "alice");
    let prod = runs(&place.it, "prod", "1.1.0").await?;
    ensure!(prod["status"]["hold"].is_null(), "{prod:#}");
    let second = place.proposed("1.2.0").await?;
    place.server.change(2, &json!({"state": "closed"})).await.ok().context("it closes")?;
    place.until(&second, "Rejected").await?;
    // What nobody wants does not come again.
    place.clock.advance(Duration::from_hours(1));
    place.it.request("Stage", "prod").await?;
    assert_eq!(promotions(&place.it).await?.len(), 2);
    let text = read(&place.repository, "main", "prod/app.yaml").await?;
    assert_eq!(text, file(&place.it, "prod", "1.1.0"));
    Ok(())
}
