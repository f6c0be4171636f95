//! The `kustomization.yaml` that Flux builds: the one of the folder, or one that names all manifests
//! below it, with what the spec of the object adds.
//!
//! As fluxcd/pkg/kustomize generates it: the folder's own file is read leniently (keys in any case,
//! unknown ones dropped), the spec's patches and components come after its own, images replace
//! those of the same name, and namespace, prefix and suffix replace its own.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::{Entry, FIELDS, Tree, check_manifests};

/// Names of the file, in the order in which they are looked for.
pub const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// How deep folders are searched for manifests.
const DEPTH: usize = 100;

/// A tree whose folders can be listed.
pub trait Listing: Tree {
    /// The names in a folder, sorted; none if it cannot be read.
    fn names(&self, folder: &str) -> BTreeSet<String>;
    /// Whether a path is in the source that is built.
    fn holds(&self, path: &str) -> bool;
}

/// What a spec adds, each in the form it has in a kustomization.yaml.
#[derive(Debug, Clone, Default)]
pub struct Additions {
    /// The namespace of all objects.
    pub namespace: Option<String>,
    /// What all names begin with.
    pub prefix: Option<String>,
    /// What all names end in.
    pub suffix: Option<String>,
    /// Further patches.
    pub patches: Vec<Value>,
    /// Images, which replace those of the same name.
    pub images: Vec<Value>,
    /// Further components.
    pub components: Vec<String>,
    /// Whether components that are not there are left out.
    pub ignores_missing_components: bool,
}

/// The file and its content.
#[derive(Debug)]
pub struct Generated {
    /// Path of the file.
    pub path: String,
    /// Its content, as JSON, which is YAML.
    pub content: Vec<u8>,
}

/// Generates the kustomization of `folder`, a path in the tree.
///
/// # Errors
/// A file that cannot be read, or that is no manifest, in upstream's words.
pub fn generate(tree: &dyn Listing, folder: &str, spec: &Additions) -> Result<Generated, String> {
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

fn is_file(tree: &dyn Listing, path: &str) -> bool {
    matches!(tree.entry(path), Entry::File | Entry::Link(_))
}

/// The folder's own file.
fn lenient(tree: &dyn Listing, path: &str) -> Result<Map<String, Value>, String> {
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
///
/// # Errors
/// A text that is not UTF-8 or not YAML.
pub fn fields(text: &[u8]) -> Result<Map<String, Value>, String> {
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
fn scanned(tree: &dyn Listing, folder: &str) -> Result<Map<String, Value>, String> {
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
    tree: &dyn Listing,
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
fn check(tree: &dyn Listing, path: &str) -> Result<(), String> {
    let failed = |why: &dyn std::fmt::Display| {
        format!("failed to decode Kubernetes YAML from {path}: {why} <nil>")
    };
    let text = tree.read(path).map_err(|why| failed(&why))?;
    check_manifests(&text).map_err(|why| failed(&why))
}

/// Adds what the spec says.
fn add(
    content: &mut Map<String, Value>,
    tree: &dyn Listing,
    folder: &str,
    spec: &Additions,
) -> Result<(), String> {
    let replaced = [
        ("namespace", &spec.namespace),
        ("namePrefix", &spec.prefix),
        ("nameSuffix", &spec.suffix),
    ];
    for (field, value) in replaced {
        if let Some(value) = value {
            content.insert(field.into(), value.clone().into());
        }
    }
    append(content, "patches", spec.patches.clone());
    replace_images(content, spec.images.clone());
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

fn components(tree: &dyn Listing, folder: &str, spec: &Additions) -> Result<Vec<Value>, String> {
    let mut components = Vec::new();
    for component in &spec.components {
        if !is_local(component) {
            return Err(format!("component path '{component}' must be local and relative"));
        }
        if !spec.ignores_missing_components || exists(tree, folder, component) {
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

fn exists(tree: &dyn Listing, folder: &str, path: &str) -> bool {
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
