//! GitHub and GitHub Enterprise Server: REST of 2022-11-28, and GraphQL for what it lacks.

use http::header::{ACCEPT, AUTHORIZATION, HeaderName};
use http::{HeaderMap, Method};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Provider;
use crate::call::{Session, headers};
use crate::pull::{Merge, Method as How, Proposal, PullRequest, State};
use crate::status::latest;
use crate::{CommitStatus, Error, Verdict};

pub(crate) struct GitHub;

#[derive(Deserialize)]
struct Pull {
    number: u64,
    #[serde(default)]
    node_id: String,
    html_url: String,
    state: String,
    title: String,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    draft: bool,
    head: Branch,
    base: Branch,
    #[serde(default)]
    labels: Vec<Named>,
    #[serde(default)]
    merge_commit_sha: Option<String>,
    #[serde(default)]
    merged_by: Option<User>,
    #[serde(default)]
    merged_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Branch {
    #[serde(rename = "ref")]
    name: String,
    sha: String,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct User {
    login: String,
}

#[derive(Deserialize)]
struct Status {
    context: String,
    state: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    target_url: Option<String>,
    #[serde(default)]
    creator: Option<User>,
}

#[derive(Deserialize)]
struct Checks {
    check_runs: Vec<Check>,
}

#[derive(Deserialize)]
struct Check {
    name: String,
    status: String,
    #[serde(default)]
    conclusion: Option<String>,
    #[serde(default)]
    html_url: Option<String>,
    #[serde(default)]
    app: Option<Slug>,
}

#[derive(Deserialize)]
struct Slug {
    slug: String,
}

#[derive(Deserialize)]
struct Comment {
    #[serde(default)]
    body: Option<String>,
}

impl From<Pull> for PullRequest {
    fn from(it: Pull) -> Self {
        let state = match (it.merged_at, it.state.as_str()) {
            (Some(_), _) => State::Merged,
            (None, "open") => State::Open,
            (None, _) => State::Closed,
        };
        Self {
            number: it.number,
            url: it.html_url,
            state,
            draft: it.draft,
            title: it.title,
            body: it.body.unwrap_or_default(),
            head: it.head.name,
            head_commit: it.head.sha,
            base: it.base.name,
            labels: it.labels.into_iter().map(|it| it.name).collect(),
            // Of an open one this is a commit that only tries the merge.
            merge_commit: it.merge_commit_sha.filter(|_| state == State::Merged),
            merged_by: it.merged_by.map(|it| it.login),
            merged_at: it.merged_at,
            node: it.node_id,
        }
    }
}

fn repo<'a>(it: &'a Session<'_>, rest: &[&'a str]) -> Vec<&'a str> {
    let (owner, name) = it.path.split_once('/').unwrap_or_default();
    [&["repos", owner, name], rest].concat()
}

impl Provider for GitHub {
    fn token(&self, token: &str) -> HeaderMap {
        headers(&[
            (AUTHORIZATION, &format!("Bearer {token}")),
            (ACCEPT, "application/vnd.github+json"),
            (HeaderName::from_static("x-github-api-version"), "2022-11-28"),
        ])
    }

    async fn find(
        &self,
        it: &Session<'_>,
        head: &str,
        base: &str,
    ) -> Result<Option<PullRequest>, Error> {
        let owner = it.path.split_once('/').unwrap_or_default().0;
        let from = format!("{owner}:{head}");
        let query = [("head", from.as_str()), ("base", base), ("state", "all"), ("per_page", "50")];
        let all: Vec<Pull> = it.get(it.url(&repo(it, &["pulls"]), &query)?).await?;
        // A name of a branch is not escaped by everybody who compares it.
        let mut all: Vec<Pull> = all.into_iter().filter(|it| it.head.name == head).collect();
        all.sort_by_key(|it| (it.state != "open", std::cmp::Reverse(it.number)));
        let Some(found) = all.into_iter().next() else { return Ok(None) };
        // Lists do not tell who merged.
        self.get(it, found.number).await.map(Some)
    }

    async fn get(&self, it: &Session<'_>, number: u64) -> Result<PullRequest, Error> {
        let number = number.to_string();
        let pull: Pull = it.get(it.url(&repo(it, &["pulls", &number]), &[])?).await?;
        Ok(pull.into())
    }

    async fn open(&self, it: &Session<'_>, wanted: &Proposal) -> Result<PullRequest, Error> {
        let body = json!({
            "title": wanted.title, "body": wanted.body, "head": wanted.head, "base": wanted.base,
            "draft": wanted.draft,
        });
        let url = it.url(&repo(it, &["pulls"]), &[])?;
        let pull: Pull = it.put(Method::POST, url, &body).await?;
        Ok(pull.into())
    }

    async fn edit(
        &self,
        it: &Session<'_>,
        pull: &PullRequest,
        wanted: &Proposal,
    ) -> Result<PullRequest, Error> {
        let number = pull.number.to_string();
        let body = json!({"title": wanted.title, "body": wanted.body});
        let url = it.url(&repo(it, &["pulls", &number]), &[])?;
        let pull: Pull = it.put(Method::PATCH, url, &body).await?;
        Ok(pull.into())
    }

    async fn draft(&self, it: &Session<'_>, pull: &PullRequest, draft: bool) -> Result<(), Error> {
        let verb =
            if draft { "convertPullRequestToDraft" } else { "markPullRequestReadyForReview" };
        let query = format!(
            "mutation($id:ID!){{{verb}(input:{{pullRequestId:$id}}){{pullRequest{{isDraft}}}}}}"
        );
        let body = json!({"query": query, "variables": {"id": pull.node}});
        // api.github.com/graphql, and HOST/api/graphql beside HOST/api/v3/.
        let url = it.api.join(if it.api.path() == "/" { "graphql" } else { "../graphql" });
        let url = url.map_err(|error| Error::Answer(error.to_string()))?;
        let shown = http_client::redact(&url);
        let answer: Value = it.put(Method::POST, url, &body).await?;
        match answer["errors"][0]["message"].as_str() {
            Some(why) => Err(Error::Answer(format!("POST {shown}: {why}"))),
            None => Ok(()),
        }
    }

    async fn label(
        &self,
        it: &Session<'_>,
        pull: &PullRequest,
        labels: &[String],
    ) -> Result<(), Error> {
        let number = pull.number.to_string();
        let url = it.url(&repo(it, &["issues", &number, "labels"]), &[])?;
        it.send(Method::POST, url, Some(&json!({"labels": labels}))).await.map(drop)
    }

    async fn review(
        &self,
        it: &Session<'_>,
        pull: &PullRequest,
        reviewers: &[String],
    ) -> Result<(), Error> {
        let number = pull.number.to_string();
        let (teams, users): (Vec<&str>, Vec<&str>) =
            reviewers.iter().map(String::as_str).partition(|it| it.contains('/'));
        let teams: Vec<&str> =
            teams.iter().filter_map(|it| it.rsplit_once('/')).map(|(_, team)| team).collect();
        let url = it.url(&repo(it, &["pulls", &number, "requested_reviewers"]), &[])?;
        let body = json!({"reviewers": users, "team_reviewers": teams});
        it.send(Method::POST, url, Some(&body)).await.map(drop)
    }

    async fn comments(&self, it: &Session<'_>, number: u64) -> Result<Vec<String>, Error> {
        let number = number.to_string();
        let path = repo(it, &["issues", &number, "comments"]);
        let all: Vec<Comment> = it.list(&path, &[], "per_page").await?;
        Ok(all.into_iter().filter_map(|it| it.body).collect())
    }

    async fn comment(&self, it: &Session<'_>, number: u64, text: &str) -> Result<(), Error> {
        let number = number.to_string();
        let url = it.url(&repo(it, &["issues", &number, "comments"]), &[])?;
        it.send(Method::POST, url, Some(&json!({"body": text}))).await.map(drop)
    }

    async fn close(&self, it: &Session<'_>, number: u64) -> Result<(), Error> {
        let number = number.to_string();
        let url = it.url(&repo(it, &["pulls", &number]), &[])?;
        it.send(Method::PATCH, url, Some(&json!({"state": "closed"}))).await.map(drop)
    }

    async fn merge(&self, it: &Session<'_>, number: u64, how: &Merge) -> Result<(), Error> {
        let number = number.to_string();
        let mut body = json!({
            "sha": how.head_commit, "commit_title": how.title, "commit_message": how.message,
        });
        if let Some(method) = how.method {
            body["merge_method"] = json!(match method {
                How::Merge => "merge",
                How::Squash => "squash",
                How::Rebase => "rebase",
            });
        }
        let url = it.url(&repo(it, &["pulls", &number, "merge"]), &[])?;
        it.send(Method::PUT, url, Some(&body)).await.map(drop)
    }

    async fn statuses(&self, it: &Session<'_>, commit: &str) -> Result<Vec<CommitStatus>, Error> {
        let path = repo(it, &["commits", commit, "statuses"]);
        let all: Vec<Status> = it.list(&path, &[], "per_page").await?;
        let said = all.into_iter().map(|it| CommitStatus {
            context: it.context,
            state: verdict(&it.state),
            description: it.description.unwrap_or_default(),
            url: it.target_url.unwrap_or_default(),
            creator: it.creator.map(|it| it.login),
        });
        let mut said = latest(said.collect());
        // What GitHub Actions and other Apps say; a login may have no right to see it.
        let url = it.url(
            &repo(it, &["commits", commit, "check-runs"]),
            &[("filter", "latest"), ("per_page", "100")],
        )?;
        match it.get::<Checks>(url).await {
            Ok(checks) => said.extend(checks.check_runs.into_iter().map(CommitStatus::from)),
            Err(error) if error.is_denied() || error.is_not_found() => {}
            Err(error) => return Err(error),
        }
        Ok(latest(said))
    }

    async fn say(
        &self,
        it: &Session<'_>,
        commit: &str,
        status: &CommitStatus,
    ) -> Result<(), Error> {
        let state = match status.state {
            Verdict::Pending => "pending",
            Verdict::Success => "success",
            Verdict::Failure => "failure",
            Verdict::Error => "error",
        };
        let mut body = json!({
            "state": state, "context": status.context, "description": status.short(),
        });
        if !status.url.is_empty() {
            body["target_url"] = json!(status.url);
        }
        let url = it.url(&repo(it, &["statuses", commit]), &[])?;
        it.send(Method::POST, url, Some(&body)).await.map(drop)
    }
}

impl From<Check> for CommitStatus {
    fn from(it: Check) -> Self {
        let state = match (it.status.as_str(), it.conclusion.as_deref()) {
            ("completed", Some("success" | "neutral" | "skipped")) => Verdict::Success,
            ("completed", Some(_)) => Verdict::Failure,
            _ => Verdict::Pending,
        };
        Self {
            context: it.name,
            state,
            description: it.conclusion.unwrap_or(it.status),
            url: it.html_url.unwrap_or_default(),
            creator: it.app.map(|it| it.slug),
        }
    }
}

fn verdict(text: &str) -> Verdict {
    match text {
        "success" => Verdict::Success,
        "failure" => Verdict::Failure,
        "error" => Verdict::Error,
        _ => Verdict::Pending,
    }
}
