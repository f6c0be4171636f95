//! Which resources are served: the built-in ones and those that definitions declare.

mod builtin;
mod custom;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use serde_json::Value;
use tokio::sync::watch;

pub(crate) use builtin::{AGE_COLUMN, NAME_COLUMN, token_request};
pub(crate) use custom::{establish, set_condition, stored_versions};

use crate::fields;
use crate::schema::Schema;
use crate::store::{ResourceId, Store};

/// Where definitions of custom resources are stored.
pub(crate) const DEFINITIONS: &str = "apiextensions.k8s.io/customresourcedefinitions";
/// Where namespaces are stored.
pub(crate) const NAMESPACES: &str = "/namespaces";

/// One resource in one served version.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "a row of a table, each flag on its own")]
pub(crate) struct Resource {
    /// The API group, empty for core.
    pub(crate) group: String,
    /// The version, as in `v1`.
    pub(crate) version: String,
    /// The name in URLs.
    pub(crate) plural: String,
    /// The name of one.
    pub(crate) singular: String,
    /// The kind of the objects.
    pub(crate) kind: String,
    /// The kind of lists.
    pub(crate) list_kind: String,
    /// Whether objects live in a namespace.
    pub(crate) namespaced: bool,
    /// Names for people in a hurry.
    pub(crate) short_names: Vec<String>,
    /// Groups of resources such as `all`.
    pub(crate) categories: Vec<String>,
    /// Where objects are stored; the same for all versions.
    pub(crate) store: ResourceId,
    /// The `apiVersion` that objects are stored in.
    pub(crate) stored_as: String,
    /// Whether objects are answered and not stored, as reviews are.
    pub(crate) is_virtual: bool,
    /// Whether objects can be read and not written.
    pub(crate) read_only: bool,
    /// Whether `/status` is served, and status protected from other writes.
    pub(crate) status: bool,
    /// Where `/scale` finds its numbers.
    pub(crate) scale: Option<Scale>,
    /// The columns of tables; without any the name and creation time are shown.
    pub(crate) columns: Vec<Column>,
    /// Field paths that selectors may use besides name and namespace.
    pub(crate) selectable: Vec<Vec<String>>,
    /// What users of this version are warned of.
    pub(crate) warning: Option<String>,
    /// What managing fields needs to know of the objects.
    pub(crate) fields: fields::Type,
    /// Who declared it.
    pub(crate) origin: Origin,
}

/// Who declared a resource.
#[derive(Debug)]
pub(crate) enum Origin {
    /// Kubernetes itself.
    BuiltIn,
    /// A CustomResourceDefinition.
    Custom(Custom),
}

/// What only custom resources have.
#[derive(Debug)]
pub(crate) struct Custom {
    /// The name of the definition.
    pub(crate) definition: String,
    /// The `openAPIV3Schema` of this version.
    pub(crate) openapi: Value,
    /// The same, compiled; absent if it cannot be (a definition is checked before it is stored).
    pub(crate) schema: Option<Arc<Schema>>,
    /// The schema of the version that is stored, if that is another one.
    pub(crate) stored_schema: Option<Arc<Schema>>,
    /// Objects stored up to this revision were written under another schema.
    pub(crate) since: u64,
    /// Whether the definition is being deleted.
    pub(crate) terminating: bool,
}

/// Paths of the scale subresource, as dotted names.
#[derive(Debug, Clone)]
pub(crate) struct Scale {
    /// Wanted replicas.
    pub(crate) spec: String,
    /// Observed replicas.
    pub(crate) status: String,
    /// The serialised label selector, if any.
    pub(crate) selector: Option<String>,
}

/// One column of a table.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// The header.
    pub(crate) name: String,
    /// `string`, `integer`, `number`, `boolean` or `date`.
    pub(crate) kind: String,
    /// `name`, `date`, … or empty.
    pub(crate) format: String,
    /// For people who ask.
    pub(crate) description: String,
    /// 0 is always shown; more only with `-o wide`.
    pub(crate) priority: i64,
    /// Where custom resources find the value.
    pub(crate) path: String,
}

/// A consistent view of everything served.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Group → versions in order of preference.
    pub(crate) groups: BTreeMap<String, Vec<String>>,
    served: HashMap<(String, String, String), Arc<Resource>>,
    /// Every resource, in order of group, version and name.
    pub(crate) all: Vec<Arc<Resource>>,
    by_store: HashMap<ResourceId, Arc<Resource>>,
}

/// The current [`Index`], remade when definitions change.
pub(crate) struct Catalog {
    index: RwLock<Arc<Index>>,
    definitions: Mutex<custom::Definitions>,
    changed: watch::Sender<()>,
}

impl Resource {
    /// `group/version`, or `v1` for core.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// What only custom resources have.
    pub(crate) fn custom(&self) -> Option<&Custom> {
        match &self.origin {
            Origin::Custom(custom) => Some(custom),
            Origin::BuiltIn => None,
        }
    }

    /// Whether this is the built-in resource stored at `store`.
    pub(crate) fn is(&self, store: &str) -> bool {
        *self.store == *store
    }
}

impl Catalog {
    /// The built-in resources and what the definitions in `store` declare.
    pub(crate) fn new(store: &Store) -> Self {
        let catalog = Self {
            index: RwLock::default(),
            definitions: Mutex::default(),
            changed: watch::Sender::new(()),
        };
        catalog.refresh(store);
        catalog
    }

    /// The current view.
    pub(crate) fn index(&self) -> Arc<Index> {
        self.index.read().clone()
    }

    /// A signal that fires when the view was remade.
    pub(crate) fn signal(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Remakes the view from the definitions in `store`.
    pub(crate) fn refresh(&self, store: &Store) {
        let mut definitions = self.definitions.lock();
        definitions.update(store);
        let mut all = builtin::resources();
        all.extend(definitions.resources());
        *self.index.write() = Arc::new(Index::new(all));
        self.changed.send_replace(());
    }
}

impl Index {
    fn new(mut all: Vec<Arc<Resource>>) -> Self {
        let mut index = Self::default();
        for resource in &all {
            let versions = index.groups.entry(resource.group.clone()).or_default();
            if !versions.contains(&resource.version) {
                versions.push(resource.version.clone());
            }
            index.served.insert(
                (resource.group.clone(), resource.version.clone(), resource.plural.clone()),
                resource.clone(),
            );
            if resource.api_version() == resource.stored_as
                || !index.by_store.contains_key(&resource.store)
            {
                index.by_store.insert(resource.store.clone(), resource.clone());
            }
        }
        for versions in index.groups.values_mut() {
            versions.sort_by_key(|v| std::cmp::Reverse(custom::version_order(v)));
        }
        all.sort_by(|a, b| {
            (&a.group, &a.version, &a.plural).cmp(&(&b.group, &b.version, &b.plural))
        });
        index.all = all;
        index
    }

    /// One served resource.
    pub(crate) fn find(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Resource>> {
        self.served.get(&(group.to_owned(), version.to_owned(), plural.to_owned()))
    }

    /// The resource whose objects are stored at `store`, in the version they are stored in.
    pub(crate) fn stored(&self, store: &str) -> Option<&Arc<Resource>> {
        self.by_store.get(store)
    }

    /// Whether this version of the group is served.
    pub(crate) fn serves(&self, group: &str, version: &str) -> bool {
        self.groups.get(group).is_some_and(|versions| versions.iter().any(|v| v == version))
    }

    /// The resources of one version of a group, in order of name.
    pub(crate) fn of<'a>(
        &'a self,
        group: &'a str,
        version: &'a str,
    ) -> impl Iterator<Item = &'a Arc<Resource>> {
        self.all.iter().filter(move |r| r.group == group && r.version == version)
    }
}
