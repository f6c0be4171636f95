//! YAML as go-yaml v3 reads and writes it, with comments.

use serde_json::Value as Json;
use yaml::{Comments, Content, Document, Indent, Node, PlainKind, Style, resolve_plain};

use super::METADATA;
use crate::tree::{Branch, Branches, Item, Value};

/// How many nodes aliases may copy.
const MAX_NODES: usize = 1_000_000;

pub(super) fn load(text: &str) -> Result<(Branches, Json), String> {
    let first =
        yaml::parse(text).map_err(|error| format!("Error unmarshalling input yaml: {error}"))?;
    let metadata = first.get(METADATA).ok_or("sops metadata not found")?;
    let metadata = metadata.to_json().map_err(|error| error.to_string())?;
    let metadata = serde_json::from_str(&metadata).map_err(|error| error.to_string())?;
    let mut branches = load_plain(text)?;
    for branch in &mut branches {
        branch.retain(|item| !matches!(item, Item::Named(name, _) if name == METADATA));
    }
    Ok((branches, metadata))
}

pub(super) fn load_plain(text: &str) -> Result<Branches, String> {
    let bad = |why: String| format!("Error unmarshaling input YAML: {why}");
    let documents = Document::parse_all(text).map_err(|error| bad(error.to_string()))?;
    documents
        .iter()
        .map(|document| {
            let mut reader = Reader { root: &document.root, left: MAX_NODES };
            reader.document(document).map_err(bad)
        })
        .collect()
}

struct Reader<'d> {
    root: &'d Node,
    /// Nodes that may still be read.
    left: usize,
}

impl<'d> Reader<'d> {
    fn document(&mut self, document: &'d Document) -> Result<Branch, String> {
        let mut branch = comments(&document.head);
        match &document.root.content {
            Content::Mapping { .. } => {
                let Value::Branch(items) = self.value(&document.root, false)? else {
                    return Ok(branch);
                };
                branch.extend(items);
            }
            Content::Scalar { value, style: Style::Plain }
                if resolve_plain(value) == PlainKind::Null => {}
            Content::Sequence { .. } => {
                return Err("YAML documents that are sequences are not supported".to_owned());
            }
            _ => return Err("YAML documents that are values are not supported".to_owned()),
        }
        branch.extend(comments(&document.foot));
        Ok(branch)
    }

    /// The value of a node. Depth is bounded by the parser, and an alias refers to what is above.
    fn value(&mut self, node: &'d Node, comments_handled: bool) -> Result<Value, String> {
        self.left = self.left.checked_sub(1).ok_or("aliases copy too much")?;
        match &node.content {
            Content::Scalar { value, style } => scalar(node, value, *style),
            Content::Alias(name) => {
                let target =
                    anchored(self.root, name).ok_or_else(|| format!("unknown anchor '{name}'"))?;
                if contains(target, node) {
                    return Err(format!("anchor '{name}' value contains itself"));
                }
                self.value(target, false)
            }
            Content::Sequence { items, .. } => self.list(node, items, comments_handled),
            Content::Mapping { pairs, .. } => self.branch(node, pairs, comments_handled),
        }
    }

    fn list(&mut self, node: &'d Node, items: &'d [Node], handled: bool) -> Result<Value, String> {
        let remark = |text: &str| lines(text).map(Value::Comment).collect::<Vec<_>>();
        let mut list = Vec::new();
        if !handled {
            list.extend(remark(&node.comments.head));
            list.extend(remark(&node.comments.line));
        }
        for item in items {
            list.extend(remark(&item.comments.head));
            list.extend(remark(&item.comments.line));
            list.push(self.value(item, true)?);
            list.extend(remark(&item.comments.foot));
        }
        if !handled {
            list.extend(remark(&node.comments.foot));
        }
        Ok(Value::List(list))
    }

    fn branch(
        &mut self,
        node: &'d Node,
        pairs: &'d [(Node, Node)],
        handled: bool,
    ) -> Result<Value, String> {
        let mut branch = Branch::new();
        if !handled {
            branch.extend(comments(&node.comments.head));
            branch.extend(comments(&node.comments.line));
        }
        for (key, value) in pairs {
            branch.extend(comments(&key.comments.head));
            branch.extend(comments(&key.comments.line));
            let leaf = matches!(value.content, Content::Scalar { .. } | Content::Alias(_));
            if leaf {
                branch.extend(comments(&value.comments.head));
                branch.extend(comments(&value.comments.line));
            }
            branch.push(Item::Named(name(key)?, self.value(value, leaf)?));
            if leaf {
                branch.extend(comments(&value.comments.foot));
            }
            branch.extend(comments(&key.comments.foot));
        }
        if !handled {
            branch.extend(comments(&node.comments.foot));
        }
        Ok(Value::Branch(branch))
    }
}

fn lines(text: &str) -> impl Iterator<Item = String> {
    text.split('\n')
        .filter(|line| !line.is_empty())
        .map(|line| line.strip_prefix('#').unwrap_or(line).to_owned())
}

fn comments(text: &str) -> Branch {
    lines(text).map(Item::Comment).collect()
}

fn name(key: &Node) -> Result<String, String> {
    match (&key.content, key) {
        (Content::Scalar { value, style }, key) => match scalar(key, value, *style)? {
            Value::Text(_) => Ok(value.clone()),
            _ => Err(format!(
                "Tree contains a non-string key: line {}. Only string keys are supported",
                key.line
            )),
        },
        (_, key) => Err(format!("line {}: only strings can be keys", key.line)),
    }
}

/// The last node with an anchor. Aliases refer to what stands before them.
fn anchored<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    let inner = match &node.content {
        Content::Sequence { items, .. } => items.iter().find_map(|item| anchored(item, name)),
        Content::Mapping { pairs, .. } => pairs
            .iter()
            .find_map(|(key, value)| anchored(key, name).or_else(|| anchored(value, name))),
        Content::Scalar { .. } | Content::Alias(_) => None,
    };
    if node.anchor.as_deref() == Some(name) { Some(node) } else { inner }
}

fn contains(node: &Node, other: &Node) -> bool {
    let inside = other.span.start >= node.span.start && other.span.end <= node.span.end;
    inside && !std::ptr::eq(node, other)
}

fn scalar(node: &Node, text: &str, style: Style) -> Result<Value, String> {
    if node.tag.is_some() {
        return Ok(of_value(&node.value().map_err(|error| error.to_string())?));
    }
    if style != Style::Plain {
        return Ok(Value::text(text));
    }
    Ok(match resolve_plain(text) {
        PlainKind::Null => Value::Null,
        // Version 3 knows fewer words for true and false.
        PlainKind::Bool if text.eq_ignore_ascii_case("true") => Value::Bool(true),
        PlainKind::Bool if text.eq_ignore_ascii_case("false") => Value::Bool(false),
        PlainKind::Int | PlainKind::Float => {
            of_value(&yaml::parse(text).map_err(|error| error.to_string())?)
        }
        PlainKind::Timestamp => Value::Time(moment(text)),
        PlainKind::Bool | PlainKind::Merge | PlainKind::Str => Value::text(text),
    })
}

#[expect(clippy::cast_precision_loss, reason = "as in the original, large numbers are rounded")]
fn of_value(value: &yaml::Value) -> Value {
    match value {
        yaml::Value::Bool(bool) => Value::Bool(*bool),
        yaml::Value::Int(whole) => Value::Int(*whole),
        yaml::Value::Uint(whole) => Value::Float(*whole as f64),
        yaml::Value::Float(float) => Value::Float(*float),
        yaml::Value::String(text) => Value::text(text.as_str()),
        yaml::Value::Null | yaml::Value::Sequence(_) | yaml::Value::Mapping(_) => Value::Null,
    }
}

/// A moment of YAML in the form of RFC 3339: `2001-1-2 3:04:05.50` is `2001-01-02T03:04:05.5Z`.
fn moment(text: &str) -> String {
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], text[at + 1..].trim()),
        None => (text, ""),
    };
    let padded = |part: &str, width: usize| format!("{part:0>width$}");
    let date: Vec<String> = date.split('-').map(|part| padded(part, 2)).collect();
    let zone_at = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(zone_at);
    let zone = if zone.is_empty() { "Z" } else { zone };
    let (clock, fraction) = clock.trim().split_once('.').unwrap_or((clock.trim(), ""));
    let mut clock: Vec<String> =
        clock.split(':').filter(|part| !part.is_empty()).map(|part| padded(part, 2)).collect();
    clock.resize(3, "00".to_owned());
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{}T{}{point}{fraction}{zone}", date.join("-"), clock.join(":"))
}

pub(super) fn emit(branches: &Branches) -> String {
    let documents: Vec<Document> = branches
        .iter()
        .map(|branch| Document { head: String::new(), root: mapping(branch), foot: String::new() })
        .collect();
    Document::print_all(&documents, Indent::Wide)
}

/// Comments, given to the next node; those after the last one are below it.
fn joined(waiting: &mut Vec<String>) -> String {
    let lines: Vec<String> = waiting.drain(..).map(|line| format!("#{line}")).collect();
    lines.join("\n")
}

fn mapping(branch: &[Item]) -> Node {
    let mut waiting = Vec::new();
    let mut pairs: Vec<(Node, Node)> = Vec::new();
    for item in branch {
        match item {
            Item::Comment(text) => waiting.push(text.clone()),
            Item::Named(name, value) => {
                let mut key = text_node(name);
                key.comments.head = joined(&mut waiting);
                pairs.push((key, node(value)));
            }
        }
    }
    let left = joined(&mut waiting);
    let mut head = String::new();
    match pairs.last_mut() {
        Some((key, _)) => key.comments.foot = left,
        None => head = left,
    }
    let mut node = Node::from(Content::Mapping { pairs, flow: false });
    node.comments = Comments { head, ..Comments::default() };
    node
}

fn sequence(list: &[Value]) -> Node {
    let mut waiting = Vec::new();
    let mut items: Vec<Node> = Vec::new();
    for value in list {
        if let Value::Comment(text) = value {
            waiting.push(text.clone());
        } else {
            let mut item = node(value);
            item.comments.head = joined(&mut waiting);
            items.push(item);
        }
    }
    if let Some(last) = items.last_mut() {
        last.comments.foot = joined(&mut waiting);
    }
    Content::Sequence { items, flow: false }.into()
}

fn text_node(text: &str) -> Node {
    if text.contains('\n') {
        return Content::Scalar { value: text.to_owned(), style: Style::Literal }.into();
    }
    // What either version reads as something else is quoted.
    match resolve_plain(text) {
        PlainKind::Str => Node::text(text),
        _ => Content::Scalar { value: text.to_owned(), style: Style::DoubleQuoted }.into(),
    }
}

fn node(value: &Value) -> Node {
    match value {
        Value::Null | Value::Comment(_) => Node::scalar("null"),
        Value::Bool(bool) => Node::scalar(if *bool { "true" } else { "false" }),
        Value::Int(whole) => Node::scalar(&whole.to_string()),
        Value::Float(float) => Node::scalar(&float_text(*float)),
        Value::Time(text) => Node::scalar(text),
        Value::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => text_node(text),
            Err(_) => binary(text),
        },
        Value::List(list) => sequence(list),
        Value::Branch(branch) => mapping(branch),
    }
}

fn float_text(float: f64) -> String {
    if float.is_nan() {
        ".nan".to_owned()
    } else if float.is_infinite() {
        if float > 0.0 { ".inf" } else { "-.inf" }.to_owned()
    } else if float.abs() >= 1e21 {
        format!("{float:e}")
    } else {
        float.to_string()
    }
}

fn binary(bytes: &[u8]) -> Node {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    let mut node = Node::scalar(&text);
    node.tag = Some("tag:yaml.org,2002:binary".to_owned());
    node
}
