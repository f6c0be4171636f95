//! Names that follow from what they are for, in the form of Kubernetes.

use serde_json::Value;

/// The letters of generated names: no vowels, so that no words come out.
const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// FNV-1a, as Kubernetes hashes templates with.
fn hash(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// The hash of a template, as it stands in names and labels. Depends on content, not on the order of
/// members.
pub(super) fn template_hash(template: &Value, collisions: i64) -> String {
    let mut text = sorted(template).to_string();
    if collisions > 0 {
        text.push_str(&collisions.to_string());
    }
    letters(&hash(text.as_bytes()).to_string())
}

/// The ending of the name of a thing made for `owner`, told apart by `position`.
pub(super) fn suffix(owner: &str, position: &str) -> String {
    let mut rest = hash(format!("{owner}/{position}").as_bytes());
    let mut name = String::new();
    for _ in 0..5 {
        name.push(char::from(LETTERS[rest as usize % LETTERS.len()]));
        rest /= 27;
    }
    name
}

/// An address in 10.244.0.0/16 that follows from a name.
pub(super) fn address(name: &str) -> String {
    let hash = hash(name.as_bytes());
    format!("10.244.{}.{}", hash >> 8 & 0xff, (hash & 0xff) % 254 + 1)
}

fn letters(text: &str) -> String {
    text.bytes().map(|byte| char::from(LETTERS[byte as usize % LETTERS.len()])).collect()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut keys: Vec<_> = members.iter().filter(|(_, value)| !value.is_null()).collect();
            keys.sort_by_key(|(key, _)| *key);
            keys.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn hashes_follow_content() {
        let one = template_hash(&json!({"a": 1, "b": {"c": [1, 2]}}), 0);
        assert_eq!(one, template_hash(&json!({"b": {"c": [1, 2]}, "a": 1}), 0));
        assert_ne!(one, template_hash(&json!({"b": {"c": [2, 1]}, "a": 1}), 0));
        assert_ne!(one, template_hash(&json!({"a": 1, "b": {"c": [1, 2]}}), 1));
    }

    #[test]
    fn suffixes_differ() {
        let all: std::collections::BTreeSet<_> =
            (0..1000).map(|i| suffix("web-6d4", &i.to_string())).collect();
        assert_eq!(all.len(), 1000);
    }
}
