//! Extracted trees and who may have them.

use artifact::{
    Limits, Options, Store, Stored,
    ignore::Rules,
    tarball::{Node, Path, Tarball, Tree},
};

use crate::store::{open, place};

async fn stored(store: &Store, name: &str, text: &str) -> Stored {
    let mut tree = Tree::default();
    let content = text.as_bytes().to_vec();
    tree.insert(Path::parse("a/b").unwrap(), Node::File { executable: true, content }).unwrap();
    tree.insert(Path::parse("a/l").unwrap(), Node::Link { target: "b".into() }).unwrap();
    tree.insert(Path::parse("a/out").unwrap(), Node::Link { target: "../../x".into() }).unwrap();
    store
        .write(&place(name), "x.tar.gz", move |to| {
            let mut tarball = Tarball::new(to, 100);
            tree.pack(&Rules::none(), &mut tarball, |_, bytes| Ok(bytes.clone()))?;
            tarball.finish().map(drop)
        })
        .await
        .unwrap()
}

#[tokio::test]
async fn a_tree_is_extracted_once_for_those_who_may_have_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder, Options::default());
    let it = stored(&store, "fleet", "one").await;
    let digest = it.digest.to_string();
    assert!(store.tree("u1", &digest).await.unwrap().is_none(), "a digest is no credential");
    store.grant("u1", &it.path, &digest).unwrap();
    let (one, two) = tokio::join!(store.tree("u1", &digest), store.tree("u1", &digest));
    let (one, two) = (one.unwrap().unwrap(), two.unwrap().unwrap());
    assert_eq!(one.path(), two.path());
    assert_eq!(std::fs::read_to_string(one.path().join("a/l")).unwrap(), "one");
    assert!(!one.path().join("a/out").exists(), "links out of the tree are left out");
    assert!(store.tree("u2", &digest).await.unwrap().is_none());
    // Another owner of the same bytes shares the tree, also when the file of the first is gone.
    let other = stored(&store, "other", "one").await;
    assert_eq!(other.digest, it.digest);
    store.remove(&it.path).await.unwrap();
    store.grant("u2", &other.path, &digest).unwrap();
    assert_eq!(store.tree("u2", &digest).await.unwrap().unwrap().path(), one.path());
    store.revoke("u2");
    assert!(store.tree("u2", &digest).await.unwrap().is_none());
}

#[tokio::test]
async fn a_file_that_was_changed_is_not_extracted() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder, Options::default());
    let it = stored(&store, "fleet", "one").await;
    store.grant("u", &it.path, &it.digest.to_string()).unwrap();
    std::fs::write(folder.path().join("data").join(&it.path), "other").unwrap();
    let why = store.tree("u", &it.digest.to_string()).await.unwrap_err().to_string();
    assert_eq!(why, format!("computed digest doesn't match '{}'", it.digest));
}

#[tokio::test]
async fn unused_trees_go_when_there_are_too_many() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { idle_trees_bytes: 5, ..Limits::default() };
    let store = open(&folder, Options { limits, ..Options::default() });
    let mut leases = Vec::new();
    for name in ["one", "two", "six"] {
        let it = stored(&store, name, name).await;
        store.grant("u", &it.path, &it.digest.to_string()).unwrap();
        leases.push(store.tree("u", &it.digest.to_string()).await.unwrap().unwrap());
    }
    assert_eq!(store.extracted().len(), 3, "trees in use stay");
    let six = leases.pop().unwrap();
    let paths: Vec<_> = leases.iter().map(|lease| lease.path().to_owned()).collect();
    drop(leases);
    let it = stored(&store, "ten", "ten").await;
    store.grant("u", &it.path, &it.digest.to_string()).unwrap();
    store.tree("u", &it.digest.to_string()).await.unwrap().unwrap();
    assert!(!paths[0].exists() && paths[1].exists() && six.path().exists());
}
