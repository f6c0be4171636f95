//! Kustomizations built twice: as the branch is, and as the plan makes it.

use std::sync::Arc;

use api::kustomize::{Kustomization, KustomizationSpec};
use kustomize::{
    Access, Budget, Inputs, Options, Reorder, build,
    generate::{Additions, generate},
};
use serde_json::{Value, json};

use super::{
    Builds, Object,
    files::{Files, ROOT},
    name_of, release,
};

/// Builds all of them. What a build lacks of the files is noted there.
pub(super) fn all(files: &Files, all: &[Arc<Kustomization>], source: &(String, String)) -> Builds {
    let (before, after) = (files.clone(), files.after());
    let mut builds = Builds::default();
    for it in all {
        let by = name_of(it);
        let (old, new) = match (one(&before, &it.spec), one(&after, &it.spec)) {
            (Ok(old), Ok(new)) => (old, new),
            (old, new) => {
                let why = old.err().or(new.err()).unwrap_or_default();
                builds.notes.insert(format!("{by} cannot be built here: {why}"));
                continue;
            }
        };
        release::contents((&before, &old), (&after, &new), source, &mut builds);
        let object = |value: Value| Object { by: by.clone(), value };
        builds.before.extend(old.into_iter().map(object));
        builds.after.extend(new.into_iter().map(object));
    }
    files.lacks(&before);
    files.lacks(&after);
    builds
}

/// The objects of one Kustomization.
fn one(files: &Files, spec: &KustomizationSpec) -> Result<Vec<Value>, String> {
    let folder = folder_of(spec);
    let generated = generate(files, &folder, &additions(spec))?;
    let tree = Over { files, path: generated.path, content: generated.content };
    let inputs = Inputs::new(&tree, Budget::default());
    let options = Options {
        unrestricted: true,
        reorder: Reorder::None,
        managed_by_label: false,
        helm: Access::default(),
    };
    let output = build(&inputs, &folder, &options).map_err(|why| match why.root() {
        kustomize::Error::Asked(question) => format!("{question} is not in the repository"),
        _ => why.to_string(),
    })?;
    let object = |it: kustomize::Manifest<'_>| {
        let value = it.to_value().map_err(|why| why.to_string())?;
        let json = value.to_json().map_err(|why| why.to_string())?;
        serde_json::from_str(&json).map_err(|why| why.to_string())
    };
    output.manifests().map(object).collect()
}

/// The files with a generated one over them.
struct Over<'a> {
    files: &'a Files,
    path: String,
    content: Vec<u8>,
}

impl kustomize::Tree for Over<'_> {
    fn entry(&self, path: &str) -> kustomize::Entry {
        if path == self.path { kustomize::Entry::File } else { self.files.entry(path) }
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        if path == self.path { Ok(self.content.clone()) } else { self.files.read(path) }
    }
}

fn folder_of(spec: &KustomizationSpec) -> String {
    let path = pipeline::path::clean(spec.path.as_deref().unwrap_or_default());
    format!("{ROOT}/{path}").trim_end_matches('/').to_owned()
}

fn additions(spec: &KustomizationSpec) -> Additions {
    Additions {
        namespace: spec.target_namespace.clone(),
        prefix: spec.name_prefix.clone(),
        suffix: spec.name_suffix.clone(),
        patches: spec.patches.iter().flatten().map(|it| json!(it)).collect(),
        images: spec.images.iter().flatten().map(|it| json!(it)).collect(),
        components: spec.components.clone().unwrap_or_default(),
        ignores_missing_components: spec.ignore_missing_components == Some(true),
    }
}
