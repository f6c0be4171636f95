//! What changes resources: one transformer a file.
//!
//! To add one: a file here with a struct that reads its configuration (`read`) and implements
//! [`Transformer`], and a line in [`plugin`]. If kustomization.yaml has a field for it, a line in
//! [`crate::build`]'s `transform.rs`.

pub(crate) mod annotations;
pub(crate) mod hash;
pub(crate) mod image;
pub(crate) mod labels;
pub(crate) mod namespace;
pub(crate) mod patch;
pub(crate) mod patch_json;
pub(crate) mod patch_strategic;
pub(crate) mod prefix;
pub(crate) mod prefix_suffix;
pub(crate) mod replacement;
pub(crate) mod replicas;
pub(crate) mod sort_order;
pub(crate) mod suffix;
pub(crate) mod value_add;

use std::rc::Rc;

use yaml::Value;

use crate::config::read_specs;
use crate::field::FieldSpec;
use crate::fields::Fields;
use crate::loader::Loader;
use crate::resources::Resources;
use crate::schema::Schema;
use crate::{Budget, Error};

/// Something that changes resources.
pub(crate) trait Transformer {
    /// Changes them; no two may have the same id afterwards.
    fn transform(&self, resources: &mut Resources, schema: &Schema) -> Result<(), Error>;
}

/// What the configuration of a transformer may refer to.
#[derive(Clone, Copy)]
pub(crate) struct Setup<'s, 'i> {
    pub(crate) loader: &'s Rc<Loader<'i>>,
    pub(crate) schema: &'s Schema,
}

impl Setup<'_, '_> {
    pub(crate) fn budget(&self) -> &Budget {
        &self.loader.inputs.budget
    }
}

type Made = Result<Box<dyn Transformer>, Error>;

/// A transformer that a file of `transformers` or `validators` configures; nothing if there is none
/// of that kind.
pub(crate) fn plugin(kind: &str, config: &Value, setup: Setup<'_, '_>) -> Option<Made> {
    fn boxed<T: Transformer + 'static>(made: Result<T, Error>) -> Made {
        Ok(Box::new(made?))
    }
    let read = || Fields::of(config, "Config");
    Some(match kind {
        "AnnotationsTransformer" => boxed(read().and_then(|c| annotations::Annotations::read(&c))),
        "HashTransformer" => boxed(Ok(hash::Hash)),
        "ImageTagTransformer" => boxed(read().and_then(|c| image::Image::plugin(&c))),
        "LabelTransformer" => boxed(read().and_then(|c| labels::Labels::read(&c))),
        "NamespaceTransformer" => boxed(read().and_then(|c| namespace::Namespace::read(&c))),
        "PatchJson6902Transformer" => {
            boxed(read().and_then(|c| patch_json::PatchJson::plugin(&c, setup)))
        }
        "PatchStrategicMergeTransformer" => {
            boxed(read().and_then(|c| patch_strategic::PatchStrategic::plugin(&c, setup)))
        }
        "PatchTransformer" => boxed(read().and_then(|c| patch::Patch::plugin(&c, setup))),
        "PrefixSuffixTransformer" => {
            boxed(read().and_then(|c| prefix_suffix::PrefixSuffix::read(&c)))
        }
        "PrefixTransformer" => boxed(read().and_then(|c| prefix::Prefix::read(&c))),
        "SuffixTransformer" => boxed(read().and_then(|c| suffix::Suffix::read(&c))),
        "ReplacementTransformer" => boxed(read().and_then(|c| {
            replacement::Replacements::read(&c.each("replacements", "ReplacementField")?, setup)
        })),
        "ReplicaCountTransformer" => boxed(read().and_then(|c| replicas::Replicas::plugin(&c))),
        "ValueAddTransformer" => boxed(read().and_then(|c| value_add::ValueAdd::read(&c, setup))),
        _ => return None,
    })
}

/// The fields that a configuration names; `None` if it does not say any.
fn specs(config: &Fields<'_>) -> Result<Option<Vec<FieldSpec>>, Error> {
    match config.get("fieldSpecs") {
        None => Ok(None),
        Some(_) => read_specs(config.list("fieldSpecs")?).map(Some),
    }
}
