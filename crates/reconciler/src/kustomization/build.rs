//! From an artifact to the objects that shall exist: generate, decrypt, build, decrypt, substitute,
//! normalize. Pure but for reading the artifact's folder; what it does not hold is a question.

use std::path::{Path, PathBuf};

use api::kustomize::{Kustomization, KustomizationSpec};
use apply::Owner;
use artifact::Algorithm;
use envsubst::{Undefined, Variables};
use kube::ResourceExt as _;
use kustomize::{Access, Answer, Budget, Entry, Inputs, Question, Reorder, Tree as _};
use serde_json::Value;
use sops::MasterKey;

use super::decryption::{Keys, decrypt_files, decrypted};
use super::tree::{ROOT, Record, SourceTree};
use super::{GROUP, generate};

/// What a build needs.
pub(super) struct Ingredients {
    /// The files.
    pub(super) files: Files,
    /// The folder in them that is built.
    pub(super) path: String,
    /// The object that is built.
    pub(super) it: Kustomization,
    /// Values for the text, if any are asked for.
    pub(super) variables: Option<Variables>,
    /// Whether an undefined variable is an error.
    pub(super) strict: bool,
    /// What is decrypted with, if that is asked for.
    pub(super) keys: Option<Keys>,
    /// What earlier tries asked for. Checkouts are paths on disk.
    pub(super) answers: Vec<(Question, Answer)>,
}

/// Where the files are.
pub(super) enum Files {
    /// In an extracted artifact.
    Artifact(PathBuf),
    /// On the disk of the user, without what rules in the form of `.gitignore` leave out.
    Disk { ignored: String },
}

/// What was built.
#[derive(Debug)]
pub(super) struct Built {
    /// `sha256:` of what was built, as text.
    pub(super) digest: String,
    /// The objects, ready to be applied.
    pub(super) objects: Vec<Value>,
    /// What of the artifact it was made of, if it was made of nothing else.
    pub(super) record: Option<Record>,
}

/// Why a build ends early.
#[derive(Debug)]
pub(super) enum Halt {
    /// A file or the spec is wrong.
    Failed(String),
    /// The tree lacks something: build again with the answer.
    Tree(Box<Question>),
    /// Key services must be asked about these: build again with what they say.
    Keys(Vec<MasterKey>),
}

impl From<String> for Halt {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

impl From<sops::Error> for Halt {
    /// Services are asked one after the other, until one of them unwraps the key.
    fn from(error: sops::Error) -> Self {
        match error {
            sops::Error::Pending(mut keys) => {
                keys.truncate(1);
                Self::Keys(keys)
            }
            other => Self::Failed(other.to_string()),
        }
    }
}

impl Halt {
    /// With what was being done.
    pub(super) fn within(self, doing: &str) -> Self {
        match self {
            Self::Failed(why) => Self::Failed(format!("{doing}: {why}")),
            other => other,
        }
    }
}

/// The path of the folder that a spec names, below [`ROOT`]. It cannot leave the artifact.
pub(super) fn folder_of(spec: &KustomizationSpec) -> String {
    let mut at: Vec<&str> = Vec::new();
    for part in spec.path.as_deref().unwrap_or_default().split('/') {
        match part {
            "" | "." => {}
            ".." => drop(at.pop()),
            part => at.push(part),
        }
    }
    at.iter().fold(ROOT.to_owned(), |path, part| format!("{path}/{part}"))
}

/// Checks that the folder is there.
///
/// # Errors
/// Upstream's text if it is not.
pub(super) fn check_folder(folder: &Path, spec: &KustomizationSpec) -> Result<(), String> {
    let (tree, path) = (SourceTree::new(folder), folder_of(spec));
    match tree.entry(&path) {
        Entry::Missing | Entry::Refused(_) => {
            Err(format!("kustomization path not found: stat {path}: no such file or directory"))
        }
        Entry::Folder | Entry::File | Entry::Link(_) => Ok(()),
    }
}

/// Builds.
///
/// # Errors
/// What the files or the spec got wrong, in upstream's words, or what must be found out first.
pub(super) fn build(ingredients: &Ingredients) -> Result<Built, Halt> {
    let Rendered { texts, mut objects, record } = render(ingredients)?;
    let digest = Algorithm::Sha256.digest(texts.join("---\n").as_bytes()).to_string();
    objects.iter_mut().for_each(apply::normalize);
    own(&mut objects, &ingredients.it);
    Ok(Built { digest, objects, record })
}

/// What kustomize built, in the clear and with values in place.
pub(super) struct Rendered {
    texts: Vec<String>,
    pub(super) objects: Vec<Value>,
    record: Option<Record>,
}

/// Builds, decrypts and substitutes.
///
/// # Errors
/// As [`build`].
pub(super) fn render(ingredients: &Ingredients) -> Result<Rendered, Halt> {
    let Ingredients { files, path, it, variables, strict, keys, answers } = ingredients;
    let mut tree = match files {
        Files::Artifact(folder) => SourceTree::new(folder),
        Files::Disk { ignored } => SourceTree::disk(Path::new(path), ignored)?,
    };
    let generated = generate::generate(&tree, path, &it.spec)?;
    tree.put(generated.path, generated.content);
    if let Some(keys) = keys {
        decrypt_files(&mut tree, path, &keys.keyring)
            .map_err(|halt| halt.within("error decrypting sources"))?;
    }
    let answers: Vec<_> = answers.iter().map(|known| mounted(&mut tree, known)).collect();
    let mut inputs = Inputs::new(&tree, Budget::default());
    for (question, answer) in answers {
        inputs.answer(question, answer);
    }
    let options = kustomize::Options {
        unrestricted: true,
        reorder: Reorder::None,
        managed_by_label: false,
        helm: Access::default(),
    };
    let output = kustomize::build(&inputs, path, &options).map_err(failed)?;
    let (mut texts, mut objects, mut asked) = (Vec::new(), Vec::new(), Vec::new());
    for manifest in output.manifests() {
        let mut value = manifest.to_value().map_err(failed)?;
        if let Some(keys) = keys {
            let doing = format!("decryption failed for '{}/{}'", gvk(manifest), manifest.name());
            match decrypted(value, manifest, &keys.keyring) {
                Ok(plain) => value = plain,
                Err(Halt::Keys(keys)) => {
                    asked.extend(keys);
                    continue;
                }
                Err(halt) => return Err(halt.within(&doing)),
            }
        }
        let value = substituted(value, manifest, variables.as_ref(), *strict)?;
        texts.push(value.to_yaml().map_err(|why| format!("kustomize build failed: {why}"))?);
        objects.extend(as_objects(&value)?);
    }
    if !asked.is_empty() {
        return Err(Halt::Keys(asked));
    }
    Ok(Rendered { texts, objects, record: tree.record() })
}

/// An answer as the build understands it: a checkout is beside the artifact.
fn mounted(tree: &mut SourceTree, (question, answer): &(Question, Answer)) -> (Question, Answer) {
    let answer = match answer {
        Answer::Checkout(folder) => Answer::Checkout(tree.mount(PathBuf::from(folder))),
        other => other.clone(),
    };
    (question.clone(), answer)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
fn failed(error: kustomize::Error) -> Halt {
    if let kustomize::Error::Asked(question) = error.root() {
        return Halt::Tree(Box::new(question.clone()));
    }
    Halt::Failed(format!("kustomize build failed: {error}"))
}

/// A manifest with values in place.
fn substituted(
    value: yaml::Value,
    manifest: kustomize::Manifest<'_>,
    variables: Option<&Variables>,
    strict: bool,
) -> Result<yaml::Value, String> {
    let Some(variables) = variables else { return Ok(value) };
    let undefined = if strict { Undefined::Refused } else { Undefined::Empty };
    let made = envsubst::substitute_object(&value, variables, undefined).map_err(|why| {
        format!(
            "post build failed for '{}/{}': envsubst error: {why}",
            gvk(manifest),
            manifest.name()
        )
    })?;
    Ok(made.unwrap_or(value))
}

/// `Kind.version.group`, as kustomize prints it.
fn gvk(manifest: kustomize::Manifest<'_>) -> String {
    let api_version = manifest.api_version();
    let (group, version) = api_version.split_once('/').unwrap_or(("[noGrp]", api_version));
    format!("{}.{version}.{group}", manifest.kind())
}

/// The objects of a manifest: none of kustomize's own, and the items of a list.
fn as_objects(value: &yaml::Value) -> Result<Vec<Value>, String> {
    let failed = |why: &dyn std::fmt::Display| format!("failed to decode the built objects: {why}");
    let json = value.to_json().map_err(|why| failed(&why))?;
    let object: Value = serde_json::from_str(&json).map_err(|why| failed(&why))?;
    let group =
        object["apiVersion"].as_str().unwrap_or_default().split('/').next().unwrap_or_default();
    let kind = object["kind"].as_str().unwrap_or_default();
    Ok(match object["items"].as_array() {
        _ if group == "kustomize.config.k8s.io" && kind == "Kustomization" => Vec::new(),
        Some(items) if kind.ends_with("List") => items.clone(),
        _ => vec![object],
    })
}

/// Adds owner labels and common metadata.
pub(super) fn own(objects: &mut [Value], it: &Kustomization) {
    let owner = owner(it);
    for object in objects {
        apply::set_owner(object, &owner);
        if let Some(common) = &it.spec.common_metadata {
            let (labels, annotations) = (common.labels.clone(), common.annotations.clone());
            apply::set_common(
                object,
                &labels.unwrap_or_default(),
                &annotations.unwrap_or_default(),
            );
        }
    }
}

/// To whom the objects belong.
pub(super) fn owner(it: &Kustomization) -> Owner {
    let (namespace, name) = (it.namespace().unwrap_or_default(), it.name_any());
    Owner { group: GROUP.to_owned(), namespace, name }
}

/// An encrypted Secret among the objects: without decryption it must not be applied.
pub(super) fn encrypted(objects: &[Value]) -> Option<String> {
    let is_encrypted = |object: &&Value| {
        object["kind"] == "Secret"
            && object["apiVersion"] == "v1"
            && object["sops"].get("mac").is_some()
    };
    let found = objects.iter().find(is_encrypted)?;
    Some(format!(
        "{} is SOPS encrypted, configuring decryption is required for this secret to be reconciled",
        apply::Id::of(found)
    ))
}
