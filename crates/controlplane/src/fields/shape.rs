//! What shape values have, as far as owning and merging them is concerned.
//!
//! The model is that of structured-merge-diff: a value may be a scalar, a list or a map, or one of
//! several of these; lists are atomic or associative (a set, or a map by key fields), maps are
//! granular or atomic.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde_json::Value;

use crate::builtin;
use crate::schema::node::{Additional, Kind, ListKind, Node};

/// A shape: at least one of its parts is set, but for that of [`Ref::Nothing`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Shape {
    pub(crate) scalar: Option<Scalar>,
    pub(crate) list: Option<ListShape>,
    pub(crate) map: Option<MapShape>,
}

/// What scalars are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar {
    Numeric,
    Text,
    Boolean,
    Any,
}

/// How a list is owned and merged.
#[derive(Debug, Clone)]
pub(crate) struct ListShape {
    pub(crate) element: Ref,
    pub(crate) kind: ListKind,
}

/// How a map is owned and merged.
#[derive(Debug, Clone)]
pub(crate) struct MapShape {
    pub(crate) fields: BTreeMap<String, FieldShape>,
    /// What all other keys hold; without it there may be none.
    pub(crate) others: Option<Ref>,
    pub(crate) atomic: bool,
}

/// A named field.
#[derive(Debug, Clone)]
pub(crate) struct FieldShape {
    pub(crate) shape: Ref,
    pub(crate) default: Option<Value>,
    /// How strategic merge patches treat it.
    pub(crate) strategy: Strategy,
}

/// How strategic merge patches treat a field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Strategy {
    /// Whether a list is merged instead of replaced.
    pub(crate) merge: bool,
    /// The field by which list items belong together.
    pub(crate) key: Option<String>,
    /// Whether `$retainKeys` is honoured without being asked for.
    pub(crate) retain_keys: bool,
}

/// A shape or where it is found. Built-in types refer to one another, in circles too.
#[derive(Debug, Clone)]
pub(crate) enum Ref {
    /// No shape at all.
    Nothing,
    /// The shape itself.
    Inline(Arc<Shape>),
    /// A type of the built-in table.
    Named(usize),
    /// The same, but owned as one value.
    NamedAtomic(usize),
    /// Whatever the value is: maps are granular, lists atomic.
    Deduced,
    /// Whatever the value is, owned as one.
    Untyped,
}

static NOTHING: LazyLock<Arc<Shape>> = LazyLock::new(Arc::default);
static DEDUCED: LazyLock<Arc<Shape>> = LazyLock::new(|| Arc::new(any(&Ref::Deduced, false)));
static UNTYPED: LazyLock<Arc<Shape>> = LazyLock::new(|| Arc::new(any(&Ref::Untyped, true)));

fn any(elements: &Ref, atomic: bool) -> Shape {
    Shape {
        scalar: Some(Scalar::Any),
        list: Some(ListShape { element: Ref::Untyped, kind: ListKind::Atomic }),
        map: Some(MapShape { fields: BTreeMap::new(), others: Some(elements.clone()), atomic }),
    }
}

impl Ref {
    /// The shape.
    pub(crate) fn resolve(&self) -> Arc<Shape> {
        match self {
            Self::Nothing => NOTHING.clone(),
            Self::Inline(shape) => shape.clone(),
            Self::Named(index) => builtin::shape(*index, false),
            Self::NamedAtomic(index) => builtin::shape(*index, true),
            Self::Deduced => DEDUCED.clone(),
            Self::Untyped => UNTYPED.clone(),
        }
    }

    pub(crate) fn inline(shape: Shape) -> Self {
        Self::Inline(Arc::new(shape))
    }
}

impl MapShape {
    /// The shape of the value under a key.
    pub(crate) fn field(&self, name: &str) -> Option<&Ref> {
        self.fields.get(name).map(|field| &field.shape).or(self.others.as_ref())
    }
}

impl ListShape {
    pub(crate) fn is_atomic(&self) -> bool {
        self.kind == ListKind::Atomic
    }
}

/// The shape of whole objects with this schema.
pub(crate) fn of_schema(root: &Node) -> Ref {
    let mut shape = of_node(root, root.preserve_unknown);
    if let Some(map) = &mut shape.map {
        add_identity(map);
    }
    Ref::inline(shape)
}

fn add_identity(map: &mut MapShape) {
    for name in ["apiVersion", "kind"] {
        map.fields.insert(name.to_owned(), FieldShape::of(text(Scalar::Text)));
    }
    map.fields.insert("metadata".to_owned(), FieldShape::of(builtin::metadata()));
}

impl FieldShape {
    pub(crate) fn of(shape: Ref) -> Self {
        Self { shape, default: None, strategy: Strategy::default() }
    }
}

pub(crate) fn text(scalar: Scalar) -> Ref {
    Ref::inline(Shape { scalar: Some(scalar), ..Shape::default() })
}

fn of_node(node: &Node, preserve: bool) -> Shape {
    let preserve = preserve || node.preserve_unknown;
    let scalar = |scalar| Shape { scalar: Some(scalar), ..Shape::default() };
    match node.kind {
        _ if node.int_or_string => any(&Ref::Deduced, false),
        None => Shape {
            scalar: Some(Scalar::Any),
            list: Some(list_of(node, preserve)),
            map: Some(map_of(node, preserve)),
        },
        Some(Kind::Object) => {
            let mut map = map_of(node, preserve);
            if node.embedded {
                add_identity(&mut map);
            }
            Shape { map: Some(map), ..Shape::default() }
        }
        Some(Kind::Array) => Shape { list: Some(list_of(node, preserve)), ..Shape::default() },
        Some(Kind::Integer | Kind::Number) => scalar(Scalar::Numeric),
        Some(Kind::Boolean) => scalar(Scalar::Boolean),
        Some(Kind::String) => {
            let plain = node.checks.raw_format.as_deref().is_none_or(|f| f == "byte");
            scalar(if plain { Scalar::Text } else { Scalar::Any })
        }
    }
}

fn map_of(node: &Node, preserve: bool) -> MapShape {
    let field = |(name, property): (&String, &Node)| {
        let shape = Ref::inline(of_node(property, preserve));
        let default = property.default.clone();
        (name.clone(), FieldShape { shape, default, strategy: Strategy::default() })
    };
    let others = match &node.additional {
        Some(Additional::Of(of)) => Some(Ref::inline(of_node(of, preserve))),
        Some(Additional::Any(true)) => Some(Ref::Deduced),
        None if preserve || node.properties.is_empty() => Some(Ref::Deduced),
        Some(Additional::Any(false)) | None => None,
    };
    MapShape {
        fields: node.properties.iter().map(field).collect(),
        others,
        atomic: node.atomic_map,
    }
}

fn list_of(node: &Node, preserve: bool) -> ListShape {
    let element = match &node.items {
        Some(items) => Ref::inline(of_node(items, preserve)),
        None => Ref::Untyped,
    };
    ListShape { element, kind: node.list.clone().unwrap_or_default() }
}
