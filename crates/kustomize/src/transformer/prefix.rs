//! Prefixes of names.

use super::{Transformer, specs};
use crate::Error;
use crate::field::{Create, FieldSpec};
use crate::fields::Fields;
use crate::gvk::Gvk;
use crate::node::Tag;
use crate::resource::Resource;
use crate::resources::Resources;
use crate::schema::Schema;

/// Puts a text before the names in some fields.
pub(crate) struct Prefix {
    pub(crate) prefix: String,
    pub(crate) specs: Vec<FieldSpec>,
}

impl Prefix {
    pub(crate) fn read(config: &Fields<'_>) -> Result<Self, Error> {
        Ok(Self { prefix: config.text("prefix")?, specs: required_specs(config)? })
    }
}

impl Transformer for Prefix {
    fn transform(&self, resources: &mut Resources, _: &Schema) -> Result<(), Error> {
        for resource in resources.list_mut() {
            let remember = |resource: &mut Resource| resource.prefixes.push(self.prefix.clone());
            rename(resource, &self.specs, (&self.prefix, ""), &remember)?;
        }
        Ok(())
    }
}

pub(super) fn required_specs(config: &Fields<'_>) -> Result<Vec<FieldSpec>, Error> {
    specs(config)?.ok_or_else(|| Error::Invalid("fieldSpecs is not expected to be nil".to_owned()))
}

/// Puts texts around the names of a resource, unless it is of a kind whose name others give.
pub(super) fn rename(
    resource: &mut Resource,
    specs: &[FieldSpec],
    (before, after): (&str, &str),
    remember: &dyn Fn(&mut Resource),
) -> Result<(), Error> {
    let gvk = resource.original_id().gvk;
    if keeps_name(&gvk) {
        return Ok(());
    }
    for spec in specs.iter().filter(|spec| gvk.is_selected(&spec.gvk)) {
        if spec.path == "metadata/name" && !(before.is_empty() && after.is_empty()) {
            remember(resource);
            resource.store_previous_id();
        }
        spec.apply(&mut resource.node, Create::Scalar(Tag::Str), &mut |node| {
            let name = format!("{before}{}{after}", node.value());
            node.set_scalar(&name, Tag::None)
        })?;
    }
    Ok(())
}

fn keeps_name(gvk: &Gvk) -> bool {
    match gvk.kind.as_str() {
        "CustomResourceDefinition" | "Namespace" => true,
        "APIService" => gvk.group == "apiregistration.k8s.io",
        _ => false,
    }
}
