//! What holds for every tree.

use std::collections::BTreeMap;

use kustomize::{Answer, Budget, Error, Inputs, Options, Question, build};
use proptest::prelude::*;

use crate::memory::Memory;

const APP: [(&str, &str); 5] = [
    (
        "top/kustomization.yaml",
        "resources: [../base]\nnamespace: ns\nnamePrefix: p-\nimages: [{name: x, newTag: v2}]\npatches: [{path: \
         p.yaml}]\n",
    ),
    (
        "top/p.yaml",
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {replicas: 2}}",
    ),
    (
        "base/kustomization.yaml",
        "resources: [a.yaml]\nconfigMapGenerator: [{name: c, files: [f.txt]}]\n",
    ),
    (
        "base/a.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: {containers: \
         [{name: b, image: x, envFrom: [{configMapRef: {name: c}}]}]}}}\n",
    ),
    ("base/f.txt", "hello\n"),
];

fn fingerprint(tree: &Memory) -> ([u8; 32], Result<String, String>) {
    let inputs = Inputs::new(tree, Budget::default());
    let built = build(&inputs, "/top", &Options::default()).and_then(|output| output.to_yaml());
    (inputs.fingerprint(), built.map_err(|error| error.to_string()))
}

#[test]
fn equal_trees_make_equal_outputs() {
    let tree = Memory::of(&APP);
    assert_eq!(fingerprint(&tree), fingerprint(&tree.clone()));
}

/// Design: "unaffected" must imply identical output.
#[test]
fn an_unchanged_fingerprint_means_an_unchanged_output() {
    let tree = Memory::of(&APP);
    let (before, output) = fingerprint(&tree);
    assert!(output.is_ok(), "{output:?}");
    let mut changed = 0;
    let added = ["/top/kustomization.yml", "/base/b.yaml", "/base/g.txt", "/other/x.yaml"];
    for path in tree.files.keys().map(String::as_str).chain(added) {
        for edit in [None, Some("{}\n"), Some("")] {
            let mut other = tree.clone();
            match edit {
                None => drop(other.files.remove(path)),
                Some(text) => drop(other.files.insert(path.to_owned(), text.as_bytes().to_vec())),
            }
            let (after, result) = fingerprint(&other);
            if after == before {
                assert_eq!(result, output, "{path} {edit:?}");
            } else {
                changed += 1;
            }
        }
    }
    assert!(changed >= 15, "{changed}");
}

#[test]
fn names_follow_what_is_renamed() {
    let text = Memory::of(&APP).build("/top").expect("it builds");
    let name =
        text.lines().find_map(|line| line.trim().strip_prefix("name: p-c-")).expect("hashed");
    assert!(text.contains(&format!("configMapRef:\n            name: p-c-{name}\n")), "{text}");
}

#[test]
fn what_leaves_the_tree_is_refused_or_asked() {
    let refused = |files: &[(&str, &str)], links: &[(&str, &str)], said: &str| {
        let mut tree = Memory::of(files);
        let links = links.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned()));
        tree.links = links.collect::<BTreeMap<_, _>>();
        let error = tree.build("/a").expect_err("it is refused").to_string();
        assert!(error.contains(said), "{error}");
    };
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: a}}";
    refused(
        &[("a/kustomization.yaml", "resources: [../p.yaml]"), ("p.yaml", pod)],
        &[],
        "is not in or below '/a'",
    );
    refused(
        &[("a/kustomization.yaml", "resources: [l.yaml]"), ("p.yaml", pod)],
        &[("/a/l.yaml", "../p.yaml")],
        "is not in or below '/a'",
    );
    refused(&[("a/kustomization.yaml", "resources: [l]")], &[("/a/l", "l")], "too many links");
    refused(&[("a/kustomization.yaml", "resources: [../a]")], &[], "cycle detected");
    refused(
        &[
            ("a/kustomization.yaml", "resources: [../b]"),
            ("b/kustomization.yaml", "resources: [../a]"),
        ],
        &[],
        "cycle detected",
    );
    refused(
        &[("a/kustomization.yaml", "helmCharts: [{name: c}]")],
        &[],
        "must specify --enable-helm",
    );
    refused(
        &[
            ("a/kustomization.yaml", "generators: [g.yaml]"),
            ("a/g.yaml", "{apiVersion: e/v1, kind: Exec, metadata: {name: a}}"),
        ],
        &[],
        "external plugins disabled",
    );
}

/// Every way to name a file, with `PATH` where the name is.
const FILE_FIELDS: [&str; 26] = [
    "resources: [PATH]",
    "components: [PATH]",
    "generators: [PATH]",
    "transformers: [PATH]",
    "validators: [PATH]",
    "configurations: [PATH]",
    "crds: [PATH]",
    "openapi: {path: PATH}",
    "resources: [own.yaml]\npatches: [{path: PATH}]",
    "resources: [own.yaml]\npatches: [{path: PATH, target: {kind: Secret}}]",
    "resources: [own.yaml]\npatchesStrategicMerge: [PATH]",
    "resources: [own.yaml]\npatchesJson6902: [{path: PATH, target: {version: v1, kind: Pod, name: a}}]",
    "resources: [own.yaml]\nreplacements: [{path: PATH}]",
    "configMapGenerator: [{name: a, files: [PATH]}]",
    "configMapGenerator: [{name: a, files: [key=PATH]}]",
    "configMapGenerator: [{name: a, envs: [PATH]}]",
    "configMapGenerator: [{name: a, env: PATH}]",
    "secretGenerator: [{name: a, files: [PATH]}]",
    "secretGenerator: [{name: a, envs: [PATH]}]",
    "secretGenerator: [{name: a, env: PATH}]",
    "bases: [PATH]",
    "generators: [\"{apiVersion: builtin, kind: ConfigMapGenerator, metadata: {name: a}, files: [PATH]}\"]",
    "generators: [\"{apiVersion: builtin, kind: SecretGenerator, metadata: {name: a}, envs: [PATH]}\"]",
    "resources: [own.yaml]\ntransformers: [\"{apiVersion: builtin, kind: PatchTransformer, metadata: {name: a}, path: PATH}\"]",
    "resources: [own.yaml]\ntransformers: [\"{apiVersion: builtin, kind: ReplacementTransformer, metadata: {name: a}, replacements: [{path: PATH}]}\"]",
    "helmCharts: [{name: c, valuesFile: PATH}]",
];

/// CVE-2022-24877.
#[test]
fn no_field_reads_outside_of_its_folder() {
    let own = "{apiVersion: v1, kind: Pod, metadata: {name: a}}";
    for field in FILE_FIELDS {
        for path in ["/etc/token", "../etc/token", "x/../../etc/token", "link"] {
            let text = field.replace("PATH", path);
            let mut tree = Memory::of(&[
                ("a/kustomization.yaml", text.as_str()),
                ("a/own.yaml", own),
                ("a/x/y", ""),
                ("etc/token", "hidden=token"),
            ]);
            tree.links.insert("/a/link".to_owned(), "../etc/token".to_owned());
            let error = tree.build("/a").expect_err(&text).to_string();
            assert!(!error.contains("hidden"), "{text}: {error}");
        }
    }
}

#[test]
fn a_remote_base_is_a_question() {
    let mut tree = Memory::of(&[
        ("a/kustomization.yaml", "resources: ['https://example.com/org/repo//app?ref=v1']"),
        ("clone/app/kustomization.yaml", "resources: [p.yaml]"),
        ("clone/app/p.yaml", "{apiVersion: v1, kind: Pod, metadata: {name: a}}"),
        ("p.yaml", "{}"),
    ]);
    let build_with = |tree: &Memory, answers: &[(Question, Answer)]| {
        let mut inputs = Inputs::new(tree, Budget::default());
        for (question, answer) in answers {
            inputs.answer(question.clone(), answer.clone());
        }
        build(&inputs, "/a", &Options::default()).and_then(|output| output.to_yaml())
    };
    let mut answers = Vec::new();
    let Err(Error::Asked(file)) = build_with(&tree, &answers) else {
        panic!("a file is asked for")
    };
    answers.push((file, Answer::Status(404, "Not Found".to_owned())));
    let Err(Error::Asked(repository)) = build_with(&tree, &answers) else { panic!("a clone is") };
    assert_eq!(repository.to_string(), "repository https://example.com/org/repo at v1");
    answers.push((repository, Answer::Checkout("/clone".to_owned())));
    let text = build_with(&tree, &answers).expect("it builds");
    assert_eq!(text, "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n");
    tree.files.insert("/clone/app/kustomization.yaml".to_owned(), b"resources: [../../a]".to_vec());
    let error = build_with(&tree, &answers).expect_err("it leaves the clone").to_string();
    assert!(error.contains("must be within the repo"), "{error}");
}

#[test]
fn work_is_bounded() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let below = format!("*a{}", level - 1);
        let items = [below.as_str(); 9].join(", ");
        bomb.extend([format!("a{level}: &a{level} [{items}]\n")]);
    }
    bomb += "apiVersion: v1\nkind: A\nmetadata: {name: a}\n";
    let files = [("kustomization.yaml", "resources: [a.yaml]"), ("a.yaml", bomb.as_str())];
    let tree = Memory::of(&files);
    let inputs = Inputs::new(&tree, Budget::new(1_000_000, 1 << 20, 10));
    let error = build(&inputs, "/", &Options::default()).expect_err("it is too much");
    assert!(matches!(error.root(), Error::Limit(_)), "{error}");
    // The usual limits hold it, too, long before memory ends.
    let error = tree.build("/").expect_err("it is too much").to_string();
    assert!(error.contains("more nodes through YAML aliases than it is given"), "{error}");
}

proptest! {
    #[test]
    fn no_file_makes_it_panic(text in "[ -~\n]{0,200}", patch in "[a-z:{}\\[\\]$ \n-]{0,80}") {
        let top = format!("resources: [a.yaml]\npatches: [{{path: p.yaml}}]\n{text}");
        for top in [top.as_str(), text.as_str(), "resources: [a.yaml]\npatches: [{path: p.yaml}]\n"] {
            let files = [("kustomization.yaml", top), ("a.yaml", text.as_str()), ("p.yaml", patch.as_str())];
            let _ = Memory::of(&files).build("/");
        }
    }
}
