//! The `kustomization.yaml` that is built: the one of the folder, or one that names all manifests
//! below it, with what the spec adds.
//!
//! As fluxcd/pkg/kustomize generates it: the folder's own file is read leniently (keys in any case,
//! unknown ones dropped), the spec's patches and components come after its own, images replace
//! those of the same name, and namespace, prefix and suffix replace its own.

use api::kustomize::KustomizationSpec;
use kustomize::{Entry, FIELDS, Tree as _};
use serde_json::{Map, Value, json};

use super::tree::SourceTree;

/// Names of the file, in the order in which they are looked for.
pub(super) const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// How deep folders are searched for manifests.
const DEPTH: usize = 100;

/// The file and its content.
#[derive(Debug)]
pub(super) struct Generated {
    /// Path of the file.
    pub(super) path: String,
    /// Its content, as JSON, which is YAML.
    pub(super) content: Vec<u8>,
}

/// Generates the kustomization of `folder`, a path in the tree.
///
/// # Errors
/// A file that cannot be read, or that is no manifest, in upstream's words.
pub(super) fn generate(
    tree: &SourceTree,
    folder: &str,
    spec: &KustomizationSpec,
) -> Result<Generated, String> {
    let own = NAMES.iter().map(|name| format!("{folder}/{name}"));
    let own = own.into_iter().find(|path| is_file(tree, path));
    let (path, mut content) = match own {
        Some(path) => {
            let content = lenient(tree, &path)?;
            (path, content)
        }
        None => (format!("{folder}/{}", NAMES[0]), scanned(tree, folder)?),
    };
    add(&mut content, tree, folder, spec)?;
    let content = Value::Object(content).to_string().into_bytes();
    Ok(Generated { path, content })
}

fn is_file(tree: &SourceTree, path: &str) -> bool {
    matches!(tree.entry(path), Entry::File | Entry::Link(_))
}

/// The folder's own file.
fn lenient(tree: &SourceTree, path: &str) -> Result<Map<String, Value>, String> {
    let text = tree.read(path).map_err(|why| format!("open {path}: {why}"))?;
    let mut content = header();
    // Upstream appends the outcome of a clean-up, which is always <nil>.
    content.extend(fields(&text).map_err(|why| format!("{why} <nil>"))?);
    if content.get("resources").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        // Without resources kustomize takes the file for empty.
        content.insert("buildMetadata".into(), json!(["originAnnotations"]));
    }
    Ok(content)
}

/// The fields of a kustomization file by their names, whatever their case; unknown ones are left
/// out, as are those without a value.
pub(super) fn fields(text: &[u8]) -> Result<Map<String, Value>, String> {
    let text = str::from_utf8(text).map_err(|_| "not UTF-8".to_owned())?;
    let value = yaml::parse(text).map_err(|why| format!("error converting YAML to JSON: {why}"))?;
    let value = value.to_json().map_err(|why| why.to_string())?;
    let value: Value = serde_json::from_str(&value).map_err(|why| why.to_string())?;
    let mut content = Map::new();
    for (key, value) in value.as_object().cloned().unwrap_or_default() {
        if let Some(field) = FIELDS.iter().find(|field| field.eq_ignore_ascii_case(&key))
            && !value.is_null()
        {
            content.insert((*field).to_owned(), value);
        }
    }
    Ok(content)
}

fn header() -> Map<String, Value> {
    let header = [("apiVersion", "kustomize.config.k8s.io/v1beta1"), ("kind", "Kustomization")];
    header.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect()
}

/// A file that names all manifests below the folder.
fn scanned(tree: &SourceTree, folder: &str) -> Result<Map<String, Value>, String> {
    let mut resources = Vec::new();
    scan(tree, folder, &mut resources, 0)?;
    let mut content = header();
    if resources.is_empty() {
        // Something that is not nothing, so that the build yields no objects and not an error.
        content.insert("namespace".into(), "_placeholder".into());
    }
    let relative = |path: &String| Value::from(format!(".{}", &path[folder.len()..]));
    content.insert("resources".into(), resources.iter().map(relative).collect());
    Ok(content)
}

fn scan(
    tree: &SourceTree,
    folder: &str,
    found: &mut Vec<String>,
    depth: usize,
) -> Result<(), String> {
    if depth > DEPTH {
        return Err(format!("{folder}: folders are nested more than {DEPTH} deep"));
    }
    for name in tree.names(folder) {
        let path = format!("{folder}/{name}");
        match tree.entry(&path) {
            Entry::Folder if NAMES.iter().any(|name| is_file(tree, &format!("{path}/{name}"))) => {
                found.push(path);
            }
            Entry::Folder => scan(tree, &path, found, depth + 1)?,
            Entry::File if is_manifest(&name) => {
                check(tree, &path)?;
                found.push(path);
            }
            Entry::File | Entry::Link(_) | Entry::Missing | Entry::Refused(_) => {}
        }
    }
    Ok(())
}

/// Whether a file is read as a manifest, by its name; case matters.
fn is_manifest(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, suffix)| matches!(suffix, "yaml" | "yml"))
}

/// Whether a file holds Kubernetes objects and nothing else.
fn check(tree: &SourceTree, path: &str) -> Result<(), String> {
    let failed = |why: &dyn std::fmt::Display| {
        format!("failed to decode Kubernetes YAML from {path}: {why} <nil>")
    };
    let text = tree.read(path).map_err(|why| failed(&why))?;
    kustomize::check_manifests(&text).map_err(|why| failed(&why))
}

/// Adds what the spec says.
fn add(
    content: &mut Map<String, Value>,
    tree: &SourceTree,
    folder: &str,
    spec: &KustomizationSpec,
) -> Result<(), String> {
    let replaced = [
        ("namespace", &spec.target_namespace),
        ("namePrefix", &spec.name_prefix),
        ("nameSuffix", &spec.name_suffix),
    ];
    for (field, value) in replaced {
        if let Some(value) = value {
            content.insert(field.into(), value.clone().into());
        }
    }
    let patches = spec.patches.iter().flatten().map(|patch| json!(patch));
    append(content, "patches", patches.collect());
    let images = spec.images.iter().flatten().map(|image| json!(image));
    replace_images(content, images.collect());
    append(content, "components", components(tree, folder, spec)?);
    Ok(())
}

fn append(content: &mut Map<String, Value>, field: &str, mut more: Vec<Value>) {
    if more.is_empty() {
        return;
    }
    match content.get_mut(field).and_then(Value::as_array_mut) {
        Some(list) => list.append(&mut more),
        None => {
            content.insert(field.into(), more.into());
        }
    }
}

/// Images with the same name are replaced whole, others are added.
fn replace_images(content: &mut Map<String, Value>, images: Vec<Value>) {
    for image in images {
        let list = content.get_mut("images").and_then(Value::as_array_mut);
        let same = |known: &&mut Value| known["name"] == image["name"];
        match list.and_then(|list| list.iter_mut().find(same)) {
            Some(known) => *known = image,
            None => append(content, "images", vec![image]),
        }
    }
}

fn components(
    tree: &SourceTree,
    folder: &str,
    spec: &KustomizationSpec,
) -> Result<Vec<Value>, String> {
    let ignores_missing = spec.ignore_missing_components == Some(true);
    let mut components = Vec::new();
    for component in spec.components.iter().flatten() {
        if !is_local(component) {
            return Err(format!("component path '{component}' must be local and relative"));
        }
        if !ignores_missing || exists(tree, folder, component) {
            components.push(component.clone().into());
        }
    }
    Ok(components)
}

/// Whether a path is on this disk and relative; URLs and hosts of Git servers are not.
fn is_local(path: &str) -> bool {
    const REMOTE: [&str; 8] =
        ["git::", "gh:", "ssh://", "https://", "http://", "git@", "github.com:", "github.com/"];
    let lower = path.to_lowercase();
    !path.is_empty()
        && !path.starts_with('/')
        && !lower.starts_with("file:///")
        && !REMOTE.iter().any(|prefix| lower.starts_with(prefix))
}

fn exists(tree: &SourceTree, folder: &str, path: &str) -> bool {
    let mut at: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(at.pop()),
            part => at.push(part),
        }
    }
    let path = format!("/{}", at.join("/"));
    tree.holds(&path) && !matches!(tree.entry(&path), Entry::Missing | Entry::Refused(_))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::tree::ROOT;
    use super::*;

    fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, SourceTree) {
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let tree = SourceTree::new(folder.path());
        (folder, tree)
    }

    const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";

    fn generated(files: &[(&str, &str)], spec: &KustomizationSpec) -> Result<Value, String> {
        let (_folder, tree) = tree(files);
        let generated = generate(&tree, ROOT, spec)?;
        Ok(serde_json::from_slice(&generated.content).unwrap())
    }

    #[test]
    fn without_a_kustomization_all_manifests_are_named() {
        let files = [
            ("b.yml", MAP),
            ("a.yaml", MAP),
            ("notes.txt", "x"),
            ("deep/er/c.yaml", MAP),
            ("over/kustomization.yaml", ""),
            ("over/x.yaml", "not: a manifest"),
        ];
        let got = generated(&files, &KustomizationSpec::default()).unwrap();
        let want = json!(["./a.yaml", "./b.yml", "./deep/er/c.yaml", "./over"]);
        assert_eq!(got["resources"], want);
    }

    #[test]
    fn an_empty_folder_builds_to_nothing() {
        let got = generated(&[], &KustomizationSpec::default()).unwrap();
        assert_eq!(got["namespace"], "_placeholder");
    }

    #[test]
    fn keys_count_in_any_case_and_unknown_ones_are_dropped() {
        let own = "NAMEPREFIX: x-\nresources: [a.yaml]\nunknown: 1\n";
        let files = [("kustomization.yaml", own)];
        let got = generated(&files, &KustomizationSpec::default()).unwrap();
        assert_eq!((&got["namePrefix"], got.get("unknown")), (&json!("x-"), None));
    }

    #[test]
    fn without_resources_objects_get_their_origin() {
        let files = [("Kustomization", "components: [c]\nbuildMetadata: [managedByLabel]\n")];
        let got = generated(&files, &KustomizationSpec::default()).unwrap();
        assert_eq!(got["buildMetadata"], json!(["originAnnotations"]));
    }

    #[test]
    fn the_spec_replaces_and_adds() {
        let own = "namespace: old\nimages: [{name: a, newTag: '1', newName: b}]\nresources: [x]\n\
                   patches: [{patch: one}]\n";
        let image = |name: &str| api::kustomize::Image {
            name: name.into(),
            new_tag: Some("2".into()),
            ..Default::default()
        };
        let spec = KustomizationSpec {
            target_namespace: Some("new".into()),
            images: Some(vec![image("a"), image("c")]),
            patches: Some(vec![api::kustomize::Patch { patch: "two".into(), target: None }]),
            ..KustomizationSpec::default()
        };
        let got = generated(&[("kustomization.yaml", own)], &spec).unwrap();
        assert_eq!(got["namespace"], "new");
        let images = json!([{"name": "a", "newTag": "2"}, {"name": "c", "newTag": "2"}]);
        assert_eq!(got["images"], images);
        assert_eq!(got["patches"], json!([{"patch": "one"}, {"patch": "two"}]));
    }

    #[test]
    fn components_are_local_and_may_be_missing_if_allowed() {
        let files = [("app/kustomization.yaml", "resources: [x]"), ("c/kustomization.yaml", "")];
        let with = |component: &str, ignore: bool| KustomizationSpec {
            components: Some(vec![component.into(), "../c".into()]),
            ignore_missing_components: Some(ignore),
            ..KustomizationSpec::default()
        };
        let (_folder, tree) = tree(&files);
        let components = |spec: &KustomizationSpec| {
            let generated = generate(&tree, "/artifact/app", spec)?;
            let content: Value = serde_json::from_slice(&generated.content).unwrap();
            Ok::<_, String>(content["components"].clone())
        };
        assert_eq!(components(&with("nope", true)).unwrap(), json!(["../c"]));
        assert_eq!(components(&with("nope", false)).unwrap(), json!(["nope", "../c"]));
        for remote in ["https://example.com/x", "git@host:x", "GitHub.com/a/b", "/abs"] {
            assert!(components(&with(remote, false)).is_err(), "{remote}");
        }
    }
}
