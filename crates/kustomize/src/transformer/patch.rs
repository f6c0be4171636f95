//! Patches of either kind, as `patches` has them.

use yaml::Value;

use super::patch_json::apply_to;
use super::patch_strategic::apply_to_all;
use super::{Setup, Transformer};
use crate::fields::Fields;
use crate::json_patch::JsonPatch;
use crate::resource::Resource;
use crate::resources::Resources;
use crate::schema::Schema;
use crate::selector::Selector;
use crate::{Error, documents};

/// A strategic merge patch or a JSON patch, and what it is for.
pub(crate) struct Patch {
    /// Where the patch is from, for errors.
    source: String,
    content: Content,
    target: Option<Selector>,
}

enum Content {
    Strategic(Vec<Resource>),
    Json(JsonPatch),
}

/// An entry of `patches`, its file not read yet.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct PatchEntry {
    pub(crate) path: String,
    pub(crate) patch: String,
    pub(crate) target: Option<Selector>,
    pub(crate) allow_name_change: bool,
    pub(crate) allow_kind_change: bool,
}

impl PatchEntry {
    pub(crate) fn read(config: &Fields<'_>) -> Result<Self, Error> {
        config.only(&["path", "patch", "target", "options"])?;
        let nothing = Value::Null;
        let options = config.get("options").unwrap_or(&nothing);
        let options = Fields::of(options, "Patch.options")?;
        Ok(Self {
            path: config.text("path")?,
            patch: config.text("patch")?,
            target: config.selector_at("target")?,
            allow_name_change: options.flag("allowNameChange")?,
            allow_kind_change: options.flag("allowKindChange")?,
        })
    }

    /// The text of the patch, and where it is from.
    fn text(&self, setup: Setup<'_, '_>) -> Result<(String, String), Error> {
        let patch = self.patch.trim();
        match (patch.is_empty(), self.path.is_empty()) {
            (true, true) => Err(Error::Invalid(format!(
                "must specify one of patch and path in\n{}",
                self.config()
            ))),
            (false, false) => Err(Error::Invalid(format!(
                "patch and path can't be set at the same time\n{}",
                self.config()
            ))),
            (false, true) => Ok((patch.to_owned(), format!("[patch: {patch:?}]"))),
            (true, false) => {
                let text = setup.loader.load_text(&self.path).map_err(|error| {
                    error.within(format!("failed to get the patch file from path({})", self.path))
                })?;
                Ok((text, format!("[path: {:?}]", self.path)))
            }
        }
    }

    /// What it says, as kustomize quotes it.
    fn config(&self) -> String {
        let mut text = String::new();
        for (key, value) in [("Patch", &self.patch), ("Path", &self.path)] {
            if !value.is_empty() {
                text.extend([key, ": ", value, "\n"]);
            }
        }
        text
    }
}

impl Patch {
    pub(crate) fn plugin(config: &Fields<'_>, setup: Setup<'_, '_>) -> Result<Self, Error> {
        Self::new(&PatchEntry::read(config)?, setup)
    }

    pub(crate) fn new(entry: &PatchEntry, setup: Setup<'_, '_>) -> Result<Self, Error> {
        let (text, source) = entry.text(setup)?;
        let strategic = documents::resources(&text, setup.budget(), setup.schema);
        let json = JsonPatch::parse(&text);
        let content = match (strategic, json) {
            (Ok(strategic), Ok(json)) if !strategic.is_empty() && !json.is_empty() => {
                return Err(Error::Invalid(format!(
                    "illegally qualifies as both an SM and JSON patch: {source}"
                )));
            }
            (Ok(strategic), Err(_)) => Content::Strategic(strategic),
            (Ok(strategic), Ok(_)) if !strategic.is_empty() => Content::Strategic(strategic),
            (_, Ok(json)) => Content::Json(json),
            (Err(error), Err(_)) if error.is_final() => return Err(error),
            (Err(strategic), Err(json)) => {
                return Err(Error::Invalid(format!(
                    "unable to parse SM or JSON patch from {source}: neither a resource ({strategic}) nor \
                     a list of operations ({json})"
                )));
            }
        };
        let mut patch = Self { source, content, target: entry.target.clone() };
        if let Content::Strategic(patches) = &mut patch.content {
            for patch in patches {
                patch.allow_name_change = entry.allow_name_change;
                patch.allow_kind_change = entry.allow_kind_change;
            }
        }
        Ok(patch)
    }

    fn apply_json(
        &self,
        patch: &JsonPatch,
        resources: &mut Resources,
        schema: &Schema,
    ) -> Result<(), Error> {
        let Some(target) = &self.target else {
            return Err(Error::Invalid(format!(
                "must specify a target for JSON patch {}",
                self.source
            )));
        };
        for at in resources.select(target)? {
            let resource = &mut resources.list_mut()[at];
            resource.store_previous_id();
            apply_to(resource, patch, schema)?;
        }
        Ok(())
    }

    fn apply_strategic(
        &self,
        patches: &[Resource],
        resources: &mut Resources,
        schema: &Schema,
    ) -> Result<(), Error> {
        let Some(target) = &self.target else {
            for patch in patches {
                let id = patch.original_id();
                let at = resources.find(&id).map_err(|error| {
                    error.within(format!(
                        "no resource matches strategic merge patch {:?}",
                        id.to_string()
                    ))
                })?;
                resources.list_mut()[at].apply_patch(patch, schema)?;
            }
            return Ok(());
        };
        match patches {
            [] => Ok(()),
            [patch] => {
                let selected = resources.select(target)?;
                apply_to_all(resources, &selected, patch, schema)
            }
            _ => Err(Error::Invalid(format!(
                "Multiple Strategic-Merge Patches in one `patches` entry is not allowed to set \
                 `patches.target` field: {}",
                self.source
            ))),
        }
    }
}

impl Transformer for Patch {
    fn transform(&self, resources: &mut Resources, schema: &Schema) -> Result<(), Error> {
        match &self.content {
            Content::Json(patch) => self.apply_json(patch, resources, schema),
            Content::Strategic(patches) => self.apply_strategic(patches, resources, schema),
        }
    }
}
