//! What the reconciler would apply, built from files on this disk: for previews.

use std::path::Path;

use api::kustomize::Kustomization;
use envsubst::Variables;
use kube::Client;
use serde_json::Value;

use super::build::{self, Ingredients};
use super::tree::SourceTree;
use super::variables;

/// A Kustomization on local files.
#[derive(Debug, Clone)]
pub struct Local<'a> {
    /// The object.
    pub it: &'a Kustomization,
    /// The folder that `spec.path` stands for. It must be absolute and free of links and `..`; what it refers to may be
    /// anywhere on the disk.
    pub folder: &'a Path,
    /// Values for the text, if any are asked for.
    pub variables: Option<Variables>,
    /// Whether an undefined variable is an error.
    pub strict: bool,
    /// What else is left out, in the form of `.gitignore`, besides what `.sourceignore` files say.
    pub ignored: &'a str,
}

impl Local<'_> {
    /// Builds the objects, owned by the Kustomization, in kustomize's order. Nothing is written.
    ///
    /// # Errors
    /// What the files or the spec got wrong, in upstream's words.
    pub fn build(self) -> Result<Vec<Value>, String> {
        let path = self.folder.to_str().ok_or("the path of the folder is not UTF-8")?;
        let ingredients = Ingredients {
            tree: SourceTree::disk(self.folder, self.ignored)?,
            path: path.to_owned(),
            it: self.it.clone(),
            variables: self.variables,
            strict: self.strict,
        };
        let mut objects = build::render(ingredients)?.objects;
        build::own(&mut objects, self.it);
        Ok(objects)
    }
}

/// The values that `spec.postBuild` asks for, as `client` sees them.
///
/// # Errors
/// What cannot be read and is not optional, in upstream's words.
pub async fn variables(client: &Client, it: &Kustomization) -> Result<Option<Variables>, String> {
    variables::collect(client, it).await
}

/// The values that `spec.postBuild` holds itself.
pub fn inline_variables(it: &Kustomization) -> Option<Variables> {
    let post_build = it.spec.post_build.as_ref()?;
    let mut variables = Variables::new();
    for (name, value) in post_build.substitute.iter().flatten() {
        variables.insert(name, value.as_str());
    }
    Some(variables)
}
