use setters::{Image, Outcome, Policies, edit, update};

fn outcomes(text: &str) -> Vec<(usize, Outcome)> {
    let mut policies = Policies::new(Some("n"));
    let image = Image { name: "app".into(), tag: "v1".into(), digest: None };
    policies.insert("n", "p", Some(image)).expect("a valid image");
    policies.insert("n", "pending", None).expect("nothing to refuse");
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
    let got = outcomes(&text);
    let told = matches!(&got[..], [(0, Outcome::Unparsable(told))] if told.contains(why));
    assert!(told, "{text}\nwant {why}, got {got:?}");
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
    unparsable("a: b # @\n---\n- x\n", "line 3: the document is not a mapping");
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
    let long = format!("a: x {marker}{}", "b: [y]\n".repeat(33_000));
    let many = format!("a: x {marker}---\n{}", "b: [y]\n".repeat(33_000));
    assert!(matches!(outcomes(&long)[..], [(0, Outcome::Unparsable(_))]));
    assert_eq!(outcomes(&many), [(1, Outcome::Updated)]);
    let binary = [b"\x00\xff \"$imagepolicy\"".as_slice(), &[0xfe; 100]].concat();
    let told = edit("x.yaml", &binary, &Policies::new(None)).markers;
    assert_eq!(told[0].to_string(), "x.yaml: the file cannot be read: it is not UTF-8 text");
}

#[test]
fn a_file_that_is_read_in_two_ways_is_left_alone() {
    // go-yaml takes this for a comment, the standard does not.
    let got = outcomes("a: \"x\"# {\"$imagepolicy\": \"n:p\"}\n");
    assert_eq!(got, [(0, Outcome::Disagree("line 1 does not parse".into()))]);
}

#[test]
fn objects_are_named() {
    let head =
        "apiVersion: v1\nkind: List\nitems:\n- kind: Pod\n  metadata: {name: a, namespace: b}\n  ";
    let text = format!("{head}image: x # {{\"$imagepolicy\": \"n:p1\"}}\n");
    let policies = crate::property::policies();
    let kind = |text: &str| {
        let change = edit("x.yaml", text.as_bytes(), &policies).changes.remove(0);
        (change.object.kind, change.object.namespace, change.object.name)
    };
    assert_eq!(kind(&text), ("Pod".into(), "b".into(), "a".into()));
    // As upstream, which takes a list apart only if it has the file for itself.
    assert_eq!(kind(&format!("{text}---\n")), ("List".into(), String::new(), String::new()));
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
