//! What the reconciler would apply, built from files on this disk: for previews.

use std::path::Path;

use api::kustomize::Kustomization;
use envsubst::Variables;
use kube::Client;
use serde_json::Value;

use super::build::{self, Files, Halt, Ingredients};
use super::{ROUNDS, variables};
use crate::base::{Bases, Checkouts};

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
    /// Builds the objects, owned by the Kustomization, in kustomize's order. Nothing is written, and
    /// nothing is decrypted: what is encrypted stays so. Remote bases are fetched.
    ///
    /// # Errors
    /// What the files or the spec got wrong, in upstream's words.
    pub async fn build(self, bases: &Bases) -> Result<Vec<Value>, String> {
        let path = self.folder.to_str().ok_or("the path of the folder is not UTF-8")?;
        let mut ingredients = Ingredients {
            files: Files::Disk { ignored: self.ignored.to_owned() },
            path: path.to_owned(),
            it: self.it.clone(),
            variables: self.variables,
            strict: self.strict,
            keys: None,
            answers: Vec::new(),
        };
        let mut checkouts = Checkouts::default();
        for _ in 0..ROUNDS {
            match build::render(&ingredients) {
                Ok(rendered) => {
                    let mut objects = rendered.objects;
                    build::own(&mut objects, self.it);
                    return Ok(objects);
                }
                Err(Halt::Failed(why)) => return Err(why),
                Err(Halt::Keys(_)) => break,
                Err(Halt::Tree(question)) => {
                    let answer = bases.answer(&question, "local", &mut checkouts).await;
                    ingredients.answers.push((*question, answer));
                }
            }
        }
        Err("kustomize build failed: there is no end of what it asks for".to_owned())
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
