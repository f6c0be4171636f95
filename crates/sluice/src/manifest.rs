//! Manifests: read from files, folders and standard input, applied server-side.

use std::{
    collections::BTreeMap,
    io::Read as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use kube::{
    Api, Client, ResourceExt as _,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
    core::GroupVersionKind,
    discovery::{self, Scope},
};

/// Field manager of what is applied.
const MANAGER: &str = "sluice-up";

/// An object as it was written, and where.
#[derive(Debug, Clone)]
pub(crate) struct Manifest {
    pub(crate) object: DynamicObject,
    pub(crate) origin: String,
}

/// An object that was applied.
#[derive(Debug, Clone)]
pub(crate) struct Applied {
    pub(crate) resource: ApiResource,
    pub(crate) namespace: Option<String>,
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
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
            manifests.extend(parse(&text, "standard input")?);
            continue;
        }
        for file in files(source)? {
            let text = std::fs::read_to_string(&file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            manifests.extend(parse(&text, &file.display().to_string())?);
        }
    }
    // What others need comes first; the rest stays in the order in which it was written.
    manifests.sort_by_key(|manifest| rank(&manifest.object));
    Ok(manifests)
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
    let documents = yaml::parse_all(text).with_context(|| format!("cannot read {origin}"))?;
    let mut manifests = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        let place = || format!("document {} of {origin}", index + 1);
        let value: serde_json::Value = serde_json::from_str(&document.to_json()?)?;
        if value.is_null() {
            continue;
        }
        for value in items(value) {
            manifests
                .push(Manifest { object: object(value).with_context(place)?, origin: place() });
        }
    }
    Ok(manifests)
}

fn items(mut value: serde_json::Value) -> Vec<serde_json::Value> {
    let is_list = value["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
    match value.get_mut("items").map(serde_json::Value::take) {
        Some(serde_json::Value::Array(items)) if is_list => items,
        Some(items) => {
            value["items"] = items;
            vec![value]
        }
        None => vec![value],
    }
}

fn object(value: serde_json::Value) -> Result<DynamicObject> {
    for field in ["apiVersion", "kind"] {
        if value[field].as_str().is_none_or(str::is_empty) {
            bail!("`{field}` is missing: this is no Kubernetes object");
        }
    }
    if value["metadata"]["name"].as_str().is_none_or(str::is_empty) {
        bail!("`metadata.name` is missing");
    }
    let mut value = value;
    if let Some(map) = value.as_object_mut() {
        map.retain(|_, field| !field.is_null());
    }
    Ok(serde_json::from_value(value)?)
}

fn rank(object: &DynamicObject) -> u8 {
    match object.types.as_ref().map(|types| types.kind.as_str()) {
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
    Ok(Applied { resource, namespace, name, outcome })
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
    let (resource, capabilities) =
        discovery::pinned_kind(client, &wanted).await.with_context(|| {
            format!("there is no kind {kind} in {api_version} here; is its CRD applied?")
        })?;
    let found = (resource, capabilities.scope);
    known.insert(key, found.clone());
    Ok(found)
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
    }

    #[test]
    fn says_where_and_what() {
        let error = parse("a: 1\n", "x.yaml").unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "document 1 of x.yaml: `apiVersion` is missing: this is no Kubernetes object"
        );
        let error = parse("apiVersion: v1\nkind: Secret\n", "x.yaml").unwrap_err();
        assert_eq!(format!("{error:#}"), "document 1 of x.yaml: `metadata.name` is missing");
        assert!(parse("a: [\n", "x.yaml").is_err());
    }
}
