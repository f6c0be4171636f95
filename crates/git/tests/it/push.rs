use git::{Expected, Outcome, Push, Refspec, Update};
use world::git::Options;

use crate::fixture::{Mirror, commit, fleet, only, onto};

fn update(reference: &str, commit: &git::NewCommit, expected: Expected) -> Update {
    Update { reference: reference.to_owned(), target: Some(commit.id()), expected, force: false }
}

#[tokio::test]
async fn options_reach_the_server() {
    let (server, _, remote) = fleet(Options::default()).await;
    let mirror = Mirror::new();
    let base = mirror.main(&remote).await.unwrap().snapshot;
    let new = commit(&base, "x", "y").await;
    let mut push = onto("main", &new);
    push.options = vec!["ci.skip".to_owned(), "merge_request.create=true".to_owned()];
    mirror.mirrors.push(&remote, push).await.unwrap();
    assert_eq!(server.push_options(), [["ci.skip", "merge_request.create=true"]]);
}

#[tokio::test]
async fn a_server_without_push_options_is_told_before_anything_is_sent() {
    let (server, repository, remote) = fleet(Options::default()).await;
    repository.git(["config", "receive.advertisePushOptions", "false"]).await.unwrap();
    let mirror = Mirror::new();
    let base = mirror.main(&remote).await.unwrap().snapshot;
    let mut push = onto("main", &commit(&base, "x", "y").await);
    push.options = vec!["a".to_owned()];
    let why = mirror.mirrors.push(&remote, push).await.unwrap_err();
    assert_eq!(
        why.to_string(),
        "failed to push to remote: the server does not support push options"
    );
    assert_eq!(server.counts().pushes, 0);
}

#[tokio::test]
async fn a_new_branch_and_a_refspec() {
    let (_server, repository, remote) = fleet(Options::default()).await;
    let mirror = Mirror::new();
    let base = mirror.main(&remote).await.unwrap().snapshot;
    let new = commit(&base, "x", "y").await;
    let spec = Refspec::parse("refs/heads/bumps:refs/heads/copy").unwrap();
    let updates = vec![
        update("refs/heads/bumps", &new, Expected::Absent),
        update(&spec.destination, &new, Expected::Any),
    ];
    let push = Push { commit: new.clone(), updates, options: Vec::new() };
    let pushed = mirror.mirrors.push(&remote, push).await.unwrap();
    assert_eq!(pushed.outcomes, [Outcome::Ok, Outcome::Ok]);
    let branches = repository.branches().await.unwrap();
    assert_eq!(branches["bumps"], new.id().to_string());
    assert_eq!(branches["copy"], new.id().to_string());
    assert_eq!(branches["main"], base.commit_id().to_string());
    repository.git(["fsck", "--full"]).await.unwrap();
}

#[tokio::test]
async fn a_push_of_what_is_there_is_up_to_date() {
    let (server, _, remote) = fleet(Options::default()).await;
    let mirror = Mirror::new();
    let base = mirror.main(&remote).await.unwrap().snapshot;
    let new = commit(&base, "x", "y").await;
    mirror.mirrors.push(&remote, onto("main", &new)).await.unwrap();
    let again = mirror.mirrors.push(&remote, onto("main", &new)).await.unwrap();
    assert_eq!(only(&again), &Outcome::UpToDate);
    assert_eq!(server.counts().pushes, 1);
}

#[tokio::test]
async fn a_reference_named_twice_is_up_to_date_the_second_time() {
    let (server, _, remote) = fleet(Options::default()).await;
    let mirror = Mirror::new();
    let base = mirror.main(&remote).await.unwrap().snapshot;
    let new = commit(&base, "x", "y").await;
    let main = update("refs/heads/main", &new, Expected::Any);
    let mut push = Push { commit: new, updates: vec![main.clone(), main], options: Vec::new() };
    let pushed = mirror.mirrors.push(&remote, push.clone()).await.unwrap();
    assert_eq!(pushed.outcomes, [Outcome::Ok, Outcome::UpToDate]);
    push.updates[1].target = Some(base.commit_id());
    let why = mirror.mirrors.push(&remote, push).await.unwrap_err();
    assert!(why.to_string().contains("cannot be pushed to twice"), "{why}");
    assert_eq!(server.counts().pushes, 1);
}

#[tokio::test]
async fn only_force_leaves_commits_behind() {
    let (_server, repository, remote) = fleet(Options::default()).await;
    let mirror = Mirror::new();
    let base = mirror.main(&remote).await.unwrap().snapshot;
    let other = repository.commit("bumps", [("theirs", "1")], "theirs").await.unwrap();
    let new = commit(&base, "x", "y").await;
    let mut bumps = update("refs/heads/bumps", &new, Expected::Any);
    let push = |update: &Update| Push {
        commit: new.clone(),
        updates: vec![update.clone()],
        options: Vec::new(),
    };
    let pushed = mirror.mirrors.push(&remote, push(&bumps)).await.unwrap();
    let reason = "non-fast-forward update: refs/heads/bumps".to_owned();
    assert_eq!(only(&pushed), &Outcome::Rejected { reason });
    assert_eq!(repository.head("bumps").await.unwrap(), Some(other));
    bumps.force = true;
    let pushed = mirror.mirrors.push(&remote, push(&bumps)).await.unwrap();
    assert_eq!(only(&pushed), &Outcome::Ok);
    assert_eq!(repository.head("bumps").await.unwrap(), Some(new.id().to_string()));
}

#[tokio::test]
async fn a_branch_can_be_deleted() {
    let (_server, repository, remote) = fleet(Options::default()).await;
    repository.set_branch("old", "main").await.unwrap();
    let mirror = Mirror::new();
    let base = mirror.main(&remote).await.unwrap().snapshot;
    let new = commit(&base, "x", "y").await;
    let delete = Update {
        reference: "refs/heads/old".to_owned(),
        target: None,
        expected: Expected::Commit(base.commit_id()),
        force: false,
    };
    let push = Push { commit: new, updates: vec![delete], options: Vec::new() };
    let pushed = mirror.mirrors.push(&remote, push).await.unwrap();
    assert_eq!(only(&pushed), &Outcome::Ok);
    assert_eq!(repository.head("old").await.unwrap(), None);
}

#[tokio::test]
async fn a_refusing_hook_is_quoted() {
    let (_server, repository, remote) = fleet(Options::default()).await;
    let script = "#!/bin/sh\necho 'ticket number missing' >&2\nexit 1\n";
    repository.install_hook("pre-receive", script).await.unwrap();
    let mirror = Mirror::new();
    let base = mirror.main(&remote).await.unwrap().snapshot;
    let new = commit(&base, "x", "y").await;
    let pushed = mirror.mirrors.push(&remote, onto("main", &new)).await.unwrap();
    let reason = "command error on refs/heads/main: pre-receive hook declined".to_owned();
    assert_eq!(only(&pushed), &Outcome::Rejected { reason });
    assert!(pushed.messages.iter().any(|line| line.contains("ticket number missing")));
    assert_eq!(repository.head("main").await.unwrap(), Some(base.commit_id().to_string()));
}

#[tokio::test]
async fn one_stale_reference_keeps_the_others_back() {
    let (server, _, remote) = fleet(Options::default()).await;
    let mirror = Mirror::new();
    let base = mirror.main(&remote).await.unwrap().snapshot;
    let new = commit(&base, "x", "y").await;
    let updates = vec![
        update("refs/heads/new", &new, Expected::Absent),
        update("refs/heads/main", &new, Expected::Absent),
    ];
    let push = Push { commit: new, updates, options: Vec::new() };
    let pushed = mirror.mirrors.push(&remote, push).await.unwrap();
    assert!(matches!(pushed.outcomes[0], Outcome::Rejected { .. }));
    assert_eq!(pushed.outcomes[1], Outcome::Stale { actual: Some(base.commit_id()) });
    assert_eq!(server.counts().pushes, 0);
}

#[tokio::test]
async fn what_the_mirror_has_is_sent_all_the_same() {
    // A commit goes back to content that the mirror knows from a branch the server has dropped.
    let (_server, repository, remote) = fleet(Options::default()).await;
    let mirror = Mirror::new();
    repository.commit("side", [("x", "only here\n")], "side").await.unwrap();
    let side = git::Reference::to_branch("side");
    mirror.mirrors.checkout("s", &remote, &side, &[]).await.unwrap();
    repository.git(["update-ref", "-d", "refs/heads/side"]).await.unwrap();
    repository.git(["gc", "--quiet", "--prune=now"]).await.unwrap();
    let base = mirror.mirrors.checkout("s", &remote, &git::Reference::to_branch("main"), &[]).await;
    let new = commit(&base.unwrap().snapshot, "x", "only here\n").await;
    let pushed = mirror.mirrors.push(&remote, onto("main", &new)).await.unwrap();
    assert_eq!(only(&pushed), &Outcome::Ok);
    repository.git(["fsck", "--full", "--strict"]).await.unwrap();
}
