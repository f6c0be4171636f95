//! One resource on its way through a build.

use std::collections::BTreeMap;

use crate::gvk::{Gvk, Id, split_api_version};
use crate::node::{Map, Node, Scalar, Style, Tag};
use crate::schema::Schema;
use crate::{Error, merge, origin};

/// A resource with what a build has to remember of it. kustomize keeps that in annotations, which is
/// why the presence of some changes what patches see.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is one of kustomize's annotations")]
pub(crate) struct Resource {
    pub(crate) node: Node,
    /// What it was called before each change, oldest first.
    pub(crate) previous: Vec<Previous>,
    pub(crate) prefixes: Vec<String>,
    pub(crate) suffixes: Vec<String>,
    /// How a generated resource meets one that is there; `None` for what is not generated.
    pub(crate) behavior: Option<Behavior>,
    pub(crate) needs_hash: bool,
    pub(crate) allow_name_change: bool,
    pub(crate) allow_kind_change: bool,
    /// Variables that take their value from it.
    pub(crate) variables: Vec<String>,
    /// The kind is known to be of the cluster.
    pub(crate) cluster: bool,
}

/// What a resource was called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Previous {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) kind: String,
}

/// What happens when a generated resource is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behavior {
    Unspecified,
    Create,
    Replace,
    Merge,
}

impl Behavior {
    pub(crate) fn parse(text: &str) -> Self {
        match text {
            "create" => Self::Create,
            "replace" => Self::Replace,
            "merge" => Self::Merge,
            _ => Self::Unspecified,
        }
    }
}

/// The annotations by which kyaml and kustomize remember things; they are never part of an output.
const BUILD_ANNOTATIONS: [&str; 18] = [
    "internal.config.kubernetes.io/previousKinds",
    "internal.config.kubernetes.io/previousNames",
    "internal.config.kubernetes.io/prefixes",
    "internal.config.kubernetes.io/suffixes",
    "internal.config.kubernetes.io/previousNamespaces",
    "internal.config.kubernetes.io/allowNameChange",
    "internal.config.kubernetes.io/allowKindChange",
    "internal.config.kubernetes.io/refBy",
    "internal.config.kubernetes.io/generatorBehavior",
    "internal.config.kubernetes.io/needsHashSuffix",
    "internal.config.kubernetes.io/path",
    "internal.config.kubernetes.io/index",
    "internal.config.kubernetes.io/seqindent",
    "internal.config.kubernetes.io/id",
    "internal.config.kubernetes.io/annotations-migration-resource-id",
    "config.kubernetes.io/path",
    "config.kubernetes.io/index",
    "config.k8s.io/id",
];

impl Resource {
    pub(crate) fn new(node: Node, schema: &Schema) -> Self {
        let mut resource = Self {
            node,
            previous: Vec::new(),
            prefixes: Vec::new(),
            suffixes: Vec::new(),
            behavior: None,
            needs_hash: false,
            allow_name_change: false,
            allow_kind_change: false,
            variables: Vec::new(),
            cluster: false,
        };
        resource.refresh_scope(schema);
        resource
    }

    /// All but the node, which is not copied.
    pub(crate) fn without_node(&self) -> Self {
        Self {
            node: Node::null(),
            previous: self.previous.clone(),
            prefixes: self.prefixes.clone(),
            suffixes: self.suffixes.clone(),
            variables: Vec::new(),
            ..*self
        }
    }

    /// Has to be called when kind or version may have changed.
    pub(crate) fn refresh_scope(&mut self, schema: &Schema) {
        self.cluster = schema.is_cluster_scoped(self.api_version(), self.kind());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.node.is_empty()
    }

    pub(crate) fn api_version(&self) -> &str {
        self.node.get("apiVersion").map_or("", Node::value)
    }

    pub(crate) fn kind(&self) -> &str {
        self.node.get("kind").map_or("", Node::value)
    }

    pub(crate) fn name(&self) -> &str {
        self.meta_text("name")
    }

    pub(crate) fn namespace(&self) -> &str {
        self.meta_text("namespace")
    }

    fn meta_text(&self, key: &str) -> &str {
        self.meta()
            .and_then(|meta| meta.get(key))
            .filter(|node| !node.is_empty())
            .map_or("", Node::value)
    }

    pub(crate) fn meta(&self) -> Option<&Map> {
        self.node.get("metadata")?.as_map()
    }

    fn meta_mut(&mut self) -> Option<&mut Map> {
        self.node.as_map_mut()?.map_mut("metadata")
    }

    pub(crate) fn gvk(&self) -> Gvk {
        Gvk::new(self.api_version(), self.kind())
    }

    /// What it is called now.
    pub(crate) fn id(&self) -> Id {
        Id {
            gvk: self.gvk(),
            name: self.name().to_owned(),
            namespace: self.namespace().to_owned(),
            cluster: self.cluster,
        }
    }

    /// What it was called at first.
    pub(crate) fn original_id(&self) -> Id {
        self.previous.first().map_or_else(|| self.id(), |previous| self.previous_id(previous))
    }

    pub(crate) fn previous_ids(&self) -> impl Iterator<Item = Id> {
        self.previous.iter().map(|previous| self.previous_id(previous))
    }

    /// What it was called, oldest first, and is called now.
    pub(crate) fn all_ids(&self) -> impl Iterator<Item = Id> {
        self.previous_ids().chain(std::iter::once(self.id()))
    }

    fn previous_id(&self, previous: &Previous) -> Id {
        let (group, version) = split_api_version(self.api_version());
        Id {
            gvk: Gvk {
                group: group.to_owned(),
                version: version.to_owned(),
                kind: previous.kind.clone(),
            },
            name: previous.name.clone(),
            namespace: previous.namespace.clone(),
            cluster: false,
        }
    }

    /// Remembers what it is called now.
    pub(crate) fn store_previous_id(&mut self) {
        let id = self.id();
        self.previous.push(Previous {
            namespace: id.effective_namespace().to_owned(),
            name: id.name,
            kind: id.gvk.kind,
        });
    }

    /// Whether kustomize would have annotated it by now.
    pub(crate) fn is_tracked(&self) -> bool {
        !self.previous.is_empty()
            || !self.prefixes.is_empty()
            || !self.suffixes.is_empty()
            || self.behavior.is_some()
            || self.needs_hash
    }

    pub(crate) fn set_name(&mut self, name: &str) {
        self.set_meta("name", Node::plain(name));
    }

    pub(crate) fn set_namespace(&mut self, namespace: &str) {
        if !namespace.is_empty() {
            self.set_meta("namespace", Node::plain(namespace));
        } else if let Some(meta) = self.node.get_mut("metadata").and_then(Node::as_map_mut) {
            meta.remove("namespace");
        }
    }

    fn set_meta(&mut self, key: &str, value: Node) {
        if let Some(meta) = self.meta_mut() {
            meta.set(key, value);
        }
    }

    pub(crate) fn set_root(&mut self, key: &str, value: &str) {
        if let Some(map) = self.node.as_map_mut() {
            map.set(key, Node::plain(value));
        }
    }

    /// The entries of `metadata.labels` or `.annotations`, each as a text.
    pub(crate) fn texts(&self, field: &str) -> BTreeMap<String, String> {
        let map = self.meta().and_then(|meta| meta.get(field)).and_then(Node::as_map);
        map.map_or_else(BTreeMap::new, |map| {
            let pairs = map.pairs.iter();
            pairs.map(|(key, value)| (key.value.clone(), value.value().to_owned())).collect()
        })
    }

    /// Writes `metadata.labels` or `.annotations` anew; without entries the field goes away.
    pub(crate) fn set_texts(&mut self, field: &str, texts: BTreeMap<String, String>) {
        let Some(meta) = self.meta_mut() else { return };
        meta.remove(field);
        if texts.is_empty() {
            return;
        }
        let pairs = texts.into_iter().map(|(key, value)| {
            (Scalar::key(&key), Node::Scalar(Scalar { value, tag: Tag::Str, style: Style::Plain }))
        });
        let map = Map { pairs: pairs.collect() };
        meta.insert(field, Node::Map(map));
    }

    pub(crate) fn annotation(&self, key: &str) -> Option<&str> {
        Some(self.meta()?.get("annotations")?.get(key)?.value())
    }

    /// Sets or takes away an annotation; all others become texts on the way.
    pub(crate) fn set_annotation(&mut self, key: &str, value: Option<String>) {
        let mut texts = self.texts("annotations");
        match value {
            Some(value) => texts.insert(key.to_owned(), value),
            None => texts.remove(key),
        };
        self.set_texts("annotations", texts);
    }

    /// Takes over identity and metadata of the resource whose place it takes.
    pub(crate) fn take_place_of(&mut self, old: &Self) {
        for field in ["labels", "annotations"] {
            let mut texts = old.texts(field);
            texts.extend(self.texts(field));
            self.set_texts(field, texts);
        }
        self.previous.clone_from(&old.previous);
        self.prefixes.clone_from(&old.prefixes);
        self.suffixes.clone_from(&old.suffixes);
        self.behavior = old.behavior;
        self.needs_hash &= old.needs_hash;
        self.allow_name_change = old.allow_name_change;
        self.allow_kind_change = old.allow_kind_change;
        self.variables.clone_from(&old.variables);
        self.set_name(old.name());
        self.set_namespace(old.namespace());
    }

    /// Applies a strategic merge patch; the resource may be empty afterwards.
    pub(crate) fn apply_patch(&mut self, patch: &Self, schema: &Schema) -> Result<(), Error> {
        let (name, namespace, kind) =
            (self.name().to_owned(), self.namespace().to_owned(), self.kind().to_owned());
        if patch.allow_name_change || patch.allow_kind_change {
            self.store_previous_id();
        }
        let node = std::mem::replace(&mut self.node, Node::null());
        self.node = merge::merge(node, patch.node.clone(), schema)?.unwrap_or_else(Node::null);
        if self.is_empty() {
            self.node = Node::null();
            return Ok(());
        }
        if !patch.allow_kind_change {
            self.set_root("kind", &kind);
        }
        if !patch.allow_name_change {
            self.set_name(&name);
        }
        self.set_namespace(&namespace);
        self.refresh_scope(schema);
        Ok(())
    }

    /// Whether `self` and `other` had the same prefixes and suffixes put on last.
    pub(crate) fn same_affixes(&self, other: &Self, empty_matches: bool) -> bool {
        let same = |a: &[String], b: &[String]| {
            (empty_matches && (a.is_empty() || b.is_empty())) || same_ending(a, b)
        };
        same(&self.prefixes, &other.prefixes) && same(&self.suffixes, &other.suffixes)
    }

    /// Takes out what is not part of an output. Annotations become texts, as kustomize prints them.
    pub(crate) fn finish(&mut self, keep_origin: bool, keep_transformations: bool) {
        let mut annotations = self.texts("annotations");
        for key in BUILD_ANNOTATIONS {
            annotations.remove(key);
        }
        if !keep_origin {
            annotations.remove(origin::ANNOTATION);
        }
        if !keep_transformations {
            annotations.remove(origin::TRANSFORMATIONS);
        }
        self.set_texts("annotations", annotations);
    }
}

/// Whether the shorter list is the end of the longer one.
fn same_ending(a: &[String], b: &[String]) -> bool {
    match (a.is_empty(), b.is_empty()) {
        (false, false) => a.ends_with(b) || b.ends_with(a),
        (a, b) => a == b,
    }
}
