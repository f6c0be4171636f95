//! Fields by kind and path: what transformers work on.

use crate::Error;
use crate::gvk::{Gvk, split_api_version};
use crate::node::{Map, Node, Scalar, Tag, split};

/// A field of some kinds. `create`: it is made where it is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldSpec {
    pub(crate) gvk: Gvk,
    pub(crate) path: String,
    pub(crate) create: bool,
    parts: Vec<String>,
}

/// What is made where a field is missing.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Create {
    Nothing,
    Scalar(Tag),
    Map,
}

type Set<'s> = &'s mut dyn FnMut(&mut Node) -> Result<(), Error>;

impl FieldSpec {
    pub(crate) fn new(gvk: Gvk, path: &str, create: bool) -> Self {
        Self { gvk, path: path.to_owned(), create, parts: split(path, '/') }
    }

    /// Whether a spec that is there makes `new` needless.
    pub(crate) fn covers(&self, new: &Self) -> bool {
        self.path == new.path && self.gvk.is_selected(&new.gvk)
    }

    fn is_for(&self, node: &Node) -> bool {
        let text = |key| node.get(key).map_or("", Node::value);
        let (group, version) = split_api_version(text("apiVersion"));
        let fits = |want: &str, have: &str| want.is_empty() || want == have;
        fits(&self.gvk.kind, text("kind"))
            && fits(&self.gvk.group, group)
            && fits(&self.gvk.version, version)
    }

    /// Calls `set` with the fields of a resource that this stands for.
    pub(crate) fn apply(&self, node: &mut Node, create: Create, set: Set<'_>) -> Result<(), Error> {
        if !self.is_for(node) {
            return Ok(());
        }
        let create = if self.create { create } else { Create::Nothing };
        self.walk(node, create, set)
    }

    /// As [`Self::apply`] for a resource that is known to be of the kind; makes nothing.
    pub(crate) fn visit(&self, node: &mut Node, set: Set<'_>) -> Result<(), Error> {
        self.walk(node, Create::Nothing, set)
    }

    fn walk(&self, node: &mut Node, create: Create, set: Set<'_>) -> Result<(), Error> {
        walk(node, &self.parts, create, set).map_err(|error| {
            error.within(format!("considering field '{}' of object {}", self.path, id_text(node)))
        })
    }
}

fn id_text(node: &Node) -> crate::gvk::Id {
    let text = |node: Option<&Node>| node.map_or("", Node::value).to_owned();
    let meta = node.get("metadata");
    crate::gvk::Id {
        gvk: Gvk::new(&text(node.get("apiVersion")), &text(node.get("kind"))),
        name: text(meta.and_then(|meta| meta.get("name"))),
        namespace: text(meta.and_then(|meta| meta.get("namespace"))),
        cluster: false,
    }
}

fn walk(node: &mut Node, path: &[String], create: Create, set: Set<'_>) -> Result<(), Error> {
    let Some((part, rest)) = path.split_first() else { return set(node) };
    if node.is_null() {
        return Ok(());
    }
    match node {
        Node::List(items) => {
            items.iter_mut().try_for_each(|item| walk(item, path, create, &mut *set))
        }
        Node::Map(map) => match field(map, part, rest.is_empty(), create)? {
            Some(field) => walk(field, rest, create, set),
            None => Ok(()),
        },
        Node::Scalar(_) => Err(Error::Field("expected sequence or mapping node".to_owned())),
    }
}

fn field<'m>(
    map: &'m mut Map,
    part: &str,
    last: bool,
    create: Create,
) -> Result<Option<&'m mut Node>, Error> {
    let (name, is_list) = part.strip_suffix("[]").map_or((part, false), |name| (name, true));
    if name.is_empty() {
        return Err(Error::Field("cannot set or create an empty field name".to_owned()));
    }
    let made = match create {
        _ if is_list => None,
        Create::Nothing => None,
        Create::Scalar(tag) if last => Some(Node::Scalar(Scalar::tagged("", tag))),
        Create::Scalar(_) | Create::Map => Some(Node::Map(Map::default())),
    };
    match (map.get(name), made) {
        (None, Some(made)) => map.pairs.push((Scalar::key(name), made)),
        (Some(old), Some(made)) if old.is_null() => map.insert(name, made),
        (Some(old), None) if old.is_null() && is_list => map.insert(name, Node::List(Vec::new())),
        _ => {}
    }
    Ok(map.get_mut(name))
}
