//! Labels on resources, selectors and templates.

use std::collections::BTreeMap;

use super::{Transformer, specs};
use crate::Error;
use crate::field::{Create, FieldSpec};
use crate::fields::Fields;
use crate::node::Node;
use crate::resources::Resources;
use crate::schema::Schema;

/// Entries for the mappings in some fields.
pub(crate) struct Labels {
    pub(crate) pairs: BTreeMap<String, String>,
    pub(crate) specs: Vec<FieldSpec>,
}

impl Labels {
    pub(crate) fn read(config: &Fields<'_>) -> Result<Self, Error> {
        Ok(Self { pairs: config.map("labels")?, specs: specs(config)?.unwrap_or_default() })
    }
}

impl Transformer for Labels {
    fn transform(&self, resources: &mut Resources, _: &Schema) -> Result<(), Error> {
        set_entries(resources, &self.pairs, &self.specs)
    }
}

/// Sets the pairs in all mappings that the specs stand for.
pub(super) fn set_entries(
    resources: &mut Resources,
    pairs: &BTreeMap<String, String>,
    specs: &[FieldSpec],
) -> Result<(), Error> {
    if pairs.is_empty() {
        return Ok(());
    }
    for resource in resources.list_mut() {
        for spec in specs {
            spec.apply(&mut resource.node, Create::Map, &mut |node| set_in(node, pairs))?;
        }
    }
    Ok(())
}

fn set_in(node: &mut Node, pairs: &BTreeMap<String, String>) -> Result<(), Error> {
    if node.is_null() {
        return Ok(());
    }
    if !matches!(node, Node::Map(_)) {
        return Err(node.wrong_kind("MappingNode"));
    }
    if let Node::Map(map) = node {
        for (key, value) in pairs {
            map.set(key, Node::text(value));
        }
    }
    Ok(())
}
