//! JSON patches, as `patchesJson6902` has them.

use super::patch::PatchEntry;
use super::{Setup, Transformer};
use crate::Error;
use crate::fields::Fields;
use crate::json_patch::JsonPatch;
use crate::node::{Map, Node};
use crate::resource::Resource;
use crate::resources::Resources;
use crate::schema::Schema;
use crate::selector::Selector;

/// A JSON patch and what it is for.
pub(crate) struct PatchJson {
    patch: JsonPatch,
    target: Selector,
}

impl PatchJson {
    pub(crate) fn plugin(config: &Fields<'_>, setup: Setup<'_, '_>) -> Result<Self, Error> {
        let target = config.selector_at("target")?;
        let entry = PatchEntry {
            path: config.text("path")?,
            patch: config.text("jsonOp")?,
            target,
            ..PatchEntry::default()
        };
        Self::new(&entry, setup)
    }

    pub(crate) fn new(entry: &PatchEntry, setup: Setup<'_, '_>) -> Result<Self, Error> {
        let invalid = |why: &str| Err(Error::Invalid(why.to_owned()));
        let target = match &entry.target {
            Some(target) if !target.id.name.is_empty() => target.clone(),
            _ => return invalid("must specify the target name"),
        };
        let text = match (entry.path.as_str(), entry.patch.as_str()) {
            ("", "") => return invalid("empty file path and empty jsonOp"),
            ("", patch) => patch.to_owned(),
            (path, "") => match setup.loader.load_text(path)?.as_str() {
                "" => return invalid(&format!("patch file '{path}' empty seems to be empty")),
                text => text.to_owned(),
            },
            _ => return invalid("must specify a file path or jsonOp, not both"),
        };
        let patch = JsonPatch::parse(&text).map_err(|error| {
            let json = yaml::parse(&text).and_then(|value| value.to_json());
            error.within(format!("decoding {}", json.unwrap_or_else(|_| text.clone())))
        })?;
        if patch.is_empty() {
            return invalid(&format!(
                "patch appears to be empty; file={}, JsonOp={text}",
                entry.path
            ));
        }
        Ok(Self { patch, target })
    }
}

impl Transformer for PatchJson {
    fn transform(&self, resources: &mut Resources, schema: &Schema) -> Result<(), Error> {
        for at in resources.select(&self.target)? {
            apply_to(&mut resources.list_mut()[at], &self.patch, schema)?;
        }
        Ok(())
    }
}

/// Applies a patch to one resource.
pub(super) fn apply_to(
    resource: &mut Resource,
    patch: &JsonPatch,
    schema: &Schema,
) -> Result<(), Error> {
    // kustomize keeps its notes in annotations, so a patch finds some where there are notes.
    let noted = resource.is_tracked();
    if let Some(meta) = resource.node.get_mut("metadata").and_then(Node::as_map_mut)
        && noted
        && meta.get("annotations").is_none()
    {
        meta.insert("annotations", Node::Map(Map::default()));
    }
    let patched = patch.apply(resource.node.to_value()?)?;
    resource.node = Node::from_value(patched);
    let annotations = resource.texts("annotations");
    resource.set_texts("annotations", annotations);
    resource.refresh_scope(schema);
    Ok(())
}
