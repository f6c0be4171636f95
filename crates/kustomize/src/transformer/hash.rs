//! The hash of its content at the end of the name of a generated ConfigMap or Secret.

use sha2::{Digest as _, Sha256};
use yaml::{Mapping, Value};

use super::Transformer;
use crate::Error;
use crate::node::Node;
use crate::resources::Resources;
use crate::schema::Schema;

/// Appends hashes where they are asked for.
pub(crate) struct Hash;

impl Transformer for Hash {
    fn transform(&self, resources: &mut Resources, _: &Schema) -> Result<(), Error> {
        for resource in resources.list_mut().iter_mut().filter(|resource| resource.needs_hash) {
            let name = format!("{}-{}", resource.name(), hash(&resource.node)?);
            resource.store_previous_id();
            resource.set_name(&name);
        }
        Ok(())
    }
}

/// Ten letters and digits that stand for the content of a resource.
pub(crate) fn hash(node: &Node) -> Result<String, Error> {
    let text = match node.get("kind").map_or("", Node::value) {
        kind @ "ConfigMap" => content(node, kind, &["data"], "binaryData")?,
        kind @ "Secret" => content(node, kind, &["type", "data"], "stringData")?,
        _ => node.to_value()?.to_json()?,
    };
    let digest = Sha256::digest(text.as_bytes());
    let digits = digest.iter().take(5).flat_map(|byte| [byte >> 4, byte & 15]);
    // Names that look like words are avoided.
    let letter = |digit: u8| match digit {
        0 => 'g',
        1 => 'h',
        3 => 'k',
        10 => 'm',
        14 => 't',
        digit => char::from_digit(u32::from(digit), 16).unwrap_or('0'),
    };
    Ok(digits.map(letter).collect())
}

fn content(node: &Node, kind: &str, fields: &[&str], optional: &str) -> Result<String, Error> {
    let mut map = Mapping::new();
    map.insert("kind".to_owned(), Value::from(kind));
    // kustomize looks for a field with the name "metadata/name", and there is none.
    map.insert("name".to_owned(), Value::from(""));
    for field in fields {
        map.insert((*field).to_owned(), value(node.get(field))?);
    }
    if let found @ Value::Mapping(_) = value(node.get(optional))? {
        map.insert(optional.to_owned(), found);
    }
    Ok(Value::Mapping(map).to_json()?)
}

fn value(node: Option<&Node>) -> Result<Value, Error> {
    match node {
        None => Ok(Value::from("")),
        Some(Node::Scalar(scalar)) => Ok(Value::from(scalar.value.as_str())),
        Some(node) => node.to_value(),
    }
}

#[cfg(test)]
mod tests {
    use super::hash;
    use crate::Budget;
    use crate::node::Reader;

    #[test]
    fn hashes_are_kustomizes() {
        for (text, want) in [
            ("{kind: ConfigMap, data: {k: v}}", "bdg947hgcc"),
            ("{kind: Secret, type: Opaque, data: {k: dg==}}", "ftgtgc4t9f"),
            ("{kind: ConfigMap}", "6ct58987ht"),
            (
                "{kind: ConfigMap, metadata: {name: foo}, data: {one: ''}, binaryData: {two: ''}}",
                "698h7c7t9m",
            ),
        ] {
            let tree = yaml::read(text).unwrap().unwrap();
            let node = Reader::new(&Budget::default()).node(&tree).unwrap();
            assert_eq!(hash(&node).unwrap(), want, "{text}");
        }
    }
}
