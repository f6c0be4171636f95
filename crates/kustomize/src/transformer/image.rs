//! Names, tags and digests of images.

use regex::Regex;

use super::{Transformer, specs};
use crate::field::{Create, FieldSpec};
use crate::fields::Fields;
use crate::node::{Node, Tag};
use crate::resources::Resources;
use crate::schema::Schema;
use crate::{Error, pattern};

/// Changes the images of some name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Image {
    pub(crate) name: String,
    pub(crate) new_name: String,
    pub(crate) new_tag: String,
    pub(crate) tag_suffix: String,
    pub(crate) digest: String,
    pub(crate) specs: Vec<FieldSpec>,
}

impl Image {
    /// From an entry of `images`.
    pub(crate) fn read(config: &Fields<'_>) -> Result<Self, Error> {
        config.only(&["name", "newName", "newTag", "tagSuffix", "digest"])?;
        Ok(Self {
            name: config.text("name")?,
            new_name: config.text("newName")?,
            new_tag: config.text("newTag")?,
            tag_suffix: config.text("tagSuffix")?,
            digest: config.text("digest")?,
            specs: Vec::new(),
        })
    }

    pub(crate) fn plugin(config: &Fields<'_>) -> Result<Self, Error> {
        let empty = yaml::Value::Null;
        let image = config.below(config.get("imageTag").unwrap_or(&empty), "Image")?;
        Ok(Self { specs: specs(config)?.unwrap_or_default(), ..Self::read(&image)? })
    }

    fn pattern(&self) -> Result<Regex, Error> {
        let name = with_dots(&self.name);
        let part = "[a-zA-Z0-9_.{}-]*";
        pattern::compile(&format!("^{name}(:{part})?(@sha256:{part})?$"))
    }

    fn set(&self, node: &mut Node, pattern: &Regex) -> Result<(), Error> {
        if !matches!(node, Node::Scalar(_)) {
            return Err(node.wrong_kind("ScalarNode"));
        }
        if !pattern.is_match(node.value()) {
            return Ok(());
        }
        let image = self.changed(node.value());
        node.set_scalar(&image, Tag::None)
    }

    fn changed(&self, image: &str) -> String {
        let (name, mut tag, mut digest) = parts(image);
        let mut result = if self.new_name.is_empty() { name } else { &self.new_name }.to_owned();
        let suffixed = format!("{tag}{}", self.tag_suffix);
        match (self.new_tag.is_empty(), self.digest.is_empty()) {
            (false, _) => (tag, digest) = (&self.new_tag, &self.digest),
            (true, false) => (tag, digest) = ("", &self.digest),
            (true, true) if !self.tag_suffix.is_empty() => (tag, digest) = (&suffixed, ""),
            (true, true) => {}
        }
        for (sign, part) in [(':', tag), ('@', digest)] {
            if !part.is_empty() {
                result.push(sign);
                result.push_str(part);
            }
        }
        result
    }
}

/// Name, tag and digest of an image.
fn parts(image: &str) -> (&str, &str, &str) {
    let (rest, digest) = image.split_once('@').unwrap_or((image, ""));
    let last = rest.find('/').filter(|at| *at > 0).unwrap_or(0);
    match rest[last..].find(':') {
        Some(at) => (&rest[..last + at], &rest[last + at + 1..], digest),
        None => (rest, "", digest),
    }
}

impl Transformer for Image {
    fn transform(&self, resources: &mut Resources, _: &Schema) -> Result<(), Error> {
        let pattern = self.pattern()?;
        let set = &mut |node: &mut Node| self.set(node, &pattern);
        for resource in resources.list_mut() {
            if resource.kind() == "CustomResourceDefinition" {
                continue;
            }
            walk_containers(&mut resource.node, set)?;
            for spec in &self.specs {
                spec.apply(&mut resource.node, Create::Nothing, set)?;
            }
        }
        Ok(())
    }
}

/// Visits the images of all lists named `containers` or `initContainers`.
fn walk_containers(
    node: &mut Node,
    set: &mut dyn FnMut(&mut Node) -> Result<(), Error>,
) -> Result<(), Error> {
    match node {
        Node::Scalar(_) => Ok(()),
        Node::List(items) => items.iter_mut().try_for_each(|item| walk_containers(item, set)),
        Node::Map(map) => map.pairs.iter_mut().try_for_each(|(key, value)| {
            walk_containers(value, set)?;
            let Node::List(containers) = value else { return Ok(()) };
            if !matches!(key.value.as_str(), "containers" | "initContainers") {
                return Ok(());
            }
            containers.iter_mut().try_for_each(|container| match container {
                Node::Map(container) => container
                    .get_mut("image")
                    .filter(|image| !image.is_null())
                    .map_or(Ok(()), &mut *set),
                container if container.is_null() => Ok(()),
                container => Err(container.wrong_kind("MappingNode")),
            })
        }),
    }
}

/// The name of an image as an expression: a dot is a dot unless it is repeated, escaped or one of
/// several letters.
fn with_dots(name: &str) -> String {
    let mut expression = String::with_capacity(name.len() + 8);
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let kept = match first {
            '\\' => rest.chars().take(2).map(char::len_utf8).sum(),
            '[' => rest.find(']').map_or(1, |end| end + 1),
            _ => first.len_utf8(),
        };
        let (part, after) = rest.split_at(kept);
        if part == "." && !after.starts_with(['*', '+', '?', '{']) {
            expression.push('\\');
        }
        expression.push_str(part);
        rest = after;
    }
    expression
}

#[cfg(test)]
mod tests {
    use super::{Image, parts, with_dots};

    #[test]
    fn images_are_parted() {
        for (image, want) in [
            ("nginx", ("nginx", "", "")),
            ("host:5000/nginx:1@sha256:ab", ("host:5000/nginx", "1", "sha256:ab")),
            ("nginx@sha256:ab", ("nginx", "", "sha256:ab")),
        ] {
            assert_eq!(parts(image), want);
        }
    }

    #[test]
    fn a_dot_is_a_dot() {
        let pattern =
            |name: &str| Image { name: name.to_owned(), ..Image::default() }.pattern().unwrap();
        assert!(pattern("ghcr.io/a").is_match("ghcr.io/a:1"));
        assert!(!pattern("ghcr.io/a").is_match("ghcr-io/a"));
        assert!(pattern("ghcr.io/.*").is_match("ghcr.io/b"));
        assert_eq!(with_dots(r"a.b\.c[.x].d.*[e."), r"a\.b\.c[.x]\.d.*[e\.");
    }
}
