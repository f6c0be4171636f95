//! The Kubernetes objects in a text and the scalar values in each of them.

use yaml::{Content, Document, Node, PlainKind, Style};

/// What identifies an object; any part may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`.
    pub namespace: String,
}

/// An object, or a list without its items.
#[derive(Debug)]
pub(crate) struct Object<'d> {
    pub(crate) id: ObjectId,
    /// The nodes whose scalars belong to it.
    parts: Vec<&'d Node>,
}

impl ObjectId {
    fn of(root: &Node) -> Self {
        let text = |node: Option<&Node>| {
            let text = node.filter(|node| !is_null(node)).and_then(Node::as_str);
            text.unwrap_or_default().to_owned()
        };
        let metadata = root.get("metadata");
        Self {
            api_version: text(root.get("apiVersion")),
            kind: text(root.get("kind")),
            name: text(metadata.and_then(|it| it.get("name"))),
            namespace: text(metadata.and_then(|it| it.get("namespace"))),
        }
    }
}

impl<'d> Object<'d> {
    /// The objects of a document, none if it is empty; with `unwrap` the items of a list are
    /// objects of their own.
    ///
    /// The error tells why kyaml would refuse the whole file.
    pub(crate) fn all(document: &'d Document, unwrap: bool) -> Result<Vec<Self>, String> {
        let root = &document.root;
        if is_null(root) {
            return Ok(Vec::new());
        }
        if !is_mapping(root) {
            return Err(format!("line {}: the document is not a mapping", root.line));
        }
        let metadata = root.get("metadata");
        if let Some(bad) = metadata.filter(|it| !is_null(it) && !is_mapping(it) && !is_alias(it)) {
            return Err(format!("line {}: metadata is not a mapping", bad.line));
        }
        let id = ObjectId::of(root);
        let is_list = matches!(id.kind.as_str(), "List" | "ResourceList");
        let items = root.get("items").filter(|_| unwrap && is_list);
        let Some(items) = items else { return Ok(vec![Self { id, parts: vec![root] }]) };
        let others = root.pairs().iter().filter(|(key, _)| key.as_str() != Some("items"));
        let list = Self { id, parts: others.map(|(_, value)| value).collect() };
        let items = items.items().iter().map(|it| Self { id: ObjectId::of(it), parts: vec![it] });
        Ok(std::iter::once(list).chain(items).collect())
    }

    /// Every scalar value (keys are none), in the order of the text.
    pub(crate) fn scalars(&self) -> impl Iterator<Item = &'d Node> {
        let mut open: Vec<&Node> = self.parts.iter().rev().copied().collect();
        std::iter::from_fn(move || {
            loop {
                let node = open.pop()?;
                match &node.content {
                    Content::Scalar { .. } => return Some(node),
                    Content::Sequence { items, .. } => open.extend(items.iter().rev()),
                    Content::Mapping { pairs, .. } => {
                        open.extend(pairs.iter().rev().map(|(_, value)| value));
                    }
                    Content::Alias(_) => {}
                }
            }
        })
    }
}

fn is_mapping(node: &Node) -> bool {
    matches!(node.content, Content::Mapping { .. })
}

fn is_alias(node: &Node) -> bool {
    matches!(node.content, Content::Alias(_))
}

fn is_null(node: &Node) -> bool {
    match &node.content {
        Content::Scalar { value, style: Style::Plain } => {
            yaml::resolve_plain(value) == PlainKind::Null
        }
        _ => false,
    }
}
