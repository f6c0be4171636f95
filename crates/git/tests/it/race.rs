//! Two writers, and connections that end in the middle.

use std::{
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

use git::{Expected, Outcome};
use world::git::{Fault, Options};

use crate::fixture::{Mirror, commit, fleet, only, onto};

#[tokio::test]
async fn the_slower_of_two_writers_is_stale_and_lands_on_the_new_head() {
    let (_server, repository, remote) = fleet(Options::default()).await;
    let (one, two) = (Mirror::new(), Mirror::new());
    let first = commit(&one.main(&remote).await.unwrap().snapshot, "one", "1").await;
    let second = commit(&two.main(&remote).await.unwrap().snapshot, "two", "2").await;
    let pushed = one.mirrors.push(&remote, onto("main", &first)).await.unwrap();
    assert_eq!(only(&pushed), &Outcome::Ok);
    let pushed = two.mirrors.push(&remote, onto("main", &second)).await.unwrap();
    assert_eq!(only(&pushed), &Outcome::Stale { actual: Some(first.id()) });
    assert_eq!(repository.head("main").await.unwrap(), Some(first.id().to_string()));

    let again = commit(&two.main(&remote).await.unwrap().snapshot, "two", "2").await;
    let pushed = two.mirrors.push(&remote, onto("main", &again)).await.unwrap();
    assert_eq!(only(&pushed), &Outcome::Ok);
    assert_eq!(repository.log("main").await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_race_lost_between_announcement_and_push_is_stale_too() {
    let (server, repository, remote) = fleet(Options::default()).await;
    let mirror = Mirror::new();
    let base = mirror.main(&remote).await.unwrap().snapshot;
    let winner = repository.commit("winner", [("w", "1")], "winner").await.unwrap();
    let (path, target, done) =
        (repository.path().to_owned(), winner.clone(), AtomicBool::new(false));
    server.before_push(move |_| {
        if !done.swap(true, Ordering::SeqCst) {
            let mut git = Command::new("git");
            git.arg("--git-dir").arg(&path).args(["update-ref", "refs/heads/main", &target]);
            assert!(git.status().unwrap().success());
        }
    });
    let new = commit(&base, "x", "y").await;
    let pushed = mirror.mirrors.push(&remote, onto("main", &new)).await.unwrap();
    assert_eq!(only(&pushed), &Outcome::Stale { actual: Some(winner.parse().unwrap()) });
    assert_eq!(repository.head("main").await.unwrap(), Some(winner));
}

#[tokio::test]
async fn a_branch_that_appears_meanwhile_is_not_overwritten() {
    let (_server, repository, remote) = fleet(Options::default()).await;
    let mirror = Mirror::new();
    let base = mirror.main(&remote).await.unwrap().snapshot;
    let theirs = repository.commit("bumps", [("t", "1")], "theirs").await.unwrap();
    let new = commit(&base, "x", "y").await;
    let mut push = onto("bumps", &new);
    (push.updates[0].expected, push.updates[0].force) = (Expected::Absent, true);
    let pushed = mirror.mirrors.push(&remote, push).await.unwrap();
    assert_eq!(only(&pushed), &Outcome::Stale { actual: Some(theirs.parse().unwrap()) });
}

#[tokio::test]
async fn a_push_whose_report_is_lost_is_not_lost() {
    let (server, repository, remote) = fleet(Options::default()).await;
    let mirror = Mirror::new();
    let base = mirror.main(&remote).await.unwrap().snapshot;
    let new = commit(&base, "x", "y").await;
    // The hook runs inside the server's git, after the update: the answer that follows is cut.
    let server = std::sync::Arc::new(server);
    let cutter = std::sync::Arc::downgrade(&server);
    server.before_push(move |_| {
        if let Some(server) = cutter.upgrade() {
            server.cut_next_answer(7);
        }
    });
    let pushed = mirror.mirrors.push(&remote, onto("main", &new)).await.unwrap();
    assert_eq!(only(&pushed), &Outcome::Ok);
    assert_eq!(repository.head("main").await.unwrap(), Some(new.id().to_string()));
    repository.git(["fsck", "--full"]).await.unwrap();
}

#[tokio::test]
async fn a_push_that_never_arrives_leaves_everything_as_it_was() {
    let (server, repository, remote) = fleet(Options::default()).await;
    let mirror = Mirror::new();
    let base = mirror.main(&remote).await.unwrap().snapshot;
    let before = files(mirror.dir.path());
    let new = commit(&base, "x", "y").await;
    assert_eq!(files(mirror.dir.path()), before, "a commit is in memory until it is pushed");
    server.set_fault(Some(Fault::Status(502)));
    let why = mirror.mirrors.push(&remote, onto("main", &new)).await.unwrap_err();
    assert!(
        why.is_transient() && why.to_string().starts_with("failed to push to remote: "),
        "{why}"
    );
    assert_eq!(files(mirror.dir.path()), before);
    assert_eq!(repository.head("main").await.unwrap(), Some(base.commit_id().to_string()));
    server.set_fault(None);
    let pushed = mirror.mirrors.push(&remote, onto("main", &new)).await.unwrap();
    assert_eq!(only(&pushed), &Outcome::Ok);
}

#[tokio::test]
async fn a_commit_made_again_after_a_crash_is_the_same_and_lands_once() {
    let (_server, repository, remote) = fleet(Options::default()).await;
    let crashed = Mirror::new();
    let base = crashed.main(&remote).await.unwrap().snapshot;
    let lost = commit(&base, "x", "y").await;
    let push = crashed.mirrors.push(&remote, onto("main", &lost));
    // The process dies somewhere in the push.
    let _ = tokio::time::timeout(std::time::Duration::from_millis(3), push).await;
    drop(crashed);
    let fresh = Mirror::new();
    let now = fresh.main(&remote).await.unwrap().snapshot;
    if now.commit_id() != lost.id() {
        let again = commit(&now, "x", "y").await;
        assert_eq!(again.id(), lost.id());
        // The push of the dead process may still be on its way and hold the lock for a moment.
        loop {
            let pushed = fresh.mirrors.push(&remote, onto("main", &again)).await.unwrap();
            match only(&pushed) {
                Outcome::Ok | Outcome::UpToDate => break,
                Outcome::Rejected { .. } => {}
                Outcome::Stale { .. } => panic!("{pushed:?}"),
            }
        }
    }
    assert_eq!(repository.log("main").await.unwrap().len(), 2);
    repository.git(["fsck", "--full"]).await.unwrap();
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path.clone());
            }
            found.push(path);
        }
    }
    found.sort();
    found
}
