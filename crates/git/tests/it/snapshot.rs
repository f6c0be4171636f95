use git::{Edit, Error, Limits, Mode};
use world::git::{Content, Options};

use crate::fixture::{Mirror, commit, fleet, meta, only, onto, text, write};

#[tokio::test]
async fn files_modes_and_paths() {
    let (_server, repository, remote) = fleet(Options::default()).await;
    let module = "1234567890123456789012345678901234567890".to_owned();
    let files = [
        ("run.sh", Content::Executable(b"#!/bin/sh\n".to_vec())),
        ("apps/link.yaml", Content::Symlink("a.yaml".into())),
        ("folder", Content::Symlink("apps".into())),
        ("up", Content::Symlink("../../../etc".into())),
        ("loop", Content::Symlink("loop".into())),
        ("top", Content::Symlink("/apps".into())),
        ("vendor/lib", Content::Submodule(module)),
        ("apps/ünï.yaml", Content::from("ü")),
    ];
    repository.commit("main", files, "more").await.unwrap();
    let snapshot = Mirror::new().main(&remote).await.unwrap().snapshot;
    let list = |under: &'static str| {
        let snapshot = snapshot.clone();
        async move {
            let files = snapshot.files(under).await?;
            Ok::<_, Error>(files.into_iter().map(|it| (it.path, it.mode)).collect::<Vec<_>>())
        }
    };
    let apps = [
        ("apps/a.yaml".to_owned(), Mode::File),
        ("apps/link.yaml".to_owned(), Mode::Symlink),
        ("apps/ünï.yaml".to_owned(), Mode::File),
    ];
    for under in ["apps", "./apps/", "apps/../apps", "../../apps", "/apps", "folder", "top"] {
        assert_eq!(list(under).await.unwrap(), apps, "{under}");
    }
    assert_eq!(list("").await.unwrap().len(), 9);
    assert_eq!(list("../..").await.unwrap().len(), 9);
    assert_eq!(list("run.sh").await.unwrap(), [("run.sh".to_owned(), Mode::Executable)]);
    assert_eq!(list("vendor").await.unwrap(), [("vendor/lib".to_owned(), Mode::Submodule)]);
    let missing = |under| async move { list(under).await.unwrap_err() };
    assert_eq!(missing("nope/x").await.to_string(), "nope/x: no such file or directory");
    assert!(missing("up").await.is_not_found(), "a link out of the tree leads nowhere");
    assert!(missing("run.sh/x").await.is_not_found());
    assert!(missing("loop").await.to_string().contains("too many links"));
    assert_eq!(text(&snapshot, "apps/link.yaml").await.as_deref(), Some("image: a:1\n"));
    assert_eq!(text(&snapshot, "up/passwd").await, None);
    assert_eq!(text(&snapshot, "apps").await, None);
}

#[tokio::test]
async fn a_scan_reads_what_is_wanted() {
    let (_server, repository, remote) = fleet(Options::default()).await;
    let big = "x".repeat(5000);
    let files = [("apps/big.yaml", big.as_str()), ("apps/b.yml", "b"), ("README.md", "no")];
    repository.commit("main", files, "more").await.unwrap();
    let limits = Limits { file_bytes: 4000, ..Limits::default() };
    let snapshot = Mirror::with(limits).main(&remote).await.unwrap().snapshot;
    let yaml = |entry: &git::Entry| entry.path.contains(".y");
    let scan = snapshot
        .scan("", yaml, |entry, bytes| Some((entry.path.clone(), bytes.len())))
        .await
        .unwrap();
    assert_eq!(scan.found, [("apps/a.yaml".to_owned(), 11), ("apps/b.yml".to_owned(), 1)]);
    assert_eq!(scan.skipped.len(), 1);
    assert_eq!(scan.skipped[0].path, "apps/big.yaml");
    let why = snapshot.file("apps/big.yaml").await.unwrap_err();
    assert!(why.to_string().starts_with("apps/big.yaml has more than 4000 bytes"), "{why}");
    let limits = Limits { object_bytes: 4000, ..Limits::default() };
    let why = Mirror::with(limits).main(&remote).await.unwrap_err();
    assert_eq!(why.cause(), &Error::ObjectTooLarge { limit: 4000 });
}

#[tokio::test]
async fn a_commit_changes_what_it_should_and_nothing_else() {
    let (_server, repository, remote) = fleet(Options::default()).await;
    let files = [
        ("run.sh", Content::Executable(b"a\n".to_vec())),
        ("link", Content::Symlink("run.sh".into())),
        ("gone/x", Content::from("x")),
    ];
    repository.commit("main", files, "more").await.unwrap();
    let mirror = Mirror::new();
    let base = mirror.main(&remote).await.unwrap().snapshot;
    let edits = vec![
        write("run.sh", "b\n"),
        write("new/deep/file.yaml", "n: 1"),
        Edit::Remove { path: "gone/x".into() },
    ];
    let new = base.commit(edits.clone(), meta("subject\n\nbody\n"), None).await.unwrap().unwrap();
    let again = base.commit(edits, meta("subject\n\nbody\n"), None).await.unwrap().unwrap();
    assert_eq!(new.id(), again.id(), "equal input, equal commit");
    assert_eq!(new.parent(), base.commit_id());
    assert_eq!(text(new.snapshot(), "run.sh").await.as_deref(), Some("b\n"));
    assert_eq!(text(&base, "run.sh").await.as_deref(), Some("a\n"));

    let pushed = mirror.mirrors.push(&remote, onto("main", &new)).await.unwrap();
    assert_eq!(only(&pushed), &git::Outcome::Ok);
    repository.git(["fsck", "--strict", "--full"]).await.unwrap();
    let tree = repository.git(["ls-tree", "-r", "main"]).await.unwrap();
    let modes: Vec<(&str, &str)> =
        tree.lines().map(|line| (&line[..6], line.split('\t').nth(1).unwrap())).collect();
    assert_eq!(
        modes,
        [
            ("100644", "apps/a.yaml"),
            ("120000", "link"),
            ("100644", "new/deep/file.yaml"),
            ("100755", "run.sh")
        ]
    );
    let log = repository.log("main").await.unwrap();
    assert_eq!(log[0].message, "subject\n\nbody");
    assert_eq!(log[0].author, "bot <bot@example.com>");
    let time = repository.git(["show", "-s", "--format=%ct %at", "main"]).await.unwrap();
    assert_eq!(time.trim(), "1700000000 1700000000");
}

#[tokio::test]
async fn edits_that_cannot_be() {
    let (_server, repository, remote) = fleet(Options::default()).await;
    repository.commit("main", [("link", Content::Symlink("apps".into()))], "l").await.unwrap();
    let base = Mirror::new().main(&remote).await.unwrap().snapshot;
    for path in
        ["", "../x", "a/../b", "/etc/passwd", "a//b", ".git/config", "a/.GIT/x", "link", "apps"]
    {
        let why = base.commit(vec![write(path, "x")], meta("m"), None).await.unwrap_err();
        assert!(matches!(why, Error::Config(_)), "{path}: {why:?}");
    }
    let same = vec![write("apps/a.yaml", "image: a:1\n")];
    assert!(base.commit(same, meta("m"), None).await.unwrap().is_none(), "no empty commits");
    let mut wrong = meta("m");
    wrong.author.name = "a <b".into();
    assert!(base.commit(vec![write("x", "y")], wrong, None).await.is_err());
    let mut nameless = meta("m");
    nameless.author.name = String::new();
    assert!(base.commit(vec![write("x", "y")], nameless, None).await.unwrap().is_some());
}

#[tokio::test]
async fn commits_on_unpushed_commits_go_in_one_push() {
    let (server, repository, remote) = fleet(Options::default()).await;
    let mirror = Mirror::new();
    let base = mirror.main(&remote).await.unwrap().snapshot;
    let one = commit(&base, "apps/a.yaml", "image: a:2\n").await;
    let two = commit(one.snapshot(), "apps/b.yaml", "image: b:1\n").await;
    let mut push = onto("main", &two);
    push.updates[0].expected = git::Expected::Commit(base.commit_id());
    let pushed = mirror.mirrors.push(&remote, push).await.unwrap();
    assert_eq!(only(&pushed), &git::Outcome::Ok);
    assert_eq!(repository.log("main").await.unwrap().len(), 3);
    assert_eq!(two.snapshot().contains(base.commit_id()).await.unwrap(), Some(true));
    let foreign = "1234567890123456789012345678901234567890".parse().unwrap();
    assert_eq!(two.snapshot().contains(foreign).await.unwrap(), Some(false));
    assert_eq!(server.counts().pushes, 1);
}

#[tokio::test]
async fn no_path_leaves_the_repository() {
    // Whatever the parts are and however they are put together, what is found is in the tree.
    let (_server, repository, remote) = fleet(Options::default()).await;
    let links = [
        ("l1", Content::Symlink("../../apps".into())),
        ("apps/l2", Content::Symlink("/l1/..".into())),
        ("l3", Content::Symlink("/proc/self/root/etc".into())),
    ];
    repository.commit("main", links, "links").await.unwrap();
    let snapshot = Mirror::new().main(&remote).await.unwrap().snapshot;
    let inside: Vec<String> =
        snapshot.files("").await.unwrap().into_iter().map(|entry| entry.path).collect();
    let parts = ["..", ".", "", "apps", "l1", "l2", "l3", "etc", "a.yaml"];
    for one in parts {
        for two in parts {
            for three in parts {
                let path = format!("{one}/{two}/{three}");
                match snapshot.files(&path).await {
                    Ok(found) => {
                        assert!(found.iter().all(|entry| inside.contains(&entry.path)), "{path}");
                    }
                    Err(why) => assert!(why.is_not_found(), "{path}: {why}"),
                }
            }
        }
    }
}
