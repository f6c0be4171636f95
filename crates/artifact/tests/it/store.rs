//! Writing, verifying and collecting.

use std::{fs, time::Duration};

use artifact::{Error, Health, Kind, Limits, Options, Place, Retention, Store};
use tempfile::TempDir;

pub(crate) fn open(folder: &TempDir, options: Options) -> Store {
    Store::open(&folder.path().join("data"), &folder.path().join("trees"), options).unwrap()
}

pub(crate) fn place(name: &str) -> Place {
    Place::new(Kind::GitRepository, "apps", name).unwrap()
}

fn names(folder: &TempDir, name: &str) -> Vec<String> {
    let at = folder.path().join("data/gitrepository/apps").join(name);
    let Ok(entries) = fs::read_dir(at) else { return Vec::new() };
    let mut names: Vec<_> =
        entries.map(|it| it.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_is_stored_is_found_and_verified() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder, Options { address: "host.".into(), ..Options::default() });
    let stored = store.put(&place("fleet"), "1.tar.gz", b"one".to_vec()).await.unwrap();
    assert_eq!(stored.path, "gitrepository/apps/fleet/1.tar.gz");
    assert_eq!(store.url(&stored.path), "http://host./gitrepository/apps/fleet/1.tar.gz");
    assert_eq!(stored.size, 3);
    let digest = stored.digest.to_string();
    assert_eq!(store.verify(&stored.path, &digest).await.unwrap(), Health::Sound);
    assert_eq!(store.verify("bucket/x/y/z", &digest).await.unwrap(), Health::Missing);
    assert_eq!(store.verify("../etc/passwd", &digest).await.unwrap(), Health::Missing);
    let file = folder.path().join("data").join(&stored.path);
    fs::write(&file, "two").unwrap();
    let damaged = store.verify(&stored.path, &digest).await.unwrap();
    assert_eq!(damaged, Health::Damaged(format!("computed digest doesn't match '{digest}'")));
    let undigested = store.verify(&stored.path, "").await.unwrap();
    assert_eq!(undigested, Health::Damaged("artifact has no digest".into()));
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", &file).unwrap();
    assert_eq!(store.verify(&stored.path, &digest).await.unwrap(), Health::Missing);
}

#[tokio::test]
async fn a_failed_write_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { artifact_bytes: 10, ..Limits::default() };
    let store = open(&folder, Options { limits, ..Options::default() });
    let place = place("fleet");
    let before = store.put(&place, "1.tar.gz", b"before".to_vec()).await.unwrap();
    let broken = store
        .write(&place, "1.tar.gz", |to| {
            to.write_all(b"half")?;
            Err(Error::Content("the server went away".into()))
        })
        .await;
    assert_eq!(broken.unwrap_err().to_string(), "the server went away");
    let large = store.put(&place, "1.tar.gz", vec![0; 11]).await.unwrap_err();
    assert_eq!(large.to_string(), "the size of the artifact exceeds the limit of 10 bytes");
    assert_eq!(names(&folder, "fleet"), ["1.tar.gz"]);
    let digest = before.digest.to_string();
    assert_eq!(store.verify(&before.path, &digest).await.unwrap(), Health::Sound);
}

#[tokio::test]
async fn a_killed_process_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(&folder, Options::default()));
    let at = folder.path().join("data/gitrepository/apps/fleet");
    fs::create_dir_all(&at).unwrap();
    fs::write(at.join(".tmp-123"), "half").unwrap();
    fs::write(at.join("1.tar.gz"), "whole").unwrap();
    drop(open(&folder, Options::default()));
    assert_eq!(names(&folder, "fleet"), ["1.tar.gz"]);
}

#[tokio::test]
async fn a_namespace_has_its_share() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { namespace_bytes: 10, namespace_files: 2, ..Limits::default() };
    let options = Options { limits, ..Options::default() };
    let store = open(&folder, options.clone());
    store.put(&place("a"), "1", vec![0; 4]).await.unwrap();
    store.put(&place("a"), "1", vec![0; 5]).await.unwrap();
    let large = store.put(&place("b"), "1", vec![0; 6]).await.unwrap_err();
    let message = "the size of all artifacts of namespace 'apps' exceeds the limit of 10 bytes";
    assert_eq!(large.to_string(), message);
    store.put(&place("b"), "1", vec![0; 5]).await.unwrap();
    // What is there counts after a restart, and frees its share when it goes.
    let store = open(&folder, options);
    store.put(&place("c"), "1", Vec::new()).await.unwrap_err();
    let other = Place::new(Kind::Bucket, "other", "c").unwrap();
    store.put(&other, "1", vec![0; 9]).await.unwrap();
    assert!(store.forget(&place("a")).await.unwrap());
    assert!(!store.forget(&place("a")).await.unwrap());
    store.put(&place("c"), "1", vec![0; 5]).await.unwrap();
}

#[tokio::test]
async fn old_artifacts_are_collected() {
    let folder = tempfile::tempdir().unwrap();
    let retention = Retention { ttl: Duration::from_secs(100), records: 2 };
    let store = open(&folder, Options { retention, ..Options::default() });
    let mut current = String::new();
    for (name, age) in [("old", 1000), ("older", 2000), ("young", 50), ("current", 10)] {
        let stored = store.put(&place("fleet"), name, Vec::new()).await.unwrap();
        let at = fs::File::open(folder.path().join("data").join(&stored.path)).unwrap();
        at.set_modified(std::time::SystemTime::now() - Duration::from_secs(age)).unwrap();
        current = stored.path;
    }
    store.link(&current, "latest").await.unwrap();
    let now = jiff::Timestamp::now();
    assert_eq!(store.collect(&current, now).await.unwrap(), 2);
    assert_eq!(names(&folder, "fleet"), ["current", "latest", "young"]);
    let later = now.checked_add(jiff::SignedDuration::from_secs(100)).unwrap();
    assert_eq!(store.collect(&current, later).await.unwrap(), 1);
    assert_eq!(store.collect(&current, later).await.unwrap(), 0);
    assert_eq!(names(&folder, "fleet"), ["current", "latest"]);
    store.remove(&current).await.unwrap();
    store.remove(&current).await.unwrap();
    assert_eq!(store.collect(&current, later).await.unwrap(), 0);
}
