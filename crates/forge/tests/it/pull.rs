//! Pull requests on GitHub and GitLab, request by request.

use forge::{CommitStatus, Error, Kind, Merge, Merged, Method, Proposal, State, Verdict};
use serde_json::{Value, json};

use crate::stub::{Step, Stub, on};

async fn github(steps: Vec<Step>) -> Stub {
    Stub::start(Kind::GitHub, "/api/v3", ("authorization", "Bearer secret-token"), steps).await
}

async fn gitlab(steps: Vec<Step>) -> Stub {
    Stub::start(Kind::GitLab, "/api/v4", ("private-token", "secret-token"), steps).await
}

fn wanted() -> Proposal {
    Proposal {
        head: "promote/prod".into(),
        base: "main".into(),
        title: "promote".into(),
        body: "1 -> 2".into(),
        labels: vec!["promotion".into()],
        reviewers: vec!["ann".into(), "org/sre".into()],
        draft: false,
    }
}

fn how(head: &str) -> Merge {
    Merge {
        method: Some(Method::Squash),
        head_commit: head.into(),
        title: "t".into(),
        message: "m".into(),
    }
}

/// A pull request of GitHub; `more` is merged in.
fn pull(state: &str, more: &Value) -> Value {
    let mut it = json!({
        "number": 7, "node_id": "PR_1", "html_url": "https://h/o/r/pull/7", "state": state,
        "title": "promote", "body": "1 -> 2", "draft": false, "labels": [{"name": "promotion"}],
        "head": {"ref": "promote/prod", "sha": "c1"}, "base": {"ref": "main", "sha": "c0"},
        "merge_commit_sha": "try", "merged_by": null, "merged_at": null,
    });
    merge(&mut it, more);
    it
}

fn request(state: &str, more: &Value) -> Value {
    let mut it = json!({
        "iid": 7, "web_url": "https://h/o/r/-/merge_requests/7", "state": state, "title": "promote",
        "description": "1 -> 2", "draft": false, "labels": ["promotion"], "sha": "c1",
        "source_branch": "promote/prod", "target_branch": "main", "merge_commit_sha": null,
        "squash_commit_sha": null, "merge_user": null, "merged_at": null, "reviewers": [],
    });
    merge(&mut it, more);
    it
}

fn merge(it: &mut Value, more: &Value) {
    for (key, value) in more.as_object().unwrap() {
        it[key] = value.clone();
    }
}

fn merged() -> Value {
    json!({
        "merged_at": "2026-11-21T09:00:00Z", "merged_by": {"login": "ann"}, "merge_commit_sha": "m1",
    })
}

const LIST: &str = "GET /repos/o/r/pulls?head=o%3Apromote%2Fprod&base=main&state=all&per_page=50";
const MR_LIST: &str = "GET /projects/o%2Fr/merge_requests?source_branch=promote%2Fprod\
    &target_branch=main&state=all&order_by=created_at&sort=desc&per_page=50";

fn open_body() -> Value {
    json!({
        "title": "promote", "body": "1 -> 2", "head": "promote/prod", "base": "main", "draft": false,
    })
}

#[tokio::test]
async fn github_opens_what_is_not_there() {
    let stub = github(vec![
        on(LIST).answer(200, json!([])),
        on("POST /repos/o/r/pulls")
            .body(open_body())
            .answer(201, pull("open", &json!({"labels": []}))),
        on("POST /repos/o/r/issues/7/labels")
            .body(json!({"labels": ["promotion"]}))
            .answer(200, json!([])),
        on("POST /repos/o/r/pulls/7/requested_reviewers")
            .body(json!({"reviewers": ["ann"], "team_reviewers": ["sre"]}))
            .answer(422, json!({"message": "Reviews may only be requested from collaborators."})),
    ])
    .await;
    let done = stub.forge.propose(&stub.access(), &wanted()).await.unwrap();
    assert_eq!((done.pull.number, done.pull.state, done.opened), (7, State::Open, true));
    assert_eq!(done.pull.merge_commit, None, "a commit that only tries the merge is none");
    assert!(done.notes[0].starts_with("reviewers: POST http"), "{:?}", done.notes);
    assert!(done.notes[0].ends_with("422 Reviews may only be requested from collaborators. []"));
    stub.done();
}

#[tokio::test]
async fn github_updates_what_is_there_and_nothing_else() {
    let found = || {
        [
            on(LIST).answer(
                200,
                json!([pull("closed", &json!({"number": 9})), pull("open", &json!({}))]),
            ),
            on("GET /repos/o/r/pulls/7").answer(200, pull("open", &json!({"title": "old"}))),
        ]
    };
    let edited = on("PATCH /repos/o/r/pulls/7")
        .body(json!({"title": "promote", "body": "1 -> 2"}))
        .answer(200, pull("open", &json!({})));
    let stub = github(found().into_iter().chain([edited]).collect()).await;
    let done = stub.forge.propose(&stub.access(), &wanted()).await.unwrap();
    assert_eq!((done.opened, done.pull.title.as_str()), (false, "promote"));
    stub.done();
    // The same once more asks only.
    let same = vec![
        on(LIST).answer(200, json!([pull("open", &json!({}))])),
        on("GET /repos/o/r/pulls/7").answer(200, pull("open", &json!({}))),
    ];
    let stub = github(same).await;
    stub.forge.propose(&stub.access(), &wanted()).await.unwrap();
    stub.done();
}

#[tokio::test]
async fn an_answer_that_got_lost_opens_no_second_one() {
    for lost in [
        on("POST /repos/o/r/pulls").body(open_body()).lose(),
        on("POST /repos/o/r/pulls").body(open_body()).answer(502, json!({})),
        on("POST /repos/o/r/pulls").body(open_body()).answer(
            422,
            json!({"message": "Validation Failed", "errors": [{"message": "A pull request already \
                exists for o:promote/prod."}]}),
        ),
    ] {
        let stub = github(vec![
            on(LIST).answer(200, json!([])),
            lost,
            on(LIST).answer(200, json!([pull("open", &json!({}))])),
            on("GET /repos/o/r/pulls/7").answer(200, pull("open", &json!({}))),
            on("POST /repos/o/r/pulls/7/requested_reviewers")
                .body(json!({"reviewers": ["ann"], "team_reviewers": ["sre"]}))
                .answer(201, json!({})),
        ])
        .await;
        let done = stub.forge.propose(&stub.access(), &wanted()).await.unwrap();
        assert_eq!(done.pull.number, 7);
        stub.done();
    }
}

#[tokio::test]
async fn a_refusal_is_told_with_its_details_and_without_the_token() {
    let no = json!({"message": "Validation Failed", "errors": [{"message": "No commits between main \
        and promote/prod"}]});
    let stub = github(vec![
        on(LIST).answer(200, json!([])),
        on("POST /repos/o/r/pulls").body(open_body()).answer(422, no),
        on(LIST).answer(200, json!([])),
    ])
    .await;
    let error = stub.forge.propose(&stub.access(), &wanted()).await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(error.to_string().ends_with(
        "/api/v3/repos/o/r/pulls: 422 Validation Failed; No commits between main and promote/prod []"
    ));
    assert!(!text.contains("secret-token"), "{text}");
    stub.done();
}

#[tokio::test]
async fn a_merge_is_what_the_forge_says_afterwards() {
    let at =
        |state: &str, more: Value| on("GET /repos/o/r/pulls/7").answer(200, pull(state, &more));
    let put = || {
        on("PUT /repos/o/r/pulls/7/merge").body(json!({
            "sha": "c1", "commit_title": "t", "commit_message": "m", "merge_method": "squash",
        }))
    };
    let refused = |status: u16| put().answer(status, json!({"message": "no"}));
    let open = || at("open", json!({}));
    let done = || at("closed", merged());
    let check = async |steps: Vec<Step>| {
        let stub = github(steps).await;
        let result = stub.forge.merge_pull(&stub.access(), 7, &how("c1")).await;
        stub.done();
        result
    };
    for (steps, want) in [
        (vec![open(), put().answer(200, json!({"merged": true})), done()], "done"),
        (vec![done()], "done"),
        (vec![open(), put().lose(), done()], "done"),
        (vec![open(), refused(502), done()], "done"),
        // Somebody else merged it meanwhile.
        (vec![open(), refused(405), done()], "done"),
        (vec![open(), refused(405), open()], "not yet"),
        (vec![open(), refused(422), open()], "not yet"),
        (
            vec![open(), refused(409), at("open", json!({"head": {"ref": "b", "sha": "c2"}}))],
            "moved",
        ),
        (vec![at("open", json!({"head": {"ref": "b", "sha": "c2"}}))], "moved"),
        (vec![at("closed", json!({}))], "closed"),
    ] {
        let got = match check(steps).await.unwrap() {
            Merged::Done(pull) => {
                assert_eq!(pull.merge_commit.as_deref(), Some("m1"));
                assert_eq!(pull.merged_by.as_deref(), Some("ann"));
                "done"
            }
            Merged::NotYet(why) => {
                assert!(why.contains("/pulls/7/merge: 4"), "{why}");
                "not yet"
            }
            Merged::Moved(head) => {
                assert_eq!(head, "c2");
                "moved"
            }
            Merged::Closed => "closed",
        };
        assert_eq!(got, want);
    }
    let error = check(vec![open(), refused(502), open()]).await.unwrap_err();
    assert!(error.is_transient());
    let error = check(vec![open(), refused(403)]).await.unwrap_err();
    assert!(error.is_denied() && !error.is_transient());
}

#[tokio::test]
async fn a_forge_that_asks_to_wait_is_left_alone() {
    let reset = crate::stub::NOW + 90;
    for (step, seconds) in [
        (on("GET /repos/o/r/pulls/7").answer(429, json!({})).header("retry-after", 30), 30),
        (
            on("GET /repos/o/r/pulls/7")
                .answer(403, json!({"message": "API rate limit exceeded"}))
                .header("x-ratelimit-limit", 5000)
                .header("x-ratelimit-remaining", 0)
                .header("x-ratelimit-reset", reset),
            90,
        ),
        (on("GET /repos/o/r/pulls/7").answer(429, json!({})), 60),
    ] {
        let stub = github(vec![step]).await;
        let error = stub.forge.pull(&stub.access(), 7).await.unwrap_err();
        assert!(error.is_transient() && !error.is_denied(), "{error}");
        assert_eq!(error.retry_after().unwrap().as_secs(), seconds);
        // The second request is not even sent.
        let error = stub.forge.pull(&stub.access(), 7).await.unwrap_err();
        assert!(matches!(error, Error::Budget { .. }), "{error}");
        assert_eq!(error.retry_after().unwrap().as_secs(), seconds);
        assert!(stub.forge.budget(&stub.access()).unwrap().shut_until.is_some());
        stub.done();
    }
}

#[tokio::test]
async fn github_closes_and_comments_once() {
    let stub = github(vec![
        on("GET /repos/o/r/issues/7/comments?per_page=50&page=1").answer(200, json!([])),
        on("POST /repos/o/r/issues/7/comments")
            .body(json!({"body": "superseded\n\n<!-- sluice:uid/superseded -->"}))
            .answer(201, json!({})),
        on("GET /repos/o/r/issues/7/comments?per_page=50&page=1")
            .answer(200, json!([{"body": "superseded\n\n<!-- sluice:uid/superseded -->"}])),
        on("GET /repos/o/r/pulls/7").answer(200, pull("open", &json!({}))),
        on("PATCH /repos/o/r/pulls/7").body(json!({"state": "closed"})).lose(),
        on("GET /repos/o/r/pulls/7").answer(200, pull("closed", &json!({}))),
        on("GET /repos/o/r/pulls/7").answer(200, pull("closed", &merged())),
    ])
    .await;
    let (forge, access) = (&stub.forge, stub.access());
    for _ in 0..2 {
        forge.comment(&access, 7, ("uid/superseded", "superseded")).await.unwrap();
    }
    assert_eq!(forge.close_pull(&access, 7).await.unwrap().state, State::Closed);
    assert_eq!(forge.close_pull(&access, 7).await.unwrap().state, State::Merged);
    stub.done();
}

#[tokio::test]
async fn github_makes_drafts_ready_by_graphql() {
    let stub = github(vec![
        on("GET /repos/o/r/pulls/7").answer(200, pull("open", &json!({"draft": true}))),
        on("POST /api/graphql")
            .body(json!({
                "query": "mutation($id:ID!){markPullRequestReadyForReview(input:{pullRequestId:$id})\
                    {pullRequest{isDraft}}}",
                "variables": {"id": "PR_1"},
            }))
            .answer(200, json!({"errors": [{"message": "not allowed"}]})),
    ])
    .await;
    let pull = stub.forge.pull(&stub.access(), 7).await.unwrap();
    let error = stub.forge.set_draft(&stub.access(), &pull, false).await.unwrap_err();
    assert!(error.to_string().ends_with("/api/graphql: not allowed"), "{error}");
    stub.done();
}

fn status(state: Verdict) -> CommitStatus {
    CommitStatus {
        context: "promotion/prod".into(),
        state,
        description: "d".repeat(200),
        url: "https://h/x".into(),
        creator: None,
    }
}

#[tokio::test]
async fn github_statuses_are_the_newest_of_each_context_and_checks() {
    let said = json!([
        {"context": "build", "state": "success", "creator": {"login": "ci"}},
        {"context": "build", "state": "failure"},
        {"context": "e2e", "state": "error"},
    ]);
    let checks = json!({"check_runs": [
        {"name": "lint", "status": "completed", "conclusion": "neutral", "app": {"slug": "actions"}},
        {"name": "scan", "status": "in_progress", "conclusion": null},
        {"name": "unit", "status": "completed", "conclusion": "timed_out"},
    ]});
    let list = || on("GET /repos/o/r/commits/c1/statuses?per_page=50&page=1");
    let runs = || on("GET /repos/o/r/commits/c1/check-runs?filter=latest&per_page=100");
    let stub = github(vec![
        list().answer(200, said.clone()),
        runs().answer(200, checks),
        list().answer(200, json!([])),
        runs().answer(403, json!({"message": "Resource not accessible"})),
        on("POST /repos/o/r/statuses/c1")
            .body(json!({
                "state": "pending", "context": "promotion/prod", "description": "d".repeat(140),
                "target_url": "https://h/x",
            }))
            .answer(201, json!({})),
    ])
    .await;
    let found = stub.forge.statuses(&stub.access(), "c1").await.unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|it| (it.context.as_str(), it.state, it.creator.as_deref().unwrap_or("-")))
        .collect();
    assert_eq!(
        found,
        [
            ("build", Verdict::Success, "ci"),
            ("e2e", Verdict::Error, "-"),
            ("lint", Verdict::Success, "actions"),
            ("scan", Verdict::Pending, "-"),
            ("unit", Verdict::Failure, "-"),
        ]
    );
    stub.forge.set_status(&stub.access(), "c1", &status(Verdict::Pending)).await.unwrap();
    stub.done();
}

#[tokio::test]
async fn gitlab_opens_labels_and_asks_for_reviews() {
    let mut wanted = wanted();
    wanted.reviewers = vec!["ann".into()];
    wanted.draft = true;
    let put = || on("PUT /projects/o%2Fr/merge_requests/7");
    let made = json!({"labels": [], "draft": true, "title": "Draft: promote"});
    let stub = gitlab(vec![
        on(MR_LIST).answer(200, json!([])),
        on("POST /projects/o%2Fr/merge_requests")
            .body(json!({
                "title": "Draft: promote", "description": "1 -> 2",
                "source_branch": "promote/prod", "target_branch": "main",
            }))
            .answer(201, request("opened", &made)),
        put().body(json!({"add_labels": "promotion"})).answer(200, request("opened", &made)),
        on("GET /projects/o%2Fr/merge_requests/7")
            .answer(200, request("opened", &json!({"reviewers": [{"id": 4, "username": "bob"}]}))),
        on("GET /users?username=ann").answer(200, json!([{"id": 3, "username": "ann"}])),
        put().body(json!({"reviewer_ids": [3, 4]})).answer(200, request("opened", &made)),
        put().body(json!({"title": "promote"})).answer(200, request("opened", &json!({}))),
    ])
    .await;
    let done = stub.forge.propose(&stub.access(), &wanted).await.unwrap();
    assert_eq!((done.pull.title.as_str(), done.pull.draft), ("promote", true));
    assert_eq!(done.notes, Vec::<String>::new());
    stub.forge.set_draft(&stub.access(), &done.pull, false).await.unwrap();
    stub.done();
}

#[tokio::test]
async fn gitlab_duplicates_are_found_and_merges_told() {
    let conflict = json!({"message": ["Another open merge request already exists for this source \
        branch: !7"]});
    let get = |state: &str, more: Value| {
        on("GET /projects/o%2Fr/merge_requests/7").answer(200, request(state, &more))
    };
    let put = || {
        on("PUT /projects/o%2Fr/merge_requests/7/merge")
            .body(json!({"sha": "c1", "squash": true, "squash_commit_message": "t\n\nm"}))
    };
    let done = json!({"merged_at": "2026-11-21T09:00:00Z", "merge_user": {"username": "ann"}});
    let stub = gitlab(vec![
        on(MR_LIST).answer(200, json!([])),
        on("POST /projects/o%2Fr/merge_requests")
            .body(json!({
                "title": "promote", "description": "1 -> 2", "source_branch": "promote/prod",
                "target_branch": "main",
            }))
            .answer(409, conflict),
        on(MR_LIST).answer(200, json!([request("opened", &json!({}))])),
        get("opened", json!({})),
        put().answer(405, json!({"message": "405 Method Not Allowed"})),
        get("opened", json!({})),
        get("opened", json!({})),
        put().answer(200, json!({})),
        get("merged", done),
    ])
    .await;
    let wanted = Proposal { reviewers: Vec::new(), ..wanted() };
    let found = stub.forge.propose(&stub.access(), &wanted).await.unwrap();
    assert_eq!(found.pull.number, 7);
    let first = stub.forge.merge_pull(&stub.access(), 7, &how("c1")).await.unwrap();
    assert!(matches!(first, Merged::NotYet(why) if why.contains("405 Method Not Allowed")));
    let Merged::Done(pull) = stub.forge.merge_pull(&stub.access(), 7, &how("c1")).await.unwrap()
    else {
        panic!("not merged")
    };
    // A fast-forward makes no commit of its own.
    assert_eq!(pull.merge_commit.as_deref(), Some("c1"));
    assert_eq!(pull.merged_by.as_deref(), Some("ann"));
    stub.done();
}

#[tokio::test]
async fn gitlab_statuses_are_read_and_written_once() {
    let list = "GET /projects/o%2Fr/repository/commits/c1/statuses?order_by=id&sort=desc&per_page=50\
        &page=1";
    let same = json!({
        "name": "promotion/prod", "status": "failed", "description": "d".repeat(140),
        "target_url": "https://h/x", "author": {"username": "bot"},
    });
    let stub = gitlab(vec![
        on(list).answer(200, json!([{"name": "build", "status": "running"}])),
        on("POST /projects/o%2Fr/statuses/c1")
            .body(json!({
                "state": "failed", "name": "promotion/prod", "description": "d".repeat(140),
                "target_url": "https://h/x",
            }))
            .answer(201, json!({})),
        on(list).answer(200, json!([same])),
    ])
    .await;
    for _ in 0..2 {
        stub.forge.set_status(&stub.access(), "c1", &status(Verdict::Failure)).await.unwrap();
    }
    stub.done();
}
