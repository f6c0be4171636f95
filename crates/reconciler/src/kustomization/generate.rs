//! What the spec of a Kustomization adds to the `kustomization.yaml` that is built.

use api::kustomize::KustomizationSpec;
use kustomize::generate::{self, Additions, Generated};
use serde_json::json;

use super::tree::SourceTree;

/// Generates the kustomization of `folder`, a path in the tree.
///
/// # Errors
/// A file that cannot be read, or that is no manifest, in upstream's words.
pub(super) fn generate(
    tree: &SourceTree,
    folder: &str,
    spec: &KustomizationSpec,
) -> Result<Generated, String> {
    generate::generate(tree, folder, &additions(spec))
}

fn additions(spec: &KustomizationSpec) -> Additions {
    Additions {
        namespace: spec.target_namespace.clone(),
        prefix: spec.name_prefix.clone(),
        suffix: spec.name_suffix.clone(),
        patches: spec.patches.iter().flatten().map(|patch| json!(patch)).collect(),
        images: spec.images.iter().flatten().map(|image| json!(image)).collect(),
        components: spec.components.clone().unwrap_or_default(),
        ignores_missing_components: spec.ignore_missing_components == Some(true),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::Value;

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
