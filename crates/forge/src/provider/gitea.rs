//! Gitea and Forgejo: REST v1.

use http::header::AUTHORIZATION;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::Provider;
use crate::call::{Session, headers};
use crate::pull::{Merge, Method as How, Proposal, PullRequest, State};
use crate::status::latest;
use crate::{CommitStatus, Error, Verdict};

pub(crate) struct Gitea;

/// What marks a draft.
const DRAFT: &str = "WIP: ";
/// The colour of labels that are made here.
const COLOUR: &str = "#ededed";

#[derive(Deserialize)]
struct Pull {
    number: u64,
    html_url: String,
    state: String,
    title: String,
    #[serde(default)]
    body: String,
    #[serde(default)]
    draft: bool,
    head: Branch,
    base: Branch,
    #[serde(default)]
    labels: Vec<Label>,
    #[serde(default)]
    merged: bool,
    #[serde(default)]
    merge_commit_sha: Option<String>,
    #[serde(default)]
    merged_by: Option<User>,
    #[serde(default)]
    merged_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Branch {
    /// Of a branch that is gone this is a reference to the pull request itself.
    #[serde(rename = "ref")]
    name: String,
    label: String,
    sha: String,
}

#[derive(Deserialize)]
struct Label {
    id: u64,
    name: String,
}

#[derive(Deserialize)]
struct User {
    login: String,
}

#[derive(Deserialize)]
struct Status {
    id: u64,
    context: String,
    #[serde(rename = "status")]
    state: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    target_url: String,
    #[serde(default)]
    creator: Option<User>,
}

#[derive(Deserialize)]
struct Comment {
    body: String,
}

impl From<Pull> for PullRequest {
    fn from(it: Pull) -> Self {
        let state = match (it.merged, it.state.as_str()) {
            (true, _) => State::Merged,
            (false, "open") => State::Open,
            (false, _) => State::Closed,
        };
        let plain = it.title.strip_prefix(DRAFT).map(str::to_owned);
        let gone = it.head.name.starts_with("refs/pull/");
        Self {
            number: it.number,
            url: it.html_url,
            state,
            draft: it.draft,
            title: plain.unwrap_or(it.title),
            body: it.body,
            head: if gone { it.head.label } else { it.head.name },
            head_commit: it.head.sha,
            base: it.base.name,
            labels: it.labels.into_iter().map(|it| it.name).collect(),
            merge_commit: it.merge_commit_sha.filter(|_| state == State::Merged),
            merged_by: it.merged_by.map(|it| it.login),
            merged_at: it.merged_at,
            node: String::new(),
        }
    }
}

fn repo<'a>(it: &'a Session<'_>, rest: &[&'a str]) -> Vec<&'a str> {
    let (owner, name) = it.path.split_once('/').unwrap_or_default();
    [&["repos", owner, name], rest].concat()
}

fn title(wanted: &str, draft: bool) -> String {
    format!("{}{wanted}", if draft { DRAFT } else { "" })
}

impl Gitea {
    async fn change(
        &self,
        it: &Session<'_>,
        number: u64,
        body: &serde_json::Value,
    ) -> Result<PullRequest, Error> {
        let number = number.to_string();
        let url = it.url(&repo(it, &["pulls", &number]), &[])?;
        let pull: Pull = it.put(Method::PATCH, url, body).await?;
        Ok(pull.into())
    }
}

impl Provider for Gitea {
    fn token(&self, token: &str) -> HeaderMap {
        headers(&[(AUTHORIZATION, &format!("token {token}"))])
    }

    async fn find(
        &self,
        it: &Session<'_>,
        head: &str,
        base: &str,
    ) -> Result<Option<PullRequest>, Error> {
        // This finds one of any state, and not always the open one.
        let url = it.url(&[&repo(it, &["pulls", base])[..], &[head]].concat(), &[])?;
        let found: Option<Pull> = it.find(url).await?;
        let Some(found) = found else { return Ok(None) };
        if found.state == "open" {
            return Ok(Some(found.into()));
        }
        let query = [("state", "open"), ("base_branch", base), ("sort", "recentupdate")];
        let open: Vec<Pull> = it.list(&repo(it, &["pulls"]), &query, "limit").await?;
        let open = open.into_iter().find(|it| it.head.name == head && it.base.name == base);
        Ok(Some(open.unwrap_or(found).into()))
    }

    async fn get(&self, it: &Session<'_>, number: u64) -> Result<PullRequest, Error> {
        let number = number.to_string();
        let pull: Pull = it.get(it.url(&repo(it, &["pulls", &number]), &[])?).await?;
        Ok(pull.into())
    }

    async fn open(&self, it: &Session<'_>, wanted: &Proposal) -> Result<PullRequest, Error> {
        let body = json!({
            "title": title(&wanted.title, wanted.draft), "body": wanted.body,
            "head": wanted.head, "base": wanted.base,
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
        let title = title(&wanted.title, pull.draft);
        self.change(it, pull.number, &json!({"title": title, "body": wanted.body})).await
    }

    async fn draft(&self, it: &Session<'_>, pull: &PullRequest, draft: bool) -> Result<(), Error> {
        let title = title(&pull.title, draft);
        self.change(it, pull.number, &json!({"title": title})).await.map(drop)
    }

    /// Only labels that exist can be given, by their numbers; what is missing is made, as other
    /// forges do by themselves.
    async fn label(
        &self,
        it: &Session<'_>,
        pull: &PullRequest,
        labels: &[String],
    ) -> Result<(), Error> {
        let known: Vec<Label> = it.list(&repo(it, &["labels"]), &[], "limit").await?;
        let mut ids = Vec::new();
        for name in labels {
            if let Some(label) = known.iter().find(|it| it.name == *name) {
                ids.push(label.id);
            } else {
                let url = it.url(&repo(it, &["labels"]), &[])?;
                let body = json!({"name": name, "color": COLOUR});
                ids.push(it.put::<Label>(Method::POST, url, &body).await?.id);
            }
        }
        let number = pull.number.to_string();
        let url = it.url(&repo(it, &["issues", &number, "labels"]), &[])?;
        it.send(Method::POST, url, Some(&json!({"labels": ids}))).await.map(drop)
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
        let url = it.url(&repo(it, &["issues", &number, "comments"]), &[])?;
        let all: Vec<Comment> = it.get(url).await?;
        Ok(all.into_iter().map(|it| it.body).collect())
    }

    async fn comment(&self, it: &Session<'_>, number: u64, text: &str) -> Result<(), Error> {
        let number = number.to_string();
        let url = it.url(&repo(it, &["issues", &number, "comments"]), &[])?;
        it.send(Method::POST, url, Some(&json!({"body": text}))).await.map(drop)
    }

    async fn close(&self, it: &Session<'_>, number: u64) -> Result<(), Error> {
        self.change(it, number, &json!({"state": "closed"})).await.map(drop)
    }

    async fn merge(&self, it: &Session<'_>, number: u64, how: &Merge) -> Result<(), Error> {
        let number = number.to_string();
        let method = match how.method {
            None | Some(How::Merge) => "merge",
            Some(How::Squash) => "squash",
            Some(How::Rebase) => "rebase",
        };
        let body = json!({
            "Do": method, "head_commit_id": how.head_commit,
            "MergeTitleField": how.title, "MergeMessageField": how.message,
        });
        let url = it.url(&repo(it, &["pulls", &number, "merge"]), &[])?;
        it.send(Method::POST, url, Some(&body)).await.map(drop)
    }

    async fn statuses(&self, it: &Session<'_>, commit: &str) -> Result<Vec<CommitStatus>, Error> {
        let path = repo(it, &["commits", commit, "statuses"]);
        let mut all: Vec<Status> = it.list(&path, &[], "limit").await?;
        all.sort_by_key(|it| std::cmp::Reverse(it.id));
        let said = all.into_iter().map(|it| CommitStatus {
            context: it.context,
            state: match it.state.as_str() {
                // `warning` is a success with a remark.
                "success" | "warning" | "skipped" => Verdict::Success,
                "failure" => Verdict::Failure,
                "error" => Verdict::Error,
                _ => Verdict::Pending,
            },
            description: it.description,
            url: it.target_url,
            creator: it.creator.map(|it| it.login),
        });
        Ok(latest(said.collect()))
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
        let body = json!({
            "state": state, "context": status.context, "description": status.short(),
            "target_url": status.url,
        });
        let url = it.url(&repo(it, &["statuses", commit]), &[])?;
        it.send(Method::POST, url, Some(&body)).await.map(drop)
    }
}
