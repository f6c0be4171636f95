//! Pull requests and statuses on a real Gitea.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cloud::{CacheOptions, Clock};
use forge::{
    Access, Caller, CommitStatus, Forge, InvolvedObject, Kind, Login, Merge, Merged, Method,
    Proposal, PullRequest, Repository, State, Verdict,
};
use http_client::{Options, Pool, Proxy};
use jiff::Timestamp;
use serde_json::json;
use world::gitea::{OWNER, Server};

/// One repository of a server, and what is done with it.
struct Place {
    server: Server,
    name: &'static str,
    forge: Forge,
    repository: Repository,
    login: Login,
    http: Options,
}

const CALLER: Caller<'static> = Caller {
    tenant: "ns",
    object: InvolvedObject {
        kind: "Promotion",
        name: "p",
        namespace: "ns",
        operation: "reconcile",
    },
};

impl Place {
    async fn start(name: &'static str) -> Option<Self> {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let Some(server) = Server::start().await.unwrap() else {
            println!("skipped: gitea: it is not built (cargo xtask setup)");
            return None;
        };
        let git = server.repository(name).await.unwrap();
        let clock: Clock = Arc::new(Timestamp::now);
        Some(Self {
            forge: Forge::new(Pool::new("test"), clock, CacheOptions::default()),
            repository: Repository::new(Kind::Gitea, &git, None).unwrap(),
            login: Login::Token(server.token().to_owned()),
            http: Options { proxy: Proxy::Direct, ..Options::default() },
            server,
            name,
        })
    }

    fn access(&self) -> Access<'_> {
        Access {
            repository: &self.repository,
            login: &self.login,
            caller: &CALLER,
            http: &self.http,
            timeout: Duration::from_secs(30),
        }
    }

    /// A branch with one commit, and a proposal to merge it.
    async fn branch(&self, branch: &str) -> Proposal {
        self.server.commit(self.name, branch, (&format!("{branch}.yaml"), "a: 1\n")).await.unwrap();
        Proposal {
            head: branch.into(),
            base: "main".into(),
            title: format!("promote {branch}"),
            body: "1 -> 2".into(),
            ..Proposal::default()
        }
    }

    async fn propose(&self, wanted: &Proposal) -> PullRequest {
        let done = self.forge.propose(&self.access(), wanted).await.unwrap();
        assert_eq!(done.notes, Vec::<String>::new());
        done.pull
    }

    /// Gitea looks whether there are conflicts in the background, and refuses to merge until then.
    async fn merge(&self, pull: &PullRequest, method: Method) -> Merged {
        let how = Merge {
            method: Some(method),
            head_commit: pull.head_commit.clone(),
            title: "promote".into(),
            message: "Promotion-Id: x".into(),
        };
        let started = Instant::now();
        loop {
            match self.forge.merge_pull(&self.access(), pull.number, &how).await.unwrap() {
                Merged::NotYet(_) if started.elapsed() < Duration::from_mins(1) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                merged => return merged,
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gitea_plays_along() {
    let Some(place) = Place::start("fleet").await else { return };
    opens_once_and_updates(&place).await;
    merges_by_each_method(&place).await;
    tells_of_closed_moved_and_drafts(&place).await;
    keeps_statuses(&place).await;
    refuses_strangers(&place).await;
}

async fn opens_once_and_updates(place: &Place) {
    place.server.collaborator(place.name, "ann").await.unwrap();
    let mut wanted = place.branch("promote/labels").await;
    wanted.labels = vec!["promotion".into(), "prod".into()];
    wanted.reviewers = vec!["ann".into()];
    let (forge, access) = (&place.forge, place.access());
    assert_eq!(forge.find_pull(&access, &wanted.head, "main").await.unwrap(), None);
    let pull = place.propose(&wanted).await;
    assert_eq!(
        (pull.state, pull.head.as_str(), pull.base.as_str()),
        (State::Open, "promote/labels", "main")
    );
    assert!(pull.url.starts_with(&place.server.url()), "{}", pull.url);
    wanted.body = "1 -> 3".into();
    let again = place.propose(&wanted).await;
    assert_eq!((again.number, again.body.as_str()), (pull.number, "1 -> 3"));
    let seen = forge.pull(&access, pull.number).await.unwrap();
    let mut labels = seen.labels.clone();
    labels.sort();
    assert_eq!(labels, ["prod", "promotion"]);
    let path = format!("repos/{OWNER}/{}/pulls/{}", place.name, pull.number);
    let asked = place.server.ask("GET", &path, None).await.unwrap();
    assert_eq!(asked["requested_reviewers"][0]["login"], "ann");
    for _ in 0..2 {
        forge.comment(&access, pull.number, ("uid/x", "superseded by 4")).await.unwrap();
    }
    let path = format!("repos/{OWNER}/{}/issues/{}/comments", place.name, pull.number);
    let comments = place.server.ask("GET", &path, None).await.unwrap();
    assert_eq!(comments.as_array().unwrap().len(), 1, "{comments}");
    // Reviewers that do not exist are noted, and nothing more.
    let mut odd = place.branch("odd").await;
    odd.reviewers = vec!["nobody".into()];
    let odd = forge.propose(&access, &odd).await.unwrap();
    assert!(odd.opened && odd.notes[0].starts_with("reviewers: POST "), "{:?}", odd.notes);
}

async fn merges_by_each_method(place: &Place) {
    for (branch, method) in
        [("a", Method::Merge), ("b/c", Method::Squash), ("rebase", Method::Rebase)]
    {
        let pull = place.propose(&place.branch(branch).await).await;
        let Merged::Done(merged) = place.merge(&pull, method).await else { panic!("{branch}") };
        assert_eq!(merged.merged_by.as_deref(), Some(OWNER));
        assert!(merged.merged_at.is_some());
        let path = format!("repos/{OWNER}/{}/branches/main", place.name);
        let main = place.server.ask("GET", &path, None).await.unwrap();
        assert_eq!(main["commit"]["id"].as_str(), merged.merge_commit.as_deref(), "{branch}");
        // Merged already is as good.
        assert!(matches!(place.merge(&pull, method).await, Merged::Done(it) if it == merged));
        // The branch may be used again.
        let found = place.forge.find_pull(&place.access(), branch, "main").await.unwrap();
        assert_eq!(found.map(|it| it.state), Some(State::Merged));
    }
    let again = place.branch("a").await;
    place.server.commit(place.name, "a", ("more.yaml", "b: 1\n")).await.unwrap();
    let before = place.forge.propose(&place.access(), &again).await.unwrap();
    assert_eq!(before.pull.state, State::Merged, "what is merged is not opened again by itself");
}

async fn tells_of_closed_moved_and_drafts(place: &Place) {
    let (forge, access) = (&place.forge, place.access());
    let mut wanted = place.branch("moving").await;
    wanted.draft = true;
    let pull = place.propose(&wanted).await;
    assert_eq!((pull.draft, pull.title.as_str()), (true, "promote moving"));
    let how = Merge {
        method: None,
        head_commit: pull.head_commit.clone(),
        title: "t".into(),
        message: String::new(),
    };
    let refused = forge.merge_pull(&access, pull.number, &how).await.unwrap();
    assert!(matches!(&refused, Merged::NotYet(why) if why.contains(": 405 ")), "{refused:?}");
    forge.set_draft(&access, &pull, false).await.unwrap();
    assert!(!forge.pull(&access, pull.number).await.unwrap().draft);
    let head = place.server.commit(place.name, "moving", ("new.yaml", "x: 1\n")).await.unwrap();
    let started = Instant::now();
    loop {
        match forge.merge_pull(&access, pull.number, &how).await {
            Ok(Merged::Moved(now)) => break assert_eq!(now, head),
            // The new head is noticed in the background.
            other => assert!(started.elapsed() < Duration::from_mins(1), "{other:?}"),
        }
    }
    let closed = forge.close_pull(&access, pull.number).await.unwrap();
    assert_eq!(closed.state, State::Closed);
    assert_eq!(forge.close_pull(&access, pull.number).await.unwrap().state, State::Closed);
    let how = Merge { head_commit: head, ..how };
    assert_eq!(forge.merge_pull(&access, pull.number, &how).await.unwrap(), Merged::Closed);
}

async fn keeps_statuses(place: &Place) {
    let (forge, access) = (&place.forge, place.access());
    let commit = place.server.commit(place.name, "main", ("s.yaml", "s: 1\n")).await.unwrap();
    let mut status = CommitStatus {
        context: "promotion/prod".into(),
        state: Verdict::Pending,
        description: "gating".into(),
        url: "http://127.0.0.1/x".into(),
        creator: None,
    };
    forge.set_status(&access, &commit, &status).await.unwrap();
    status.state = Verdict::Success;
    for _ in 0..2 {
        forge.set_status(&access, &commit, &status).await.unwrap();
    }
    let path = format!("repos/{OWNER}/{}/statuses/{commit}", place.name);
    let body = json!({"state": "warning", "context": "build"});
    place.server.ask("POST", &path, Some(&body)).await.unwrap();
    let mut found = forge.statuses(&access, &commit).await.unwrap();
    found.sort_by(|a, b| a.context.cmp(&b.context));
    let shown: Vec<_> = found.iter().map(|it| (it.context.as_str(), it.state)).collect();
    assert_eq!(shown, [("build", Verdict::Success), ("promotion/prod", Verdict::Success)]);
    assert_eq!(found[1].creator.as_deref(), Some(OWNER));
    let all = place.server.ask("GET", &path, None).await.unwrap();
    assert_eq!(all.as_array().unwrap().len(), 3, "the same is said once");
}

async fn refuses_strangers(place: &Place) {
    let login = Login::Token("f".repeat(40));
    let access = Access { login: &login, ..place.access() };
    let error = place.forge.find_pull(&access, "a", "main").await.unwrap_err();
    assert!(error.is_denied() && !error.to_string().contains(&"f".repeat(40)), "{error}");
    let login = Login::Basic { username: OWNER.into(), password: "loopback-Only-1".into() };
    let access = Access { login: &login, ..place.access() };
    assert!(place.forge.find_pull(&access, "a", "main").await.unwrap().is_some());
}
