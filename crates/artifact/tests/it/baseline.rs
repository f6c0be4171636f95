//! The same trees archived by upstream's own code (tests/tools/artifact), compared byte for byte before
//! compression.

use std::{collections::BTreeMap, io::Read as _};

use artifact::{
    Algorithm,
    ignore::{self, Rules},
    tarball::{Node, Path, Tarball, Tree},
};
use serde_json::Value;

fn tree(files: &Value) -> Tree<Vec<u8>> {
    let mut tree = Tree::default();
    for (path, file) in files.as_object().unwrap() {
        let path = Path::parse(path).unwrap();
        let content = file["text"].as_str().unwrap_or_default().as_bytes().to_vec();
        let executable = file["executable"] == true;
        let node = match (file["folder"] == true, file["link"].is_string()) {
            (true, _) => Node::Folder,
            // Upstream drops links; the folder they are in stays.
            (_, true) => {
                tree.insert(path.parent().unwrap(), Node::Folder).unwrap();
                continue;
            }
            _ => Node::File { executable, content },
        };
        tree.insert(path, node).unwrap();
    }
    tree
}

fn rules(tree: &Tree<Vec<u8>>, spec: Option<&str>) -> Rules {
    let mut files = Vec::new();
    for (path, node) in tree.iter() {
        if let (Some(ignore::FILE), Node::File { content, .. }) = (path.name(), node) {
            let text = String::from_utf8(content.clone()).unwrap();
            files.push((path.parent().unwrap(), text));
        }
    }
    Rules::of(files, spec).unwrap()
}

#[test]
fn tarballs_are_upstreams() {
    let cases = include_str!("../baseline/archive.json");
    let cases: Vec<BTreeMap<String, Value>> = serde_json::from_str(cases).unwrap();
    assert!(cases.len() > 20);
    for case in cases {
        let tree = tree(&case["files"]);
        let rules = rules(&tree, case.get("ignore").and_then(Value::as_str));
        let mut tarball = Tarball::new(Vec::new(), 1000);
        tree.pack(&rules, &mut tarball, |_, bytes| Ok(bytes.clone())).unwrap();
        let mut unpacked = Vec::new();
        let packed = tarball.finish().unwrap();
        flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
        let mut archive = tar::Archive::new(&unpacked[..]);
        let names: Vec<String> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                let kind = char::from(header.entry_type().as_byte());
                let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
                format!("{kind} {:o} {name}", header.mode().unwrap())
            })
            .collect();
        let name = &case["name"];
        assert_eq!(Value::from(names), case["names"], "{name}");
        let digest = Algorithm::Sha256.digest(&unpacked);
        assert_eq!(case["sha256"], digest.hex(), "{name}: the same names, but other bytes");
    }
}
