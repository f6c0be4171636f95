//! Archives that are not what they should be.

use std::io::Write as _;

use artifact::{
    Error,
    ignore::Rules,
    tarball::{Bounds, Extracted, Node, Path, Tarball, Tree, extract},
};
use flate2::{Compression, write::GzEncoder};
use tar::{EntryType, Header};

/// An archive as only an attacker would write it: names are put into headers unchecked.
fn crafted(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, kind, content) in entries {
        let mut header = Header::new_ustar();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o4777);
        let is_link = matches!(kind, EntryType::Symlink | EntryType::Link);
        if is_link {
            header.set_link_name_literal(content).unwrap();
        }
        let data = if is_link { "" } else { content };
        header.set_size(data.len() as u64);
        header.set_cksum();
        archive.append(&header, data.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

fn extracted(bytes: &[u8], bounds: Bounds) -> (tempfile::TempDir, Result<Extracted, Error>) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("in")).unwrap();
    let result = extract(bytes, &folder.path().join("in"), bounds);
    let outside: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(outside, ["in"], "nothing is ever written beside the folder");
    (folder, result)
}

#[test]
fn paths_out_of_the_folder_are_refused() {
    for name in ["../x", "a/../../x", "/x", "a\\x", "a/.."] {
        let (_, result) =
            extracted(&crafted(&[(name, EntryType::Regular, "x")]), Bounds::default());
        let why = result.unwrap_err().to_string();
        assert!(why.starts_with("tar contained invalid name error"), "{name}: {why}");
    }
}

#[test]
fn other_things_than_files_are_refused() {
    for kind in [EntryType::Fifo, EntryType::Block, EntryType::Char, EntryType::Link] {
        let (_, result) = extracted(&crafted(&[("a", kind, "b")]), Bounds::default());
        let why = result.unwrap_err().to_string();
        assert!(why.contains("unsupported file type"), "{why}");
    }
}

#[test]
fn links_do_not_lead_out() {
    let bounds = Bounds { links: true, ..Bounds::default() };
    let attack = crafted(&[
        ("a/b/here", EntryType::Symlink, "."),
        ("a/b/up", EntryType::Symlink, "here/../../.."),
        ("abs", EntryType::Symlink, "/etc"),
        ("out", EntryType::Symlink, "../x"),
        ("d", EntryType::Symlink, "a"),
        ("d/file", EntryType::Regular, "x"),
        ("a/good", EntryType::Symlink, "../d/file"),
        ("good", EntryType::Symlink, "a"),
        ("good/through", EntryType::Symlink, "b"),
    ]);
    let (folder, result) = extracted(&attack, bounds);
    result.unwrap();
    let at = |path: &str| folder.path().join("in").join(path);
    for absent in ["a/b/up", "abs", "out", "a/through"] {
        assert!(at(absent).symlink_metadata().is_err(), "{absent}");
    }
    assert_eq!(std::fs::read_to_string(at("a/good")).unwrap(), "x");
    assert!(at("d").symlink_metadata().unwrap().is_dir());
    let (folder, result) = extracted(&attack, Bounds::default());
    result.unwrap();
    assert!(folder.path().join("in/good").symlink_metadata().is_err(), "links are left out");
}

#[test]
fn bombs_end_early() {
    let zeros = "\0".repeat(3 << 20);
    let bomb = crafted(&[("a", EntryType::Regular, &zeros), ("b", EntryType::Regular, &zeros)]);
    let bounds = Bounds { bytes: 4 << 20, files: 10, links: false };
    let (_, result) = extracted(&bomb, bounds);
    let why = "the unpacked archive exceeds the limit of 4194304 bytes";
    assert_eq!(result.unwrap_err().to_string(), why);
    let many: Vec<_> = (0..11).map(|_| ("a", EntryType::Directory, "")).collect();
    let (_, result) = extracted(&crafted(&many), bounds);
    let why = "the number of files in the archive exceeds the limit of 10";
    assert_eq!(result.unwrap_err().to_string(), why);
    // Nothing but padding: no entry ever comes.
    let mut padding = GzEncoder::new(Vec::new(), Compression::best());
    padding.write_all(&vec![b' '; 64 << 20]).unwrap();
    let (_, result) = extracted(&padding.finish().unwrap(), bounds);
    result.unwrap_err();
}

#[test]
fn what_is_cut_off_or_no_archive_is_an_error() {
    let whole = crafted(&[("a", EntryType::Regular, &"x".repeat(5000))]);
    for bytes in [&whole[..whole.len() / 2], b"no gzip at all", b""] {
        let (_, result) = extracted(bytes, Bounds::default());
        assert!(matches!(result, Err(Error::Archive(_))), "{result:?}");
    }
}

#[test]
fn very_many_files_are_refused() {
    let mut tree = Tree::default();
    for number in 0..20 {
        let path = Path::parse(&number.to_string()).unwrap();
        tree.insert(path, Node::<()>::Folder).unwrap();
    }
    let mut tarball = Tarball::new(Vec::new(), 10);
    let why = tree.pack(&Rules::none(), &mut tarball, |_, ()| Ok(Vec::new())).unwrap_err();
    assert_eq!(why.to_string(), "the number of files exceeds the limit of 10");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn what_was_packed_comes_out_again(files in proptest::collection::btree_map("[a-zä]{1,3}(/[a-z]{1,60}){0,5}", "[ -~]{0,40}", 0..12)) {
        let mut tree = Tree::default();
        for (path, text) in &files {
            let node = Node::File { executable: text.len() % 2 == 0, content: text.clone().into_bytes() };
            // Some paths are both a file and a folder of others.
            let _ = tree.insert(Path::parse(path).unwrap(), node);
        }
        let pack = || {
            let mut tarball = Tarball::new(Vec::new(), 1000);
            tree.pack(&Rules::none(), &mut tarball, |_, bytes| Ok(bytes.clone())).unwrap();
            tarball.finish().unwrap()
        };
        let (one, two) = (pack(), pack());
        assert_eq!(one, two, "equal trees make equal tarballs");
        let (folder, result) = extracted(&one, Bounds::default());
        result.unwrap();
        for (path, node) in tree.iter() {
            let at = folder.path().join("in").join(path.as_str());
            match node {
                Node::File { content, .. } => assert_eq!(&std::fs::read(at).unwrap(), content),
                _ => assert!(at.is_dir()),
            }
        }
    }
}
