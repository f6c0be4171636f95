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
    parts: Vec<(Step<'d>, &'d Node)>,
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
        let Some(items) = items else {
            return Ok(vec![Self { id, parts: vec![(Step::Root, root)] }]);
        };
        let others = root.pairs().iter().filter(|(key, _)| key.as_str() != Some("items"));
        let key = |key: &'d Node| Step::Key(key.as_str().unwrap_or_default());
        let list = Self { id, parts: others.map(|(name, value)| (key(name), value)).collect() };
        let items = items
            .items()
            .iter()
            .map(|it| Self { id: ObjectId::of(it), parts: vec![(Step::Root, it)] });
        Ok(std::iter::once(list).chain(items).collect())
    }

    /// Its root, unless it is a list without its items.
    pub(crate) fn root(&self) -> Option<&'d Node> {
        match self.parts[..] {
            [(Step::Root, root)] => Some(root),
            _ => None,
        }
    }

    /// Every node that is a value (keys are none), in the order of the text.
    pub(crate) fn walk(&self) -> Walk<'d> {
        let mut walk = Walk { nodes: Vec::new() };
        let mut open: Vec<(Option<usize>, Step<'d>, &'d Node)> =
            self.parts.iter().rev().map(|(step, node)| (None, *step, *node)).collect();
        while let Some((parent, step, node)) = open.pop() {
            let index = walk.nodes.len();
            walk.nodes.push(Visit { parent, step, node });
            match &node.content {
                Content::Sequence { items, .. } => open.extend(
                    items.iter().enumerate().rev().map(|(n, it)| (Some(index), Step::Item(n), it)),
                ),
                Content::Mapping { pairs, .. } => {
                    open.extend(pairs.iter().rev().map(|(key, it)| {
                        (Some(index), Step::Key(key.as_str().unwrap_or_default()), it)
                    }));
                }
                Content::Scalar { .. } | Content::Alias(_) => {}
            }
        }
        walk
    }
}

/// How a node is found in the one that holds it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<'d> {
    Root,
    Key(&'d str),
    Item(usize),
}

/// The nodes of an object.
pub(crate) struct Walk<'d> {
    nodes: Vec<Visit<'d>>,
}

struct Visit<'d> {
    parent: Option<usize>,
    step: Step<'d>,
    node: &'d Node,
}

impl<'d> Walk<'d> {
    /// The scalars with their numbers.
    pub(crate) fn scalars(&self) -> impl Iterator<Item = (usize, &'d Node)> {
        let nodes = self.nodes.iter().map(|it| it.node).enumerate();
        nodes.filter(|(_, node)| matches!(node.content, Content::Scalar { .. }))
    }

    /// The way to a node: `spec.containers[0].image`; dots in keys are escaped by `\\`.
    pub(crate) fn path(&self, index: usize) -> String {
        let mut steps = Vec::new();
        let mut next = Some(index);
        while let Some(visit) = next.and_then(|it| self.nodes.get(it)) {
            steps.push(visit.step);
            next = visit.parent;
        }
        let mut path = String::new();
        for step in steps.into_iter().rev() {
            match step {
                Step::Root => {}
                Step::Item(n) => path.extend(["[", &n.to_string(), "]"]),
                Step::Key(key) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(&key.replace('.', "\\."));
                }
            }
        }
        path
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
