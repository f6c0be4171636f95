//! A build: one kustomization after the other, innermost first.

mod accumulate;
mod finish;
mod plugins;
mod transform;

use std::rc::Rc;

use crate::generator::helm::Access;
use crate::inputs::Inputs;
use crate::loader::Loader;
use crate::resources::Resources;
use crate::schema::Schema;
use crate::{Error, output};

/// How a tree is built; the default is what the command line does without flags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether files may be read from outside of a kustomization's own folder.
    pub unrestricted: bool,
    /// The order of the output, if `sortOptions` does not say one.
    pub reorder: Reorder,
    /// Puts the label `app.kubernetes.io/managed-by` on everything, as `buildMetadata` can.
    pub managed_by_label: bool,
    /// Whether charts are inflated, and how.
    pub helm: Access,
}

/// The order of an output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reorder {
    /// Namespaces first, webhooks last, all else by kind and name.
    #[default]
    Legacy,
    /// As the kustomizations name them.
    None,
}

/// Builds the kustomization in a folder, given by its absolute path, or in a repository.
///
/// # Errors
/// What the tree got wrong; [`Error::Asked`] if it needs an answer that `inputs` do not have.
pub fn build(
    inputs: &Inputs<'_>,
    target: &str,
    options: &Options,
) -> Result<output::Output, Error> {
    let mut build =
        Build { options, schema: Schema::default(), warnings: Vec::new(), metadata: Vec::new() };
    let loader = Rc::new(Loader::new(inputs, target, !options.unrestricted)?);
    let resources = build.run(&loader)?;
    Ok(output::Output { resources: resources.into_list(), warnings: build.warnings })
}

/// What all kustomizations of a build share.
struct Build<'b> {
    options: &'b Options,
    schema: Schema,
    warnings: Vec<String>,
    /// `buildMetadata` of the outermost kustomization.
    metadata: Vec<String>,
}

impl Build<'_> {
    fn run(&mut self, loader: &Rc<Loader<'_>>) -> Result<Resources, Error> {
        let file = self.read(loader)?;
        self.metadata.clone_from(&file.content.build_metadata);
        self.set_schema(loader, &file.content, true)?;
        let sort_options = file.content.sort_options.clone();
        let accumulated = self.outermost(loader, &file)?;
        self.finish(accumulated, sort_options.as_ref())
    }

    fn wants(&self, option: &str) -> bool {
        self.metadata.iter().any(|wanted| wanted == option)
    }
}
