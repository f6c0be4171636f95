//! The transformers that a kustomization's own fields ask for, in kustomize's order.

use yaml::Value;

use super::Build;
use super::accumulate::{Accumulator, Target};
use crate::config::{Config, merge_all, merge_one};
use crate::field::FieldSpec;
use crate::fields::Fields;
use crate::gvk::Gvk;
use crate::kustomization::Label;
use crate::origin::{self, Origin};
use crate::transformer::annotations::Annotations;
use crate::transformer::image::Image;
use crate::transformer::labels::Labels;
use crate::transformer::namespace::Namespace;
use crate::transformer::patch::Patch;
use crate::transformer::patch_json::PatchJson;
use crate::transformer::patch_strategic::PatchStrategic;
use crate::transformer::prefix::Prefix;
use crate::transformer::replacement::Replacements;
use crate::transformer::replicas::Replicas;
use crate::transformer::suffix::Suffix;
use crate::transformer::{Setup, Transformer};
use crate::{Error, documents};

/// A transformer, and what is noted on resources that it has seen.
pub(super) struct Step {
    transformer: Box<dyn Transformer>,
    origin: Option<Origin>,
}

impl Step {
    pub(super) fn new(transformer: Box<dyn Transformer>, origin: Option<Origin>) -> Self {
        Self { transformer, origin }
    }
}

type Steps = Vec<(&'static str, Box<dyn Transformer>)>;

impl Build<'_> {
    pub(super) fn run_transformers(
        &mut self,
        target: &Target<'_, '_>,
        all: &mut Accumulator,
    ) -> Result<(), Error> {
        let own = own_steps(target, &all.config, self.setup(target.loader))?;
        let mut steps: Vec<Step> = own
            .into_iter()
            .map(|(kind, transformer)| {
                let origin = target.origin.as_ref();
                Step::new(transformer, origin.map(|origin| origin.built_in(target.file_name, kind)))
            })
            .collect();
        steps.extend(self.plugin_steps(target, &target.file.transformers)?);
        self.run_steps(target, &steps, all)
    }

    pub(super) fn run_steps(
        &self,
        target: &Target<'_, '_>,
        steps: &[Step],
        all: &mut Accumulator,
    ) -> Result<(), Error> {
        for step in steps {
            target.loader.inputs.budget.steps(all.resources.list().len())?;
            step.transformer.transform(&mut all.resources, &self.schema)?;
            if let Some(origin) = &step.origin {
                origin::note_transformation(all.resources.list_mut(), origin);
            }
            all.resources.drop_empty();
        }
        Ok(())
    }

    /// Validators may look at resources, and put a label on them, but not change them.
    pub(super) fn run_validators(
        &mut self,
        target: &Target<'_, '_>,
        all: &mut Accumulator,
    ) -> Result<(), Error> {
        const LABEL: &str = "validated-by";
        for step in self.plugin_steps(target, &target.file.validators)? {
            let before = all.resources.clone();
            step.transformer.transform(&mut all.resources, &self.schema)?;
            let mut after = all.resources.clone();
            for resource in after.list_mut() {
                let mut labels = resource.texts("labels");
                if labels.remove(LABEL).is_some() {
                    resource.set_texts("labels", labels);
                }
            }
            let same =
                |(a, b): (&crate::resource::Resource, &crate::resource::Resource)| a.node == b.node;
            if before.list().len() != after.list().len()
                || !before.list().iter().zip(after.list()).all(same)
            {
                return Err(Error::Invalid(
                    "validator shouldn't modify the resource map: resources differ".to_owned(),
                ));
            }
        }
        Ok(())
    }
}

fn own_steps(
    target: &Target<'_, '_>,
    config: &Config,
    setup: Setup<'_, '_>,
) -> Result<Steps, Error> {
    let file = target.file;
    let mut steps: Steps = Vec::new();
    if !file.patches_strategic_merge.is_empty() {
        let patches = PatchStrategic::new(&file.patches_strategic_merge, "", setup);
        steps.push((
            "PatchStrategicMergeTransformer",
            Box::new(configured(patches, "PatchStrategicMergeTransformer")?),
        ));
    }
    for entry in &file.patches {
        let patch = configured(Patch::new(entry, setup), "PatchTransformer")?;
        steps.push(("PatchTransformer", Box::new(patch)));
    }
    add_metadata_steps(target, config, &mut steps)?;
    for entry in &file.patches_json {
        let patch = configured(PatchJson::new(entry, setup), "PatchJson6902Transformer")?;
        steps.push(("PatchJson6902Transformer", Box::new(patch)));
    }
    for entry in &file.replicas {
        let replicas = Replicas {
            name: entry.name.clone(),
            count: entry.count,
            specs: config.replicas.clone(),
        };
        steps.push(("ReplicaCountTransformer", Box::new(replicas)));
    }
    for entry in &file.images {
        let image = Image { specs: config.images.clone(), ..entry.clone() };
        steps.push(("ImageTagTransformer", Box::new(image)));
    }
    if !file.replacements.is_empty() {
        let entries =
            file.replacements.iter().map(|entry| Fields::strict(entry, "ReplacementField"));
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let replacements = Replacements::read(&entries, setup);
        let replacements = configured(replacements, "ReplacementTransformer")?;
        steps.push(("ReplacementTransformer", Box::new(replacements)));
    }
    Ok(steps)
}

/// Namespace, names, labels and annotations.
fn add_metadata_steps(
    target: &Target<'_, '_>,
    config: &Config,
    steps: &mut Steps,
) -> Result<(), Error> {
    let file = target.file;
    if !file.namespace.is_empty() {
        let namespace = Namespace {
            name: file.namespace.clone(),
            specs: config.namespace.clone(),
            ..Namespace::default()
        };
        steps.push(("NamespaceTransformer", Box::new(namespace)));
    }
    if !file.name_prefix.is_empty() {
        let prefix = Prefix { prefix: file.name_prefix.clone(), specs: config.name_prefix.clone() };
        steps.push(("PrefixTransformer", Box::new(prefix)));
    }
    if !file.name_suffix.is_empty() {
        let suffix = Suffix { suffix: file.name_suffix.clone(), specs: config.name_suffix.clone() };
        steps.push(("SuffixTransformer", Box::new(suffix)));
    }
    for label in &file.labels {
        let labels = Labels { pairs: label.pairs.clone(), specs: label_specs(label, config)? };
        steps.push(("LabelTransformer", Box::new(labels)));
    }
    if !(file.labels.is_empty() && file.common_labels.is_empty()) {
        let labels =
            Labels { pairs: file.common_labels.clone(), specs: config.common_labels.clone() };
        steps.push(("LabelTransformer", Box::new(labels)));
    }
    if !file.common_annotations.is_empty() {
        let annotations = Annotations {
            pairs: file.common_annotations.clone(),
            specs: config.common_annotations.clone(),
        };
        steps.push(("AnnotationsTransformer", Box::new(annotations)));
    }
    Ok(())
}

fn label_specs(label: &Label, config: &Config) -> Result<Vec<FieldSpec>, Error> {
    let mut specs = label.fields.clone();
    let mut add = || {
        merge_all(&mut specs, config.labels.iter().cloned())?;
        if label.selectors {
            return merge_all(&mut specs, config.common_labels.iter().cloned());
        }
        if label.templates {
            merge_all(&mut specs, config.template_labels.iter().cloned())
                .map_err(|error| error.within("failed to merge template fieldSpec"))?;
        }
        merge_one(&mut specs, FieldSpec::new(Gvk::default(), "metadata/labels", true))
    };
    add().map_err(|error| error.within("failed to merge labels"))?;
    Ok(specs)
}

fn configured<T>(made: Result<T, Error>, kind: &str) -> Result<T, Error> {
    made.map_err(|error| error.within(format!("trouble configuring builtin {kind}")))
}

/// A configuration as a value that plugins read.
pub(super) fn config_of(resource: &crate::resource::Resource) -> Result<Value, Error> {
    documents::check(&resource.node)?;
    resource.node.to_value()
}
