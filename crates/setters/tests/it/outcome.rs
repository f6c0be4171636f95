use setters::{Image, Outcome, Policies, edit, update};

fn outcomes(text: &str) -> Vec<(usize, Outcome)> {
    let mut policies = Policies::new(Some("n"));
    let image = Image { name: "app".into(), tag: "v1".into(), digest: None };
    policies.insert("n", "p", Some(image)).unwrap();
    policies.insert("n", "pending", None).unwrap();
    let edit = edit("x.yaml", text.as_bytes(), &policies);
    edit.markers.into_iter().map(|marked| (marked.line, marked.outcome)).collect()
}

#[test]
fn every_marker_is_explained() {
    let text = "\
a: x # {\"$imagepolicy\": \"n:p\"}
b: v1 # {\"$imagepolicy\": \"n:p:tag\"}
c: x # {\"$imagepolicy\": \"n:nope\"}
d: x # {\"$imagepolicy\": \"other:p\"}
e: x # {\"$imagepolicy\": \"n:pending\"}
f: x # {\"$imagepolicy\": \"n:p:what\"}
g: x # {\"$imagepolicy\": \"n:p\"} now
h: # {\"$imagepolicy\": \"n:p\"}
i: !!int 7 # {\"$imagepolicy\": \"n:p\"}
j: {b: x} # {\"$imagepolicy\": \"n:p\"}
";
    let want = [
        Outcome::Updated,
        Outcome::Same,
        Outcome::UnknownPolicy,
        Outcome::OtherNamespace,
        Outcome::NotReady,
        Outcome::Malformed,
        Outcome::Malformed,
        Outcome::Unattached,
        Outcome::Tagged("tag:yaml.org,2002:int".into()),
        Outcome::Unattached,
    ];
    let got = outcomes(text);
    assert_eq!(got, want.into_iter().enumerate().map(|(i, it)| (i + 1, it)).collect::<Vec<_>>());
}

#[track_caller]
fn unparsable(text: &str, why: &str) {
    let text = text.replace('@', "{\"$imagepolicy\": \"n:p\"}");
    match &outcomes(&text)[..] {
        [(0, Outcome::Unparsable(got))] if got.contains(why) => {}
        other => panic!("{text}\nwant {why}, got {other:?}"),
    }
}

#[test]
fn files_that_upstream_cannot_read_are_told() {
    unparsable("- a # @\n", "not a mapping");
    unparsable("metadata: x\na: b # @\n", "metadata is not a mapping");
    unparsable("a: b # @\n--- x\n", "invalid document separator: --- x");
    unparsable("%YAML 1.1\n---\na: b # @\n", "directives are not supported");
    unparsable("a: *b # @\n", "unknown anchor 'b' referenced");
    unparsable("a: [b # @\n", "yaml: ");
    unparsable("\ta: b # @\n", "yaml: ");
}

#[test]
fn bad_files_are_bounded() {
    let marker = "# {\"$imagepolicy\": \"n:p\"}\n";
    let deep = format!("a: {}{} {marker}", "[".repeat(100_000), "]".repeat(100_000));
    let blocks = format!("a:\n{}b {marker}", "- ".repeat(5_000));
    let bomb = format!("a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: y {marker}");
    let huge = format!("a: x {marker}{}", "b: y\n".repeat(1_000_000));
    assert!(matches!(outcomes(&deep)[..], [(0, Outcome::Unparsable(_))]));
    assert_eq!(outcomes(&blocks).len(), 1);
    assert_eq!(outcomes(&bomb), [(4, Outcome::Updated)]);
    assert!(matches!(outcomes(&huge)[..], [(0, Outcome::Unparsable(_))]));
    let binary = [b"\x00\xff \"$imagepolicy\"".as_slice(), &[0xfe; 100]].concat();
    let told = edit("x.yaml", &binary, &Policies::new(None)).markers;
    assert_eq!(told[0].to_string(), "x.yaml: the file cannot be read: it is not UTF-8 text");
}

#[test]
fn only_yaml_files_are_looked_at() {
    let text = "a: x # {\"$imagepolicy\": \"n:p1:tag\"}\n";
    let paths = ["a.yaml", "b/c.yml", "d/Kustomization", "e.json", "f.yaml.txt", "Kustomization.x"];
    let update = update(paths.map(|path| (path, text)), &crate::property::policies());
    let edited: Vec<_> = update.files.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(edited, paths[..3]);
    assert_eq!(update.changes[1].file, "b/c.yml");
}
