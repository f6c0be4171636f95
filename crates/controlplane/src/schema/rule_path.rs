//! The `fieldPath` of a CEL rule: a JSON path of field and map accesses.

use super::node::{Additional, Node};

/// The path as it continues a field path (`spec.x`, `labels[a/b]`), or `None` if it leads nowhere.
pub(crate) fn normalised(path: &str, node: &Node) -> Option<String> {
    let mut out = String::new();
    let mut node = node;
    let mut rest = path;
    while !rest.is_empty() {
        let (name, after) = match rest.strip_prefix('.') {
            Some(after) => {
                let end = after.find(['.', '[', ']']).unwrap_or(after.len());
                (after[..end].to_owned(), &after[end..])
            }
            None => quoted(rest.strip_prefix('[')?)?,
        };
        if node.properties.is_empty() {
            let Some(Additional::Of(of)) = &node.additional else { return None };
            out.extend(["[", name.as_str(), "]"]);
            node = of;
        } else {
            node = node.properties.get(&name)?;
            if !out.is_empty() {
                out.push('.');
            }
            out.push_str(&name);
        }
        rest = after;
    }
    (!out.is_empty()).then_some(out)
}

/// Reads `'name']` and answers the name and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let inner = text.strip_prefix('\'')?;
    let mut name = String::new();
    let mut chars = inner.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' => return Some((name, inner[at + 1..].strip_prefix(']')?)),
            '\\' => name.push(unescaped(chars.next()?.1)?),
            c => name.push(c),
        }
    }
    None
}

fn unescaped(c: char) -> Option<char> {
    Some(match c {
        'a' => '\u{07}',
        'b' => '\u{08}',
        'f' => '\u{0c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{0b}',
        '\'' | '\\' => c,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_follow_the_schema() {
        let node = Node::parse(&json!({"properties": {
            "a": {"properties": {"b.c": {}}},
            "m": {"additionalProperties": {"properties": {"x": {}}}},
        }}));
        assert_eq!(normalised(".a['b.c']", &node).unwrap(), "a.b.c");
        assert_eq!(normalised(".m['k/1'].x", &node).unwrap(), "m[k/1].x");
        assert_eq!(normalised("['a']", &node).unwrap(), "a");
        for bad in ["a", ".z", ".a[0]", ".a['b.c'", ".a['\\q']", ""] {
            assert_eq!(normalised(bad, &node), None, "{bad}");
        }
    }
}
