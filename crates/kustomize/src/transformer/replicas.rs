//! Numbers of replicas.

use super::{Transformer, specs};
use crate::Error;
use crate::field::{Create, FieldSpec};
use crate::fields::Fields;
use crate::node::Tag;
use crate::resources::Resources;
use crate::schema::Schema;

/// Sets the number of replicas of what has a name.
pub(crate) struct Replicas {
    pub(crate) name: String,
    pub(crate) count: i64,
    pub(crate) specs: Vec<FieldSpec>,
}

impl Replicas {
    /// From an entry of `replicas`.
    pub(crate) fn read(config: &Fields<'_>) -> Result<Self, Error> {
        config.only(&["name", "count"])?;
        Ok(Self { name: config.text("name")?, count: config.integer("count")?, specs: Vec::new() })
    }

    pub(crate) fn plugin(config: &Fields<'_>) -> Result<Self, Error> {
        let empty = yaml::Value::Null;
        let replica = config.below(config.get("replica").unwrap_or(&empty), "Replica")?;
        Ok(Self { specs: specs(config)?.unwrap_or_default(), ..Self::read(&replica)? })
    }
}

impl Transformer for Replicas {
    fn transform(&self, resources: &mut Resources, _: &Schema) -> Result<(), Error> {
        let mut found = false;
        for spec in &self.specs {
            let at =
                resources.with_any_id(|id| id.name == self.name && id.gvk.is_selected(&spec.gvk));
            for at in at {
                found = true;
                let node = &mut resources.list_mut()[at].node;
                spec.apply(node, Create::Scalar(Tag::Int), &mut |node| {
                    node.set_scalar(&self.count.to_string(), Tag::Int)
                })?;
            }
        }
        if found {
            return Ok(());
        }
        let kinds: Vec<String> = self.specs.iter().map(|spec| spec.gvk.to_string()).collect();
        Err(Error::NoMatch(format!(
            "resource with name {} does not match a config with the following GVK [{}]",
            self.name,
            kinds.join(" ")
        )))
    }
}
