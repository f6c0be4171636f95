//! What happens to manifests between rendering and release: the spec's own changes by kustomize, the
//! common metadata, and the labels that say whose they are.

use std::collections::BTreeMap;

use api::helm::HelmRelease;
use kube::ResourceExt as _;
use kustomize::{Access, Budget, Entry, Inputs, Reorder, Tree};
use serde_json::{Value, json};

use super::GROUP;
use super::spec::own_namespace;

/// Where the build finds its files.
const ROOT: &str = "/release";

/// The rendered manifests.
const INPUT: &str = "helm-output.yaml";

/// The steps of a release in their order, each as a kustomization.
pub(super) fn steps(it: &HelmRelease) -> Vec<Value> {
    let own = it.spec.post_renderers.iter().flatten().filter_map(|it| it.kustomize.as_ref());
    let mut steps: Vec<Value> = own
        .map(|own| {
            let mut step = json!({});
            if let Some(patches) = own.patches.as_ref().filter(|it| !it.is_empty()) {
                step["patches"] = json!(patches);
            }
            if let Some(images) = own.images.as_ref().filter(|it| !it.is_empty()) {
                step["images"] = json!(images);
            }
            step
        })
        .collect();
    let mut last = json!({"labels": []});
    let mut label = |pairs: &BTreeMap<String, String>| {
        if let Some(labels) = last["labels"].as_array_mut() {
            labels.push(json!({"pairs": pairs, "includeSelectors": false}));
        }
    };
    if let Some(labels) = it.spec.common_metadata.as_ref().and_then(|it| it.labels.as_ref()) {
        label(labels);
    }
    label(&origin(it));
    let common = it.spec.common_metadata.as_ref().and_then(|it| it.annotations.as_ref());
    if let Some(annotations) = common.filter(|it| !it.is_empty()) {
        let transformer = json!({
            "apiVersion": "builtin", "kind": "AnnotationsTransformer",
            "metadata": {"name": "common"}, "annotations": annotations,
            "fieldSpecs": [{"path": "metadata/annotations", "create": true}],
        });
        last["transformers"] = json!([transformer.to_string()]);
    }
    steps.push(last);
    steps
}

/// The labels that say which HelmRelease an object is of.
pub(super) fn origin(it: &HelmRelease) -> BTreeMap<String, String> {
    BTreeMap::from([
        (format!("{GROUP}/name"), it.name_any()),
        (format!("{GROUP}/namespace"), own_namespace(it)),
    ])
}

/// Takes all steps.
///
/// # Errors
/// What kustomize says of the manifests or the steps.
pub(super) fn run(manifest: &str, steps: &[Value]) -> Result<String, String> {
    let last = steps.len().saturating_sub(1);
    steps.iter().enumerate().try_fold(manifest.to_owned(), |manifest, (at, step)| {
        // The last step is no build of kustomize's upstream, and so says only what is wrong.
        build(manifest, step).map_err(|why| if at == last { bare(&why) } else { why })
    })
}

/// What is wrong with the manifests, without how they were read.
fn bare(why: &str) -> String {
    let within = format!("accumulating resources from '{INPUT}': ");
    let inner = why.split_once(&within).and_then(|(_, rest)| rest.rsplit_once("': "));
    inner.map_or(why, |(inner, _)| inner).to_owned()
}

fn build(manifest: String, step: &Value) -> Result<String, String> {
    // A manifest of comments only has no objects.
    if manifest.lines().all(|line| line.is_empty() || line.starts_with('#') || line == "---") {
        return Ok(String::new());
    }
    let mut kustomization = step.clone();
    kustomization["apiVersion"] = "kustomize.config.k8s.io/v1beta1".into();
    kustomization["kind"] = "Kustomization".into();
    kustomization["resources"] = json!([INPUT]);
    let files = Files(BTreeMap::from([
        (format!("{ROOT}/{INPUT}"), manifest.into_bytes()),
        (format!("{ROOT}/kustomization.yaml"), kustomization.to_string().into_bytes()),
    ]));
    let inputs = Inputs::new(&files, Budget::default());
    let options = kustomize::Options {
        unrestricted: true,
        reorder: Reorder::None,
        managed_by_label: false,
        helm: Access::default(),
    };
    let built = kustomize::build(&inputs, ROOT, &options);
    built.and_then(|output| output.to_yaml()).map_err(|why| why.to_string())
}

/// Files in memory.
struct Files(BTreeMap<String, Vec<u8>>);

impl Tree for Files {
    fn entry(&self, path: &str) -> Entry {
        match path {
            "/" | ROOT => Entry::Folder,
            path if self.0.contains_key(path) => Entry::File,
            _ => Entry::Missing,
        }
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.0.get(path).cloned().ok_or_else(|| format!("{path}: no such file"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(spec: &Value) -> HelmRelease {
        let mut object = json!({
            "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
            "metadata": {"name": "app", "namespace": "ns"}, "spec": {"interval": "1m"},
        });
        for (key, value) in spec.as_object().unwrap() {
            object["spec"][key] = value.clone();
        }
        serde_json::from_value(object).unwrap()
    }

    const MAP: &str = "---\n# Source: c/templates/a.yaml\nkind: ConfigMap\napiVersion: v1\n\
                       metadata: {name: a, labels: {x: y}}\ndata: {k: v}\n";

    #[test]
    fn manifests_get_their_origin() {
        let made = run(MAP, &steps(&release(&json!({})))).unwrap();
        assert_eq!(
            made,
            "apiVersion: v1\ndata:\n  k: v\nkind: ConfigMap\nmetadata:\n  labels:\n    \
             helm.toolkit.fluxcd.io/name: app\n    helm.toolkit.fluxcd.io/namespace: ns\n    \
             x: \"y\"\n  name: a\n"
        );
        assert_eq!(run("---\n# nothing\n", &steps(&release(&json!({})))).unwrap(), "");
    }

    #[test]
    fn patches_come_before_common_metadata_and_the_origin_before_all() {
        let spec = json!({
            "postRenderers": [{"kustomize": {"patches": [
                {"target": {"kind": "ConfigMap"}, "patch": "- op: add\n  path: /data/p\n  value: q\n"}]}}],
            "commonMetadata": {
                "labels": {"team": "a", "helm.toolkit.fluxcd.io/name": "other"},
                "annotations": {"note": "n"}},
        });
        let made = run(MAP, &steps(&release(&spec))).unwrap();
        for line in ["p: q", "team: a", "note: \"n\"", "helm.toolkit.fluxcd.io/name: app"] {
            assert!(made.contains(line), "{line} in {made}");
        }
    }

    #[test]
    fn two_objects_of_one_name_are_refused() {
        let error = run(&MAP.repeat(2), &steps(&release(&json!({})))).unwrap_err();
        assert!(error.contains("may not add resource with an already registered id"), "{error}");
    }
}
