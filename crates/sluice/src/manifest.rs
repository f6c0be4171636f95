//! Manifests: read from files, folders and standard input, applied server-side.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{IsTerminal as _, Read as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use kube::{
    Api, Client, ResourceExt as _,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
    core::GroupVersionKind,
    discovery::{self, Scope},
};
use serde_json::Value;

/// Field manager of what is applied.
const MANAGER: &str = "sluice-up";

/// The most that is read of one file or of standard input.
const MAX_BYTES: u64 = 64 << 20;

/// An object as it was written, and where (`file:line`).
#[derive(Debug, Clone)]
pub(crate) struct Manifest {
    pub(crate) object: DynamicObject,
    pub(crate) origin: String,
}

impl Manifest {
    pub(crate) fn kind(&self) -> Option<&str> {
        self.object.types.as_ref().map(|types| types.kind.as_str())
    }
}

/// An object that was applied.
#[derive(Debug, Clone)]
pub(crate) struct Applied {
    pub(crate) resource: ApiResource,
    pub(crate) name: String,
    pub(crate) outcome: Outcome,
}

/// What applying an object came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Created,
    Configured,
    Unchanged,
}

impl std::fmt::Display for Applied {
    /// As kubectl names objects: `imagepolicy.image.toolkit.fluxcd.io/app created`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = self.resource.kind.to_lowercase();
        let group = &self.resource.group;
        let dot = if group.is_empty() { "" } else { "." };
        let outcome = match self.outcome {
            Outcome::Created => "created",
            Outcome::Configured => "configured",
            Outcome::Unchanged => "unchanged",
        };
        write!(f, "{kind}{dot}{group}/{} {outcome}", self.name)
    }
}

/// Reads every manifest of `sources`: files, folders (their `.yaml`, `.yml` and `.json` files) or
/// `-` for standard input.
pub(crate) fn read(sources: &[PathBuf]) -> Result<Vec<Manifest>> {
    let mut manifests = Vec::new();
    for source in sources {
        if source.as_os_str() == "-" {
            manifests.extend(from_stdin()?);
            continue;
        }
        for path in files(source)? {
            let origin = path.display().to_string();
            let file = File::open(&path).with_context(|| format!("cannot read {origin}"))?;
            manifests.extend(from_reader(file, &origin)?);
        }
    }
    // What others need comes first; the rest stays in the order in which it was written.
    manifests.sort_by_key(rank);
    Ok(manifests)
}

fn from_stdin() -> Result<Vec<Manifest>> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        bail!("-f - reads standard input, which is a terminal: pipe manifests into it");
    }
    from_reader(stdin.lock(), "standard input")
}

fn from_reader(reader: impl std::io::Read, origin: &str) -> Result<Vec<Manifest>> {
    let cannot = || format!("cannot read {origin}");
    let mut bytes = Vec::new();
    reader.take(MAX_BYTES + 1).read_to_end(&mut bytes).with_context(cannot)?;
    if bytes.len() as u64 > MAX_BYTES {
        bail!("{origin} is larger than {} MiB", MAX_BYTES >> 20);
    }
    parse(&yaml::text(&bytes).with_context(cannot)?, origin)
}

fn files(source: &Path) -> Result<Vec<PathBuf>> {
    if !source.is_dir() {
        return Ok(vec![source.to_owned()]);
    }
    let entries = std::fs::read_dir(source)
        .with_context(|| format!("cannot read the folder {}", source.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        if path.is_file() && ["yaml", "yml", "json"].contains(&extension) {
            files.push(path);
        }
    }
    if files.is_empty() {
        bail!("there is no .yaml, .yml or .json file in {}", source.display());
    }
    files.sort();
    Ok(files)
}

/// The objects of a text; the items of a `List` count one by one.
pub(crate) fn parse(text: &str, origin: &str) -> Result<Vec<Manifest>> {
    let cannot = || format!("cannot read {origin}");
    let documents = yaml::parse_all(text).with_context(cannot)?;
    let written = yaml::Document::parse_all(text).with_context(cannot)?;
    let mut manifests = Vec::new();
    for (document, written) in documents.iter().zip(&written) {
        let value: Value = serde_json::from_str(&document.to_json().with_context(cannot)?)?;
        if value.is_null() {
            continue;
        }
        for (value, line) in items(value, &written.root) {
            let origin = format!("{origin}:{line}");
            let object = object(value).with_context(|| origin.clone())?;
            manifests.push(Manifest { object, origin });
        }
    }
    Ok(manifests)
}

/// One object, or those of a list, with their lines.
fn items(mut value: Value, written: &yaml::Node) -> Vec<(Value, usize)> {
    let is_list = value["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
    if is_list && let Some(Value::Array(items)) = value.get_mut("items").map(Value::take) {
        let written = written.get("items").map(yaml::Node::items).unwrap_or_default();
        let lines = written.iter().map(|item| item.line).chain(std::iter::repeat(0));
        return items.into_iter().zip(lines).collect();
    }
    vec![(value, written.line)]
}

fn object(mut value: Value) -> Result<DynamicObject> {
    for field in ["apiVersion", "kind"] {
        required(&value[field], field).context("this is no Kubernetes object")?;
    }
    required(&value["metadata"]["name"], "metadata.name")?;
    if !value["metadata"]["namespace"].is_null() {
        required(&value["metadata"]["namespace"], "metadata.namespace")?;
    }
    if let Some(map) = value.as_object_mut() {
        map.retain(|_, field| !field.is_null());
    }
    serde_json::from_value(value).context("its metadata cannot be read")
}

/// Refuses what is not a text that says something.
fn required(value: &Value, field: &str) -> Result<()> {
    match value {
        Value::String(text) if !text.is_empty() => Ok(()),
        Value::Null | Value::String(_) => bail!("`{field}` is missing"),
        // YAML reads `y`, `no` or `1` as something else than text.
        Value::Bool(_) | Value::Number(_) => {
            bail!("`{field}` is {value} and no text; put it in quotes")
        }
        Value::Array(_) | Value::Object(_) => bail!("`{field}` must be a text"),
    }
}

fn rank(manifest: &Manifest) -> u8 {
    match manifest.kind() {
        Some("CustomResourceDefinition") => 0,
        Some("Namespace") => 1,
        Some("ServiceAccount" | "Secret" | "ConfigMap") => 2,
        _ => 3,
    }
}

/// Applies manifests one after the other; the first refusal ends it, with its place.
pub(crate) async fn apply(client: &Client, manifests: &[Manifest]) -> Result<Vec<Applied>> {
    let mut resources = BTreeMap::new();
    let mut applied = Vec::new();
    for manifest in manifests {
        let one = apply_one(client, manifest, &mut resources).await;
        applied.push(one.with_context(|| manifest.origin.clone())?);
    }
    Ok(applied)
}

type Resources = BTreeMap<(String, String), (ApiResource, Scope)>;

async fn apply_one(
    client: &Client,
    manifest: &Manifest,
    resources: &mut Resources,
) -> Result<Applied> {
    let mut object = manifest.object.clone();
    let types = object.types.clone().unwrap_or_default();
    let (resource, scope) = resource(client, &types.api_version, &types.kind, resources).await?;
    let name = object.name_any();
    let namespace = match scope {
        Scope::Cluster => None,
        Scope::Namespaced => Some(object.namespace().unwrap_or_else(|| "default".to_owned())),
    };
    object.metadata.namespace.clone_from(&namespace);
    let api: Api<DynamicObject> = match &namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let before = api.get_metadata_opt(&name).await?.and_then(|it| it.metadata.resource_version);
    let after =
        api.patch(&name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(&object)).await;
    let after = after.with_context(|| format!("{} {name} was refused", types.kind))?;
    let outcome = match before {
        None => Outcome::Created,
        Some(version) if Some(&version) == after.metadata.resource_version.as_ref() => {
            Outcome::Unchanged
        }
        Some(_) => Outcome::Configured,
    };
    Ok(Applied { resource, name, outcome })
}

async fn resource(
    client: &Client,
    api_version: &str,
    kind: &str,
    known: &mut Resources,
) -> Result<(ApiResource, Scope)> {
    let key = (api_version.to_owned(), kind.to_owned());
    if let Some(found) = known.get(&key) {
        return Ok(found.clone());
    }
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let wanted = GroupVersionKind::gvk(group, version, kind);
    let (resource, capabilities) = discovery::pinned_kind(client, &wanted)
        .await
        .map_err(|error| unknown(error, api_version, kind))?;
    let found = (resource, capabilities.scope);
    known.insert(key, found.clone());
    Ok(found)
}

fn unknown(error: kube::Error, api_version: &str, kind: &str) -> anyhow::Error {
    let absent = match &error {
        kube::Error::Api(status) => status.code == 404,
        kube::Error::Discovery(_) => true,
        _ => false,
    };
    if absent {
        return anyhow::anyhow!(
            "there is no kind {kind} in {api_version} here; if it is a custom resource, give the \
             file of its CRD too"
        );
    }
    anyhow::Error::from(error).context(format!("cannot look up {kind} in {api_version}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_and_lists_are_objects() {
        let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n---\napiVersion: v1\n\
                    kind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: b}}\n";
        let names: Vec<String> =
            parse(text, "x").unwrap().iter().map(|m| m.object.name_any()).collect();
        assert_eq!(names, ["a", "b"]);
        let places: Vec<String> =
            parse(text, "x").unwrap().into_iter().map(|it| it.origin).collect();
        assert_eq!(places, ["x:1", "x:9"]);
    }

    #[test]
    fn says_where_and_what() {
        let error = parse("a: 1\n", "x.yaml").unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "x.yaml:1: this is no Kubernetes object: `apiVersion` is missing"
        );
        let object = "\n---\napiVersion: v1\nkind: Secret\n";
        let error = parse(object, "x.yaml").unwrap_err();
        assert_eq!(format!("{error:#}"), "x.yaml:3: `metadata.name` is missing");
        let error = parse(&format!("{object}metadata: {{name: y}}"), "x.yaml").unwrap_err();
        let text = "x.yaml:3: `metadata.name` is true and no text; put it in quotes";
        assert_eq!(format!("{error:#}"), text);
        let error = parse("a: [\n", "x.yaml").unwrap_err();
        assert!(format!("{error:#}").starts_with("cannot read x.yaml: yaml: line "), "{error:#}");
    }
}
