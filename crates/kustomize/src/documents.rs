//! Texts to resources.

use yaml::Value;

use crate::node::{Node, Reader};
use crate::resource::Resource;
use crate::schema::Schema;
use crate::{Budget, Error};

/// What kustomize says of a text that is no YAML; it decides by these words what to try next.
const MALFORMED: &str = "MalformedYAMLError";

/// The resources in a text. Lists are taken apart, empty documents left out.
pub(crate) fn resources(
    text: &str,
    budget: &Budget,
    schema: &Schema,
) -> Result<Vec<Resource>, Error> {
    let nodes = unfold_lists(checked(nodes(text, budget)?)?, budget)?;
    Ok(nodes.into_iter().map(|node| Resource::new(node, schema)).collect())
}

/// Whether a text holds resources and nothing else.
///
/// # Errors
/// What it holds that is none, or why it cannot be read, in kustomize's words.
pub fn check_manifests(text: &[u8]) -> Result<(), Error> {
    let text = std::str::from_utf8(text)
        .map_err(|_| Error::Syntax(format!("{MALFORMED}: yaml: invalid UTF-8")))?;
    resources(text, &Budget::default(), &Schema::default()).map(drop)
}

/// As [`resources`], from a file that errors are to name.
pub(crate) fn resources_of_file(
    text: &str,
    file: &str,
    budget: &Budget,
    schema: &Schema,
) -> Result<Vec<Resource>, Error> {
    resources(text, budget, schema).map_err(|error| match error {
        Error::Syntax(why) if why.starts_with(MALFORMED) => {
            Error::Syntax(format!("{why} in File: {file}"))
        }
        error => error,
    })
}

/// Whether an error is about a text that is no YAML, whatever was being done.
pub(crate) fn is_malformed(error: &Error) -> bool {
    matches!(error.root(), Error::Syntax(why) if why.starts_with(MALFORMED))
}

fn nodes(text: &str, budget: &Budget) -> Result<Vec<Node>, Error> {
    let text = text.replace("\r\n", "\n");
    let chunks = split(&text)?;
    let single = chunks.len() == 1;
    let mut nodes = Vec::new();
    for chunk in chunks {
        let read =
            yaml::read(chunk).map_err(|error| Error::Syntax(format!("{MALFORMED}: {error}")))?;
        let Some(tree) = read else { continue };
        let node = Reader::new(budget).node(&tree)?;
        if node.is_null() {
            continue;
        }
        match unwrapped(node, single) {
            Ok(items) => nodes.extend(items),
            Err(node) => nodes.push(node),
        }
    }
    Ok(nodes)
}

/// Cuts a text at lines that start with `---`.
fn split(text: &str) -> Result<Vec<&str>, Error> {
    let mut chunks = Vec::new();
    let mut start = 0;
    let mut from = 0;
    while let Some(at) = text[from..].find("\n---").map(|at| from + at) {
        let Some(end) = text[at + 4..].find('\n').map(|end| at + 4 + end + 1) else { break };
        let after = text[at + 4..end].trim();
        if !after.is_empty() && !after.starts_with('#') {
            return Err(Error::Syntax(format!(
                "invalid document separator: {}",
                text[at..end].trim()
            )));
        }
        chunks.push(&text[start..=at]);
        start = end;
        from = end;
    }
    chunks.push(&text[start..]);
    Ok(chunks)
}

/// The items of a list that is the only document of its text.
fn unwrapped(node: Node, single: bool) -> Result<Vec<Node>, Node> {
    let kind = node.get("kind").map_or("", Node::value);
    let wraps = single
        && matches!(kind, "List" | "ResourceList")
        && (node.get("items").is_some() || node.get("functionConfig").is_some());
    let Node::Map(mut map) = node else { return Err(node) };
    if !wraps {
        return Err(Node::Map(map));
    }
    match map.remove("items") {
        Some(Node::List(items)) => Ok(items),
        _ => Ok(Vec::new()),
    }
}

/// Without empty ones; every other has to be a resource.
fn checked(nodes: Vec<Node>) -> Result<Vec<Node>, Error> {
    let nodes = nodes.into_iter().filter(|node| !node.is_empty());
    nodes.map(|node| check(&node).map(|()| node)).collect()
}

/// kyaml's least demands: a kind, and a name unless it is a list.
pub(crate) fn check(node: &Node) -> Result<(), Error> {
    let text = |node: Option<&Node>| {
        node.filter(|node| !node.is_null()).map_or("", Node::value).to_owned()
    };
    let meta = node.get("metadata");
    let (api_version, kind) = (text(node.get("apiVersion")), text(node.get("kind")));
    let described = meta.is_some_and(|meta| !meta.is_empty());
    if api_version.is_empty() && kind.is_empty() && !described {
        return Err(Error::Syntax("missing Resource metadata".to_owned()));
    }
    let name = text(meta.and_then(|meta| meta.get("name")));
    let what = if kind.is_empty() {
        "kind"
    } else if kind.ends_with("List") || !name.is_empty() {
        return Ok(());
    } else {
        "metadata.name"
    };
    let namespace = text(meta.and_then(|meta| meta.get("namespace")));
    let (labels, annotations) = (go_map(meta, "labels"), go_map(meta, "annotations"));
    Err(Error::Syntax(format!(
        "missing {what} in object {{{{{api_version} {kind}}} {{{{{name} {namespace}}} {labels} {annotations}}}}}"
    )))
}

/// A map of texts as Go prints it.
fn go_map(meta: Option<&Node>, field: &str) -> String {
    let pairs = meta.and_then(|meta| meta.get(field)?.as_map()).map(|map| &map.pairs);
    let mut pairs: Vec<String> = pairs
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{}:{}", key.value, value.value()))
        .collect();
    pairs.sort();
    format!("map[{}]", pairs.join(" "))
}

/// Takes lists of resources apart; their items come after all others.
fn unfold_lists(nodes: Vec<Node>, budget: &Budget) -> Result<Vec<Node>, Error> {
    let mut queue = std::collections::VecDeque::from(nodes);
    let mut result = Vec::with_capacity(queue.len());
    while let Some(node) = queue.pop_front() {
        budget.step()?;
        let kind = node.get("kind").map_or("", Node::value);
        if !kind.ends_with("List") || node.get("items").is_none() {
            result.push(node);
            continue;
        }
        match node.get("items").map(Node::to_value).transpose()? {
            Some(Value::Sequence(items)) => {
                let items = items.into_iter().map(Node::from_value).collect();
                queue.extend(checked(items)?);
            }
            None | Some(Value::Null) => {}
            Some(other) => {
                return Err(Error::Syntax(format!(
                    "expected array in {kind}/items, but found {}",
                    go_type(&other)
                )));
            }
        }
    }
    Ok(result)
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Int(_) | Value::Uint(_) => "int",
        Value::Float(_) => "float64",
        Value::String(_) => "string",
        Value::Sequence(_) => "[]interface {}",
        Value::Mapping(_) => "map[string]interface {}",
    }
}

#[cfg(test)]
mod tests {
    use super::{Resource, resources, split};
    use crate::Budget;
    use crate::schema::Schema;

    #[test]
    fn documents_are_parted() {
        assert_eq!(split("a\n---\nb").unwrap(), ["a\n", "b"]);
        assert_eq!(split("---\na\n--- # c\n---\nb\n").unwrap(), ["---\na\n", "---\nb\n"]);
        assert!(split("a\n--- b\n").is_err());
    }

    #[test]
    fn lists_are_taken_apart() {
        let text = "kind: PodList\napiVersion: v1\nitems:\n- {kind: Pod, metadata: {name: a}}\n---\nkind: Pod\nmetadata: {name: b}\n";
        let read = resources(text, &Budget::default(), &Schema::default()).unwrap();
        assert_eq!(read.iter().map(Resource::name).collect::<Vec<_>>(), ["b", "a"]);
        for wrong in ["a: b\n", "kind: Pod\nmetadata: {}\n", "- a\n", "metadata: {name: a}\n"] {
            assert!(resources(wrong, &Budget::default(), &Schema::default()).is_err(), "{wrong}");
        }
    }
}
