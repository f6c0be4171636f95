//! Strategic merge patches, as `patchesStrategicMerge` has them.

use super::{Setup, Transformer};
use crate::fields::Fields;
use crate::resource::Resource;
use crate::resources::Resources;
use crate::schema::Schema;
use crate::{Error, documents};

/// Patches, each for the resource that has its id.
pub(crate) struct PatchStrategic {
    patches: Vec<Resource>,
}

impl PatchStrategic {
    pub(crate) fn plugin(config: &Fields<'_>, setup: Setup<'_, '_>) -> Result<Self, Error> {
        Self::new(&config.texts("paths")?, &config.text("patches")?, setup)
    }

    /// From entries that are patches or paths of files with patches, and a text with more.
    pub(crate) fn new(
        entries: &[String],
        inline: &str,
        setup: Setup<'_, '_>,
    ) -> Result<Self, Error> {
        if entries.is_empty() && inline.is_empty() {
            return Err(Error::Invalid("empty file path and empty patch content".to_owned()));
        }
        let mut patches = Vec::new();
        for entry in entries {
            match documents::resources(entry, setup.budget(), setup.schema) {
                Ok(found) => patches.extend(found),
                Err(error) if error.is_final() => return Err(error),
                Err(_) => patches.extend(Self::from_file(entry, setup)?),
            }
        }
        if !inline.is_empty() {
            patches.extend(documents::resources(inline, setup.budget(), setup.schema)?);
        }
        if patches.is_empty() {
            return Err(Error::Invalid(format!(
                "patch appears to be empty; files=[{}], Patch={inline}",
                entries.join(" ")
            )));
        }
        Ok(Self { patches })
    }

    fn from_file(path: &str, setup: Setup<'_, '_>) -> Result<Vec<Resource>, Error> {
        let text = setup.loader.load_text(path)?;
        documents::resources_of_file(&text, path, setup.budget(), setup.schema)
    }
}

impl Transformer for PatchStrategic {
    fn transform(&self, resources: &mut Resources, schema: &Schema) -> Result<(), Error> {
        for patch in &self.patches {
            let at = resources.find(&patch.original_id())?;
            apply_to_all(resources, &[at], patch, schema)?;
        }
        Ok(())
    }
}

/// Applies one patch to several resources and drops those it deletes.
pub(super) fn apply_to_all(
    resources: &mut Resources,
    selected: &[usize],
    patch: &Resource,
    schema: &Schema,
) -> Result<(), Error> {
    for at in selected {
        let mut patch = patch.clone();
        // kustomize writes the patch's labels and annotations anew here: null becomes a text.
        for field in ["labels", "annotations"] {
            let texts = patch.texts(field);
            patch.set_texts(field, texts);
        }
        let resource = &mut resources.list_mut()[*at];
        let api_version = resource.gvk().api_version();
        patch.set_root("apiVersion", &api_version);
        resource.apply_patch(&patch, schema)?;
    }
    resources.drop_empty();
    match resources.conflict() {
        Some(id) => Err(Error::Conflict(format!(
            "may not add resource with an already registered id: {id}"
        ))),
        None => Ok(()),
    }
}
