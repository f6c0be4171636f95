//! GitLab, whose pull requests are merge requests: REST v4.

use http::header::HeaderName;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::Provider;
use crate::call::{Session, headers};
use crate::pull::{Merge, Method as How, Proposal, PullRequest, State};
use crate::status::latest;
use crate::{CommitStatus, Error, Verdict};

pub(crate) struct GitLab;

/// What marks a draft.
const DRAFT: &str = "Draft: ";

#[derive(Deserialize)]
struct Request {
    iid: u64,
    web_url: String,
    state: String,
    title: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    draft: bool,
    source_branch: String,
    target_branch: String,
    #[serde(default)]
    sha: Option<String>,
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default)]
    merge_commit_sha: Option<String>,
    #[serde(default)]
    squash_commit_sha: Option<String>,
    #[serde(default)]
    merge_user: Option<User>,
    #[serde(default)]
    merged_by: Option<User>,
    #[serde(default)]
    merged_at: Option<Timestamp>,
    #[serde(default)]
    reviewers: Vec<User>,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    id: u64,
    username: String,
}

#[derive(Deserialize)]
struct Status {
    name: String,
    #[serde(rename = "status")]
    state: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    target_url: Option<String>,
    #[serde(default)]
    author: Option<User>,
}

#[derive(Deserialize)]
struct Note {
    body: String,
}

impl From<Request> for PullRequest {
    fn from(it: Request) -> Self {
        let state = match it.state.as_str() {
            "merged" => State::Merged,
            // `locked` is a merge under way.
            "opened" | "locked" => State::Open,
            _ => State::Closed,
        };
        let head_commit = it.sha.unwrap_or_default();
        // A fast-forward makes no commit of its own.
        let merge = it.merge_commit_sha.or(it.squash_commit_sha);
        let merge = merge.unwrap_or_else(|| head_commit.clone());
        let plain = it.title.strip_prefix(DRAFT).map(str::to_owned);
        Self {
            number: it.iid,
            url: it.web_url,
            state,
            draft: it.draft,
            title: plain.filter(|_| it.draft).unwrap_or(it.title),
            body: it.description.unwrap_or_default(),
            head: it.source_branch,
            base: it.target_branch,
            labels: it.labels,
            merge_commit: (state == State::Merged && !merge.is_empty()).then_some(merge),
            merged_by: it.merge_user.or(it.merged_by).map(|it| it.username),
            merged_at: it.merged_at,
            head_commit,
            node: String::new(),
        }
    }
}

/// A part of the API of the project, whose whole path is one part.
fn project<'a>(it: &'a Session<'_>, rest: &[&'a str]) -> Vec<&'a str> {
    [&["projects", it.path.as_str()], rest].concat()
}

fn title(wanted: &str, draft: bool) -> String {
    format!("{}{wanted}", if draft { DRAFT } else { "" })
}

impl GitLab {
    async fn change(
        &self,
        it: &Session<'_>,
        number: u64,
        body: &serde_json::Value,
    ) -> Result<PullRequest, Error> {
        let number = number.to_string();
        let url = it.url(&project(it, &["merge_requests", &number]), &[])?;
        let request: Request = it.put(Method::PUT, url, body).await?;
        Ok(request.into())
    }
}

impl Provider for GitLab {
    fn token(&self, token: &str) -> HeaderMap {
        headers(&[(HeaderName::from_static("private-token"), token)])
    }

    async fn find(
        &self,
        it: &Session<'_>,
        head: &str,
        base: &str,
    ) -> Result<Option<PullRequest>, Error> {
        let query = [
            ("source_branch", head),
            ("target_branch", base),
            ("state", "all"),
            ("order_by", "created_at"),
            ("sort", "desc"),
            ("per_page", "50"),
        ];
        let url = it.url(&project(it, &["merge_requests"]), &query)?;
        let mut all: Vec<Request> = it.get(url).await?;
        let is_open = |it: &Request| matches!(it.state.as_str(), "opened" | "locked");
        all.sort_by_key(|it| (!is_open(it), std::cmp::Reverse(it.iid)));
        Ok(all.into_iter().next().map(PullRequest::from))
    }

    async fn get(&self, it: &Session<'_>, number: u64) -> Result<PullRequest, Error> {
        let number = number.to_string();
        let url = it.url(&project(it, &["merge_requests", &number]), &[])?;
        let request: Request = it.get(url).await?;
        Ok(request.into())
    }

    async fn open(&self, it: &Session<'_>, wanted: &Proposal) -> Result<PullRequest, Error> {
        let body = json!({
            "title": title(&wanted.title, wanted.draft), "description": wanted.body,
            "source_branch": wanted.head, "target_branch": wanted.base,
        });
        let url = it.url(&project(it, &["merge_requests"]), &[])?;
        let request: Request = it.put(Method::POST, url, &body).await?;
        Ok(request.into())
    }

    async fn edit(
        &self,
        it: &Session<'_>,
        pull: &PullRequest,
        wanted: &Proposal,
    ) -> Result<PullRequest, Error> {
        let title = title(&wanted.title, pull.draft);
        self.change(it, pull.number, &json!({"title": title, "description": wanted.body})).await
    }

    async fn draft(&self, it: &Session<'_>, pull: &PullRequest, draft: bool) -> Result<(), Error> {
        let title = title(&pull.title, draft);
        self.change(it, pull.number, &json!({"title": title})).await.map(drop)
    }

    async fn label(
        &self,
        it: &Session<'_>,
        pull: &PullRequest,
        labels: &[String],
    ) -> Result<(), Error> {
        self.change(it, pull.number, &json!({"add_labels": labels.join(",")})).await.map(drop)
    }

    async fn review(
        &self,
        it: &Session<'_>,
        pull: &PullRequest,
        reviewers: &[String],
    ) -> Result<(), Error> {
        let number = pull.number.to_string();
        let url = it.url(&project(it, &["merge_requests", &number]), &[])?;
        let request: Request = it.get(url).await?;
        let mut ids: Vec<u64> = request.reviewers.iter().map(|it| it.id).collect();
        for name in reviewers {
            let users: Vec<User> = it.get(it.url(&["users"], &[("username", name)])?).await?;
            let user = users.into_iter().find(|it| it.username.eq_ignore_ascii_case(name));
            let unknown = || Error::Answer(format!("there is no user '{name}'"));
            ids.push(user.ok_or_else(unknown)?.id);
        }
        ids.sort_unstable();
        ids.dedup();
        self.change(it, pull.number, &json!({"reviewer_ids": ids})).await.map(drop)
    }

    async fn comments(&self, it: &Session<'_>, number: u64) -> Result<Vec<String>, Error> {
        let number = number.to_string();
        let path = project(it, &["merge_requests", &number, "notes"]);
        let all: Vec<Note> = it.list(&path, &[], "per_page").await?;
        Ok(all.into_iter().map(|it| it.body).collect())
    }

    async fn comment(&self, it: &Session<'_>, number: u64, text: &str) -> Result<(), Error> {
        let number = number.to_string();
        let url = it.url(&project(it, &["merge_requests", &number, "notes"]), &[])?;
        it.send(Method::POST, url, Some(&json!({"body": text}))).await.map(drop)
    }

    async fn close(&self, it: &Session<'_>, number: u64) -> Result<(), Error> {
        self.change(it, number, &json!({"state_event": "close"})).await.map(drop)
    }

    /// Whether a merge makes a commit or moves the branch is set up in the project; only squashing
    /// can be asked for.
    async fn merge(&self, it: &Session<'_>, number: u64, how: &Merge) -> Result<(), Error> {
        let number = number.to_string();
        let message = format!("{}\n\n{}", how.title, how.message);
        let mut body = json!({"sha": how.head_commit});
        if how.method == Some(How::Squash) {
            body["squash"] = json!(true);
            body["squash_commit_message"] = json!(message);
        } else {
            body["merge_commit_message"] = json!(message);
        }
        let url = it.url(&project(it, &["merge_requests", &number, "merge"]), &[])?;
        it.send(Method::PUT, url, Some(&body)).await.map(drop)
    }

    async fn statuses(&self, it: &Session<'_>, commit: &str) -> Result<Vec<CommitStatus>, Error> {
        let path = project(it, &["repository", "commits", commit, "statuses"]);
        let query = [("order_by", "id"), ("sort", "desc")];
        let all: Vec<Status> = it.list(&path, &query, "per_page").await?;
        let said = all.into_iter().map(|it| CommitStatus {
            context: it.name,
            state: match it.state.as_str() {
                "success" | "skipped" => Verdict::Success,
                "failed" => Verdict::Failure,
                "canceled" => Verdict::Error,
                _ => Verdict::Pending,
            },
            description: it.description.unwrap_or_default(),
            url: it.target_url.unwrap_or_default(),
            creator: it.author.map(|it| it.username),
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
            Verdict::Failure => "failed",
            Verdict::Error => "canceled",
        };
        let mut body = json!({
            "state": state, "name": status.context, "description": status.short(),
        });
        if !status.url.is_empty() {
            body["target_url"] = json!(status.url);
        }
        let url = it.url(&project(it, &["statuses", commit]), &[])?;
        it.send(Method::POST, url, Some(&body)).await.map(drop)
    }
}
