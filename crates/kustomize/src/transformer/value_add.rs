//! One value in many fields.

use yaml::Value;

use super::namespace::Namespace;
use super::{Setup, Transformer};
use crate::fields::Fields;
use crate::node::{Node, Tag, lookup_create, split};
use crate::resource::Resource;
use crate::resources::Resources;
use crate::schema::Schema;
use crate::selector::Selector;
use crate::{Error, path};

/// Sets fields, or a part of the paths that they hold, to a value.
pub(crate) struct ValueAdd {
    value: String,
    targets: Vec<Target>,
}

struct Target {
    selector: Option<Selector>,
    field: String,
    position: i64,
}

impl ValueAdd {
    pub(crate) fn read(config: &Fields<'_>, setup: Setup<'_, '_>) -> Result<Self, Error> {
        let mut value = config.text("value")?.trim().to_owned();
        if value.is_empty() {
            path::base(&setup.loader.root).clone_into(&mut value);
        }
        let mut targets = Target::read_all(config)?;
        let file = config.text("targetFilePath")?;
        if !file.is_empty() {
            let content: Value = yaml::parse(&setup.loader.load_text(&file)?)?;
            targets.extend(Target::read_all(&Fields::of(&content, "targets")?)?);
        }
        if targets.is_empty() {
            return Err(Error::Invalid("must specify at least one target".to_owned()));
        }
        Ok(Self { value, targets })
    }
}

impl Target {
    fn read_all(fields: &Fields<'_>) -> Result<Vec<Self>, Error> {
        fields.each("targets", "Target")?.iter().map(Self::read).collect()
    }

    fn read(fields: &Fields<'_>) -> Result<Self, Error> {
        let field = fields.text("fieldPath")?;
        let position = fields.integer("filePathPosition")?;
        if field.is_empty() {
            return Err(Error::Invalid("fieldPath cannot be empty".to_owned()));
        }
        if position < 0 {
            return Err(Error::Invalid(format!(
                "value of FilePathPosition ({position}) cannot be negative"
            )));
        }
        Ok(Self { selector: fields.selector_at("selector")?, field, position })
    }

    fn set(&self, resource: &mut Resource, value: &str) -> Result<(), Error> {
        if self.field == "metadata/namespace" {
            let namespace = Namespace { name: value.to_owned(), ..Namespace::default() };
            return namespace.apply(resource);
        }
        let Some(node) = lookup_create(&mut resource.node, &split(&self.field, '/'))? else {
            return Ok(());
        };
        if !matches!(node, Node::Scalar(_)) {
            return Err(node.wrong_kind("ScalarNode"));
        }
        let value = match usize::try_from(self.position - 1) {
            Ok(position) => insert_part(node.value(), position, value),
            Err(_) => value.to_owned(),
        };
        node.set_scalar(&value, Tag::None)
    }
}

/// A path with one more part, at a position that does not count the root.
fn insert_part(old: &str, position: usize, part: &str) -> String {
    if part.is_empty() {
        return old.to_owned();
    }
    let rooted = old.starts_with('/');
    let mut parts: Vec<&str> = old.split('/').filter(|part| !part.is_empty()).collect();
    parts.insert(position.min(parts.len()), part);
    let joined = path::clean(&parts.join("/"));
    if rooted { format!("/{joined}") } else { joined }
}

impl Transformer for ValueAdd {
    fn transform(&self, resources: &mut Resources, schema: &Schema) -> Result<(), Error> {
        for target in &self.targets {
            let selected = match &target.selector {
                Some(selector) => resources.select(selector)?,
                None => (0..resources.list().len()).collect(),
            };
            for at in selected {
                let resource = &mut resources.list_mut()[at];
                target.set(resource, &self.value)?;
                resource.refresh_scope(schema);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::insert_part;

    #[test]
    fn parts_are_inserted() {
        assert_eq!(insert_part("a/b", 1, "x"), "a/x/b");
        assert_eq!(insert_part("/a/b", 0, "x"), "/x/a/b");
        assert_eq!(insert_part("a", 9, "x"), "a/x");
    }
}
