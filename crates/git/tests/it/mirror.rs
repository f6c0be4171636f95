use std::path::{Path, PathBuf};

use git::{
    Error, Limits, Mirrors, Moment, Network, Options as NetworkOptions, Outcome, Remote, Want,
};
use world::git::{Content, Options};

use crate::fixture::{Mirror, SCOPE, commit, fleet, onto, text};

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}

fn ending(folder: &Path, ending: &str) -> Vec<PathBuf> {
    files(folder)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|it| it == ending))
        .collect()
}

/// The folders of generations, which are numbered.
fn generations(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            for entry in std::fs::read_dir(path).unwrap() {
                found.push(entry.unwrap().file_name().into_string().unwrap());
            }
        }
    }
    found
}

#[tokio::test]
async fn a_warm_mirror_fetches_only_what_is_new() {
    let (server, repository, remote) = fleet(Options::default()).await;
    let many: Vec<(String, String)> = (0..500)
        .map(|n| {
            (format!("apps/{n}/deployment.yaml"), format!("name: app-{n}\nvalue: {}\n", n * 7919))
        })
        .collect();
    repository.commit("main", many, "many").await.unwrap();
    let mirror = Mirror::new();
    let first = mirror.main(&remote).await.unwrap();
    assert_eq!(first.snapshot.files("apps").await.unwrap().len(), 501);
    let size = |path: &PathBuf| std::fs::metadata(path).unwrap().len();
    let before: u64 = ending(mirror.dir.path(), "pack").iter().map(size).sum();
    mirror.main(&remote).await.unwrap();
    assert_eq!(server.counts().fetches, 1, "nothing new, nothing fetched");
    repository.commit("main", [("apps/7/deployment.yaml", "new\n")], "one").await.unwrap();
    let second = mirror.main(&remote).await.unwrap();
    assert_eq!(server.counts().fetches, 2);
    assert_eq!(text(&second.snapshot, "apps/7/deployment.yaml").await.unwrap(), "new\n");
    let after: u64 = ending(mirror.dir.path(), "pack").iter().map(size).sum();
    assert!(after - before < before / 4, "{before} then {after}");
    assert_eq!(
        text(&first.snapshot, "apps/7/deployment.yaml").await.unwrap(),
        "name: app-7\nvalue: 55433\n"
    );
}

#[tokio::test]
async fn a_pushed_commit_needs_no_fetch() {
    let (server, _, remote) = fleet(Options::default()).await;
    let mirror = Mirror::new();
    let base = mirror.main(&remote).await.unwrap().snapshot;
    let new = commit(&base, "apps/a.yaml", "image: a:2\n").await;
    mirror.mirrors.push(&remote, onto("main", &new)).await.unwrap();
    let after = mirror.main(&remote).await.unwrap();
    assert_eq!(after.commit(), new.id());
    assert_eq!(text(&after.snapshot, "apps/a.yaml").await.unwrap(), "image: a:2\n");
    assert_eq!(server.counts().fetches, 1);
}

#[tokio::test]
async fn what_was_told_is_good_enough_for_those_who_say_so() {
    let (server, repository, remote) = fleet(Options::default()).await;
    let mirror = Mirror::new();
    let before = Moment::now();
    let base = mirror.main(&remote).await.unwrap().snapshot;
    let fetch = |want: Want| {
        let (mirrors, remote) = (mirror.mirrors.clone(), remote.clone());
        async move {
            let fetched = mirrors.fetch(SCOPE, &remote, &want).await?;
            Ok::<_, Error>(fetched.commit("refs/heads/main").unwrap())
        }
    };
    let main = || Want::branch("main");
    assert_eq!(server.counts().ls_refs, 1);
    // Its own push is known without a look, and so is what others saw.
    let new = commit(&base, "apps/a.yaml", "image: a:2\n").await;
    mirror.mirrors.push(&remote, onto("main", &new)).await.unwrap();
    assert_eq!(fetch(main().since(before)).await.unwrap(), new.id());
    assert_eq!(fetch(main().told(Some(new.id()))).await.unwrap(), new.id());
    assert_eq!(server.counts().ls_refs, 1);
    // Who saw something else, or wants it newer, is told what is there now.
    let other = repository.commit("main", [("b", "2")], "second").await.unwrap();
    assert_eq!(fetch(main().since(before)).await.unwrap(), new.id());
    assert_eq!(fetch(main().told(other.parse().ok())).await.unwrap().to_string(), other);
    assert_eq!(server.counts().ls_refs, 2);
    assert_eq!(fetch(main().since(Moment::now())).await.unwrap().to_string(), other);
    assert_eq!(server.counts().ls_refs, 3);
    // A push that lost its race, and a look that failed, leave nothing to rely on.
    let late = commit(new.snapshot(), "apps/a.yaml", "image: a:3\n").await;
    let pushed = mirror.mirrors.push(&remote, onto("main", &late)).await.unwrap();
    assert!(matches!(pushed.outcomes[..], [Outcome::Stale { .. }]), "{pushed:?}");
    assert_eq!(fetch(main().since(before)).await.unwrap().to_string(), other);
    assert_eq!(server.counts().ls_refs, 4);
    server.set_fault(Some(world::git::Fault::Status(403)));
    fetch(main()).await.unwrap_err();
    fetch(main().since(before)).await.unwrap_err();
    fetch(main().told(other.parse().ok())).await.unwrap_err();
}

#[tokio::test]
async fn a_force_pushed_branch_is_followed() {
    let (_server, repository, remote) = fleet(Options::default()).await;
    let first = repository.head("main").await.unwrap().unwrap();
    repository.commit("main", [("b", "2")], "second").await.unwrap();
    let mirror = Mirror::new();
    mirror.main(&remote).await.unwrap();
    repository.set_branch("main", &first).await.unwrap();
    assert_eq!(mirror.main(&remote).await.unwrap().commit().to_string(), first);
    let other = repository.commit("elsewhere", [("only", "this")], "unrelated").await.unwrap();
    repository.set_branch("main", &other).await.unwrap();
    let found = mirror.main(&remote).await.unwrap();
    assert_eq!(found.commit().to_string(), other);
    assert_eq!(found.snapshot.files("").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_branch_may_become_a_folder_of_branches() {
    let (_server, repository, remote) = fleet(Options::default()).await;
    let mirror = Mirror::new();
    repository.set_branch("a", "main").await.unwrap();
    let (folder, file) = (Want::branch("a/b"), Want::branch("a"));
    mirror.mirrors.fetch(SCOPE, &remote, &file).await.unwrap();
    repository.git(["update-ref", "-d", "refs/heads/a"]).await.unwrap();
    repository.commit("a/b", [("x", "y")], "deeper").await.unwrap();
    let found = mirror.mirrors.fetch(SCOPE, &remote, &folder).await.unwrap();
    assert!(found.commit("refs/heads/a/b").is_some());
}

#[tokio::test]
async fn fetches_at_once_are_one_or_two() {
    let (server, _, remote) = fleet(Options::default()).await;
    let mirror = Mirror::new();
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (mirrors, remote) = (mirror.mirrors.clone(), remote.clone());
        all.spawn(
            async move { mirrors.fetch(SCOPE, &remote, &Want::branch("main")).await.unwrap() },
        );
    }
    let results = all.join_all().await;
    assert_eq!(results.len(), 20);
    let counts = server.counts();
    assert!(counts.ls_refs <= 2 && counts.fetches <= 2, "{counts:?}");
}

#[tokio::test]
async fn an_abandoned_fetch_does_not_block_the_next() {
    let (server, _, remote) = fleet(Options::default()).await;
    let mirror = Mirror::new();
    server.set_fault(Some(world::git::Fault::Hang));
    let (mirrors, twin) = (mirror.mirrors.clone(), remote.clone());
    let hanging =
        tokio::spawn(async move { mirrors.fetch(SCOPE, &twin, &Want::branch("main")).await });
    while server.hanging() == 0 {
        tokio::task::yield_now().await;
    }
    hanging.abort();
    server.set_fault(None);
    mirror.main(&remote).await.unwrap();
}

#[tokio::test]
async fn above_the_limit_of_packs_a_fresh_generation_is_built() {
    let (_server, repository, remote) = fleet(Options::default()).await;
    let mirror = Mirror::with(Limits { packs: 3, ..Limits::default() });
    let first = mirror.main(&remote).await.unwrap();
    for n in 0..6 {
        repository.commit("main", [("n", format!("{n}"))], "more").await.unwrap();
        let found = mirror.main(&remote).await.unwrap();
        assert_eq!(text(&found.snapshot, "n").await.unwrap(), n.to_string());
    }
    assert_eq!(generations(mirror.dir.path()).len(), 2, "one is held by the first reader");
    assert_eq!(text(&first.snapshot, "apps/a.yaml").await.unwrap(), "image: a:1\n");
    drop(first);
    assert_eq!(generations(mirror.dir.path()).len(), 1);
    assert!(ending(mirror.dir.path(), "pack").len() <= 5);
}

#[tokio::test]
async fn a_restart_keeps_mirrors_and_sweeps_leftovers() {
    let (server, _, remote) = fleet(Options::default()).await;
    let Mirror { mirrors, dir } = Mirror::new();
    mirrors.fetch(SCOPE, &remote, &Want::branch("main")).await.unwrap();
    drop(mirrors);
    let pack = ending(dir.path(), "pack").remove(0);
    let folder = pack.parent().unwrap();
    let repository = folder.parent().unwrap().parent().unwrap();
    let half = repository.parent().unwrap().join("9");
    std::fs::create_dir_all(half.join("objects")).unwrap();
    for stale in [
        folder.join(".tmpX1"),
        folder.join("pack-1.pack"),
        repository.join("HEAD.lock"),
        repository.join("packed-refs.lock"),
    ] {
        std::fs::write(stale, "half").unwrap();
    }
    let network = Network::new(NetworkOptions::default());
    let mirrors = Mirrors::open(dir.path(), Limits::default(), network).unwrap();
    let found = mirrors.fetch(SCOPE, &remote, &Want::branch("main")).await.unwrap();
    let commit = found.commit("refs/heads/main").unwrap();
    assert_eq!(found.snapshot(commit).await.unwrap().files("").await.unwrap().len(), 1);
    assert_eq!(server.counts().fetches, 1, "the mirror was still there");
    assert!(!half.exists());
    assert!(ending(dir.path(), "lock").is_empty());
    assert_eq!(ending(dir.path(), "pack").len(), 1);
}

#[tokio::test]
async fn a_second_process_is_kept_out() {
    let mirror = Mirror::new();
    let network = Network::new(NetworkOptions::default());
    let why = Mirrors::open(mirror.dir.path(), Limits::default(), network).unwrap_err();
    assert!(why.to_string().ends_with("is in use by another process"), "{why}");
}

#[tokio::test]
async fn a_corrupt_mirror_is_rebuilt() {
    let (server, repository, remote) = fleet(Options::default()).await;
    let Mirror { mirrors, dir } = Mirror::new();
    mirrors.fetch(SCOPE, &remote, &Want::branch("main")).await.unwrap();
    drop(mirrors);
    let spoil = |ending_with: &str| {
        let path = ending(dir.path(), ending_with).remove(0);
        let mut bytes = std::fs::read(&path).unwrap();
        let from = bytes.len() / 4;
        let to = bytes.len() - 20;
        bytes[from..to].fill(0xA5);
        let mut permissions = std::fs::metadata(&path).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
        std::fs::set_permissions(&path, permissions).unwrap();
        std::fs::write(&path, bytes).unwrap();
    };
    for ending in ["pack", "idx"] {
        spoil(ending);
        let network = Network::new(NetworkOptions::default());
        let mirrors = Mirrors::open(dir.path(), Limits::default(), network).unwrap();
        // What is broken may show at once or only to a reader; the next fetch mends it either way.
        let mut seen = None;
        for _ in 0..3 {
            let found = mirrors.fetch(SCOPE, &remote, &Want::branch("main")).await;
            let Ok(found) = found else { continue };
            let commit = found.commit("refs/heads/main").unwrap();
            match found.snapshot(commit).await {
                Ok(snapshot) => match snapshot.file("apps/a.yaml").await {
                    Ok(bytes) => seen = bytes,
                    Err(why) => assert!(why.is_transient(), "{why:?}"),
                },
                Err(why) => assert!(why.is_transient(), "{why:?}"),
            }
        }
        assert_eq!(seen.as_deref(), Some(b"image: a:1\n".as_slice()), "{ending}");
    }
    assert!(server.counts().fetches >= 3);
    repository.commit("main", [("b", "2")], "on").await.unwrap();
}

#[tokio::test]
async fn a_repository_above_the_cap_is_refused_and_told() {
    let (_server, repository, remote) = fleet(Options::default()).await;
    let mut noise = 1_u32;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        noise.to_le_bytes()[0]
    })
    .take(300_000)
    .collect();
    repository.commit("main", [("noise", Content::File(bytes))], "big").await.unwrap();
    let mirror = Mirror::with(Limits { repository_bytes: 100_000, ..Limits::default() });
    let why = mirror.main(&remote).await.unwrap_err();
    assert_eq!(why.cause(), &Error::TooLarge { limit: 100_000 });
    assert!(why.to_string().contains("more than 100000 bytes, which is the configured limit"));
    assert!(!why.is_transient());
    assert!(ending(mirror.dir.path(), "pack").is_empty(), "nothing stays behind");
    let roomy = Mirror::with(Limits { repository_bytes: 1_000_000, ..Limits::default() });
    roomy.main(&remote).await.unwrap();
}

#[tokio::test]
async fn history_is_there_when_it_is_wanted() {
    let (_server, repository, remote) = fleet(Options::default()).await;
    let first = repository.head("main").await.unwrap().unwrap().parse().unwrap();
    repository.commit("main", [("b", "2")], "second").await.unwrap();
    repository.commit("main", [("c", "3")], "third").await.unwrap();
    let shallow = Mirror::new().main(&remote).await.unwrap().snapshot;
    assert_eq!(shallow.contains(first).await.unwrap(), None);
    let limits = Limits { shallow: false, ..Limits::default() };
    let deep = Mirror::with(limits).main(&remote).await.unwrap().snapshot;
    assert_eq!(deep.contains(first).await.unwrap(), Some(true));
    let foreign = "1234567890123456789012345678901234567890".parse().unwrap();
    assert_eq!(deep.contains(foreign).await.unwrap(), Some(false));
    assert_eq!(deep.message().await.unwrap().trim(), "third");
}

#[tokio::test]
async fn anonymous_mirrors_are_shared_and_others_are_not() {
    let (server, _, remote) = fleet(Options::default()).await;
    let mirror = Mirror::new();
    let want = Want::branch("main");
    mirror.mirrors.fetch("a", &remote, &want).await.unwrap();
    mirror.mirrors.fetch("b", &remote, &want).await.unwrap();
    assert_eq!(server.counts().fetches, 1);
    let url = server.repository_url("fleet").replace("http://", "http://user:word@");
    let private = Remote::anonymous(&url).unwrap();
    mirror.mirrors.fetch("a", &private, &want).await.unwrap();
    mirror.mirrors.fetch("b", &private, &want).await.unwrap();
    assert_eq!(server.counts().fetches, 3);
    assert_eq!(generations(mirror.dir.path()).len(), 3);
}

#[tokio::test]
async fn mirrors_out_of_use_make_room_for_others() {
    let (server, _, _) = fleet(Options::default()).await;
    let mirror = Mirror::with(Limits { mirrors: 2, ..Limits::default() });
    let remote = |user: &str| {
        let url = server.repository_url("fleet").replace("http://", &format!("http://{user}:x@"));
        Remote::anonymous(&url).unwrap()
    };
    let held = mirror.main(&remote("a")).await.unwrap();
    for user in ["b", "c", "d", "e"] {
        mirror.main(&remote(user)).await.unwrap();
    }
    assert_eq!(text(&held.snapshot, "apps/a.yaml").await.unwrap(), "image: a:1\n");
    mirror.main(&remote("a")).await.unwrap();
    assert_eq!(server.counts().fetches, 5, "the mirror in use was kept");
    let kept = |entry: &std::fs::DirEntry| {
        entry.path().is_dir() && !entry.file_name().to_str().unwrap().starts_with("gone-")
    };
    let mirrors = std::fs::read_dir(mirror.dir.path()).unwrap().flatten().filter(kept);
    assert_eq!(mirrors.count(), 2);
}

#[tokio::test]
async fn old_mirrors_make_room_at_start() {
    let (server, _, remote) = fleet(Options::default()).await;
    let Mirror { mirrors, dir } = Mirror::new();
    for user in ["a", "b", "c"] {
        let url = server.repository_url("fleet").replace("http://", &format!("http://{user}:x@"));
        let remote = Remote::anonymous(&url).unwrap();
        mirrors.fetch(SCOPE, &remote, &Want::branch("main")).await.unwrap();
    }
    drop((mirrors, remote));
    let limits = Limits { mirrors: 1, ..Limits::default() };
    Mirrors::open(dir.path(), limits, Network::new(NetworkOptions::default())).unwrap();
    assert_eq!(generations(dir.path()).len(), 1);
}
