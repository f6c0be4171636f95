//! YAML files, merged as Helm merges values: mappings deeply, everything else by the later one.

use yaml::{Mapping, Value};

/// The file at the target with the other one merged over it. Documents of one file become one
/// mapping; names come out sorted, comments are lost.
pub(super) fn merge(base: &[u8], over: &[u8]) -> Result<Vec<u8>, String> {
    let (mut merged, over) = (load(base)?, load(over)?);
    put(&mut merged, over);
    let text = Value::Mapping(merged).to_yaml();
    text.map(String::into_bytes).map_err(|why| format!("failed to merged YAML: {why}"))
}

fn load(text: &[u8]) -> Result<Mapping, String> {
    let wrong = |why: &dyn std::fmt::Display| format!("cannot unmarshal YAML document: {why}");
    let text = yaml::text(text).map_err(|why| wrong(&why))?;
    let mut whole = Mapping::new();
    for document in yaml::parse_all(&text).map_err(|why| wrong(&why))? {
        match document {
            Value::Null => {}
            Value::Mapping(mapping) => put(&mut whole, mapping),
            _ => return Err(wrong(&"it is not a mapping")),
        }
    }
    Ok(whole)
}

/// Depth is bounded by what the reader takes.
fn put(base: &mut Mapping, over: Mapping) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Mapping(below)), Value::Mapping(value)) => put(below, value),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_merge_and_the_rest_is_replaced() {
        let base = "b: {x: 1, list: [1, 2]}\na: 1 # why\n";
        let over = "b:\n  list: [3]\n  w: null\n---\n# nothing\n---\na: {z: yes}\n";
        let merged = merge(base.as_bytes(), over.as_bytes()).unwrap();
        let wanted = "a:\n  z: true\nb:\n  list:\n  - 3\n  w: null\n  x: 1\n";
        assert_eq!(String::from_utf8(merged).unwrap(), wanted);
        assert_eq!(merge(b"", b"").unwrap(), b"{}\n");
        assert!(merge(b"- a\n", b"").unwrap_err().starts_with("cannot unmarshal YAML document"));
        merge(b"a: 1\n", b"a: b: c\n").unwrap_err();
    }
}
