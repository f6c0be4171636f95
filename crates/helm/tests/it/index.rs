//! Indexes of repositories.

use std::{collections::BTreeMap, io::BufReader};

use helm::index::Index;

const INDEX: &str = "apiVersion: v1
entries:
  nginx:
  - apiVersion: v2
    created: \"2020-01-01T00:00:00Z\"
    name: nginx
    urls:
    - nginx-0.2.0.tgz
    version: 0.2.0
  - name: nginx
    version: 0.10.0+a
    created: \"2020-01-01T00:00:00Z\"
  - name: nginx
    version: 0.10.0+b
    created: \"2021-01-01T00:00:00+01:00\"
  - name: nginx
    version: 1.0.0-rc.1
  - name: broken/name
    version: 3.0.0
  - null
  alpine:
  - name: alpine
    version: not-a-version
generated: \"2020-01-01T00:00:00Z\"
";

#[test]
fn versions_are_found() {
    let index = Index::parse(INDEX.as_bytes()).unwrap();
    let find = |name: &str, range: &str| {
        let entry = index.find(name, range);
        entry.map(|entry| entry.metadata.version.clone()).map_err(|error| error.to_string())
    };
    assert_eq!(find("nginx", "").unwrap(), "0.10.0+b", "of equal versions the youngest");
    assert_eq!(find("nginx", "*").unwrap(), "0.10.0+b");
    assert_eq!(find("nginx", "0.10.0+a").unwrap(), "0.10.0+a");
    assert_eq!(find("nginx", "~0.2").unwrap(), "0.2.0");
    assert_eq!(find("nginx", ">0-0").unwrap(), "1.0.0-rc.1");
    assert_eq!(
        find("nginx", "2.x").unwrap_err(),
        "no 'nginx' chart with version matching '2.x' found"
    );
    assert_eq!(find("nope", "2.x").unwrap_err(), "no chart name found");
    assert_eq!(find("alpine", "").unwrap_err(), "no chart version found");
    assert_eq!(find("nginx", "=").unwrap_err(), "improper constraint: =");
    let first = &index.entries["nginx"][0];
    assert_eq!(first.metadata.version, "1.0.0-rc.1", "the highest first");
    assert_eq!(index.get("nginx", "").unwrap().metadata.version, "0.10.0+a");
    assert_eq!(
        index.get("nginx", "2.x").unwrap_err().to_string(),
        "no chart version found for nginx-2.x"
    );
}

#[test]
fn the_form_of_the_text_does_not_matter() {
    let block = Index::parse(INDEX.as_bytes()).unwrap();
    let json = yaml::parse(INDEX).unwrap().to_json().unwrap();
    assert_eq!(Index::parse(json.as_bytes()).unwrap(), block);
    let flow = format!("{json}\n# not JSON");
    assert_eq!(Index::parse(flow.as_bytes()).unwrap(), block);
    assert_eq!(Index::parse(block.to_json().as_bytes()).unwrap().entries["nginx"].len(), 4);
}

#[test]
fn broken_indexes_are_told() {
    let error = |text: &str| Index::parse(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(error(""), "empty index.yaml file");
    assert_eq!(error("entries: {}\n"), "no API version specified");
    assert_eq!(
        error("apiVersion: v1\nfoo: 1\n"),
        "error unmarshaling JSON: while decoding JSON: json: unknown field \"foo\""
    );
    assert_eq!(
        error("apiVersion: v1\nentries:\n  a:\n  - name: a\n    name: b\n"),
        "error converting YAML to JSON: yaml: unmarshal errors:\n  line 5: key \"name\" already set in map"
    );
    assert_eq!(
        error("apiVersion: v1\nentries:\n  a: []\n  a: []\n"),
        "error converting YAML to JSON: yaml: unmarshal errors:\n  line 4: key \"a\" already set in map"
    );
    // A cut inside of a quoted text is noticed.
    let text = "apiVersion: v1\nentries:\n  a:\n  - name: a\n    version: 1.0.0\n    description: \"x\n  b:\n  y\"\n";
    let index = Index::parse(text.as_bytes()).unwrap();
    assert_eq!(index.entries["a"][0].metadata.description, "x b: y");
}

#[test]
fn an_index_is_read_chart_by_chart() {
    let whole = Index::parse(INDEX.as_bytes()).unwrap();
    for text in [INDEX.to_owned(), whole.to_json()] {
        let mut entries = BTreeMap::new();
        // A small buffer, so that every piece is read in many pieces.
        let reader = BufReader::with_capacity(7, text.as_bytes());
        let head = Index::stream(reader, |name, versions| {
            entries.insert(name, versions);
            Ok(())
        });
        let head = head.unwrap();
        assert!(head.entries.is_empty());
        let names: Vec<&String> = entries.keys().collect();
        assert_eq!(names, ["alpine", "nginx"]);
        assert_eq!(Index { entries, ..head }.to_json(), whole.to_json());
        let one = Index::of_chart(text.as_bytes(), "nginx").unwrap();
        assert_eq!(one.entries.keys().collect::<Vec<_>>(), ["nginx"]);
        assert_eq!(one.find("nginx", "").unwrap().metadata.version, "0.10.0+b");
        assert_eq!(one.find("alpine", "").unwrap_err().to_string(), "no chart name found");
    }
    let full = Index {
        public_keys: vec!["key".to_owned()],
        annotations: vec![("a".to_owned(), "b".to_owned())],
        ..whole
    };
    assert_eq!(Index::parse(full.to_json().as_bytes()).unwrap().to_json(), full.to_json());
}

#[test]
fn an_index_that_cannot_be_read_in_pieces_is_told() {
    let error = |text: &str| Index::stream(text.as_bytes(), |_, _| Ok(())).unwrap_err().to_string();
    assert_eq!(error(""), "empty index.yaml file");
    assert_eq!(error("generated: now\nentries:\n  a: []\n"), "no API version specified");
    assert_eq!(
        error("apiVersion: v1\nentries:\n  a:\n  - name: a\n    name: b\n"),
        "error converting YAML to JSON: yaml: unmarshal errors:\n  line 5: key \"name\" already set in map",
        "the line is that of the whole"
    );
    assert!(
        error("apiVersion: v1\nentries:\n  a: []\n  a: []\n").contains("has the chart \"a\" twice")
    );
    assert!(error("{\"apiVersion\": \"v1\", \"entries\": {\"a\": 1}}").contains("number"));
    assert!(error("{\"apiVersion\": \"v1\", \"entries\": [").contains("error unmarshaling JSON"));
    let text = "{\"apiVersion\": \"v1\", \"entries\": {\"a\": [{\"name\": \"a\", \"version\": \"1.0.0\"}]}}";
    let full =
        Index::stream(text.as_bytes(), |_, _| Err(std::io::Error::other("the disk is full")));
    assert_eq!(full.unwrap_err().to_string(), "the disk is full");
}
