//! Names of objects: keys within a kind, and references across kinds.

use std::borrow::Cow;
use std::fmt;

use kube::{Resource, ResourceExt as _};

/// Namespace and name of an object of a known kind. The namespace is empty for cluster-wide kinds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Namespace, or empty.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl Key {
    /// The key of `namespace/name`.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The key of an object as read.
    pub fn of(object: &impl Resource) -> Self {
        Self::new(object.namespace().unwrap_or_default(), object.name_any())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            f.write_str(&self.name)
        } else {
            write!(f, "{}/{}", self.namespace, self.name)
        }
    }
}

/// What an object of ours depends on: one object, or all objects of a kind in a namespace.
///
/// References do not carry a version: the served versions of a kind are the same objects.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    pub(crate) group: Cow<'static, str>,
    pub(crate) kind: Cow<'static, str>,
    pub(crate) namespace: String,
    /// Nothing stands for every object of the kind in the namespace.
    pub(crate) name: Option<String>,
}

impl Reference {
    /// One object of kind `K`. The namespace is empty for cluster-wide kinds.
    pub fn object<K: Resource<DynamicType = ()>>(
        namespace: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        Self { name: Some(name.into()), ..Self::all::<K>(namespace) }
    }

    /// One object of a kind that is known only at run time. The namespace is empty for
    /// cluster-wide kinds.
    pub fn named(
        group: &str,
        kind: &str,
        namespace: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        Self {
            group: Cow::Owned(group.to_owned()),
            kind: Cow::Owned(kind.to_owned()),
            namespace: namespace.into(),
            name: Some(name.into()),
        }
    }

    /// Every object of kind `K` in `namespace`.
    pub fn all<K: Resource<DynamicType = ()>>(namespace: impl Into<String>) -> Self {
        Self {
            group: Cow::Owned(K::group(&()).into_owned()),
            kind: Cow::Owned(K::kind(&()).into_owned()),
            namespace: namespace.into(),
            name: None,
        }
    }
}

impl Reference {
    /// Whether this is `object`, or stands for all objects it is one of.
    pub(crate) fn covers(&self, object: &Self) -> bool {
        self.kind == object.kind
            && self.group == object.group
            && self.namespace == object.namespace
            && (self.name.is_none() || self.name == object.name)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.kind, self.namespace, self.name.as_deref().unwrap_or("*"))
    }
}
