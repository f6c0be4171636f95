//! Roles and bindings, found by the subjects they are for.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::Value;

use super::Rule;
use crate::schema::go;
use crate::store::{Event, Object, Path, Store};
use crate::user::User;

/// Where each kind is stored, in the order of [`Kind`].
const STORES: [&str; 4] = [
    "rbac.authorization.k8s.io/clusterroles",
    "rbac.authorization.k8s.io/roles",
    "rbac.authorization.k8s.io/clusterrolebindings",
    "rbac.authorization.k8s.io/rolebindings",
];
/// How many events are read at a time.
const STEP: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    ClusterRole,
    Role,
    ClusterRoleBinding,
    RoleBinding,
}

const KINDS: [Kind; 4] =
    [Kind::ClusterRole, Kind::Role, Kind::ClusterRoleBinding, Kind::RoleBinding];

/// A namespace, empty for the cluster, and a name.
type Place = (Box<str>, Box<str>);

/// All roles and bindings.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// How far the events of each store have been read.
    cursors: Option<[u64; 4]>,
    cluster_roles: HashMap<Box<str>, Arc<[Rule]>>,
    roles: HashMap<Place, Arc<[Rule]>>,
    bindings: HashMap<Place, Binding>,
    by_user: HashMap<Box<str>, BTreeSet<Place>>,
    by_group: HashMap<Box<str>, BTreeSet<Place>>,
}

#[derive(Debug)]
struct Binding {
    role_kind: Box<str>,
    role_name: Box<str>,
    subjects: Vec<Subject>,
}

#[derive(Debug)]
struct Subject {
    /// The user or group that it stands for.
    name: Box<str>,
    is_group: bool,
    /// How reasons print it.
    shown: Box<str>,
}

/// A binding that applies to a user, with the rules it gives.
pub(crate) struct Grant<'a> {
    place: &'a Place,
    binding: &'a Binding,
    subject: &'a Subject,
    /// The rules of the role, or why there are none.
    pub(crate) rules: Result<&'a Arc<[Rule]>, String>,
}

impl Grant<'_> {
    /// How reasons print it.
    pub(crate) fn describe(&self) -> String {
        let (namespace, name) = self.place;
        let (kind, name) = if namespace.is_empty() {
            ("ClusterRoleBinding", name.to_string())
        } else {
            ("RoleBinding", format!("{name}/{namespace}"))
        };
        let Binding { role_kind, role_name, .. } = self.binding;
        format!(
            "{kind} {} of {role_kind} {} to {}",
            go::quote(&name),
            go::quote(role_name),
            self.subject.shown
        )
    }
}

impl Index {
    /// Whether objects stored at `store` matter.
    pub(crate) fn concerns(store: &str) -> bool {
        STORES.contains(&store)
    }

    /// Takes in what has changed.
    pub(crate) fn update(&mut self, store: &Store) {
        let Some(cursors) = self.cursors else { return self.rebuild(store) };
        for (n, kind) in KINDS.into_iter().enumerate() {
            let mut cursor = cursors[n];
            loop {
                let Ok((events, next)) = store.since(STORES[n], cursor, STEP) else {
                    return self.rebuild(store);
                };
                cursor = next;
                for event in &events {
                    self.hear(kind, event);
                }
                if events.len() < STEP {
                    break;
                }
            }
            if let Some(cursors) = &mut self.cursors {
                cursors[n] = cursor;
            }
        }
    }

    fn rebuild(&mut self, store: &Store) {
        let cursor = store.revision();
        *self = Self { cursors: Some([cursor; 4]), ..Self::default() };
        for (n, kind) in KINDS.into_iter().enumerate() {
            for (path, object) in store.all(STORES[n], "") {
                self.put(kind, place(&path), &object);
            }
        }
    }

    fn hear(&mut self, kind: Kind, event: &Event) {
        let place = place(&event.path);
        self.remove(kind, &place);
        if !event.deleted {
            self.put(kind, place, &event.object);
        }
    }

    fn remove(&mut self, kind: Kind, place: &Place) {
        match kind {
            Kind::ClusterRole => drop(self.cluster_roles.remove(&place.1)),
            Kind::Role => drop(self.roles.remove(place)),
            Kind::ClusterRoleBinding | Kind::RoleBinding => {
                let subjects = self.bindings.remove(place).map(|b| b.subjects).unwrap_or_default();
                for subject in subjects {
                    if let Some(places) = self.side(subject.is_group).get_mut(&subject.name) {
                        places.remove(place);
                        if places.is_empty() {
                            self.side(subject.is_group).remove(&subject.name);
                        }
                    }
                }
            }
        }
    }

    fn put(&mut self, kind: Kind, place: Place, object: &Object) {
        let value = object.value();
        match kind {
            Kind::ClusterRole => {
                self.cluster_roles.insert(place.1, Rule::all(&value).into());
            }
            Kind::Role => {
                self.roles.insert(place, Rule::all(&value).into());
            }
            Kind::ClusterRoleBinding | Kind::RoleBinding => {
                let binding = Binding::read(&value, &place.0);
                for subject in &binding.subjects {
                    let side =
                        if subject.is_group { &mut self.by_group } else { &mut self.by_user };
                    side.entry(subject.name.clone()).or_default().insert(place.clone());
                }
                self.bindings.insert(place, binding);
            }
        }
    }

    fn side(&mut self, is_group: bool) -> &mut HashMap<Box<str>, BTreeSet<Place>> {
        if is_group { &mut self.by_group } else { &mut self.by_user }
    }

    /// The bindings that apply to `user` in the cluster and, if it is not empty, in `namespace`.
    pub(crate) fn grants<'a>(
        &'a self,
        user: &'a User,
        namespace: &'a str,
    ) -> impl Iterator<Item = Grant<'a>> {
        let groups = user.groups.iter().filter_map(|g| self.by_group.get(g.as_str()));
        let sets: Vec<_> = groups.chain(self.by_user.get(user.name.as_str())).collect();
        let scopes = if namespace.is_empty() { vec![""] } else { vec!["", namespace] };
        let places: BTreeSet<&Place> = scopes
            .into_iter()
            .flat_map(|scope| sets.iter().flat_map(move |set| within(set, scope)))
            .collect();
        places.into_iter().filter_map(move |place| {
            let (place, binding) = self.bindings.get_key_value(place)?;
            let subject = binding.subjects.iter().find(|subject| subject.is(user))?;
            let rules = self.rules(&binding.role_kind, &binding.role_name, &place.0);
            Some(Grant { place, binding, subject, rules })
        })
    }

    /// The rules of a role that a binding in `namespace` refers to.
    pub(crate) fn rules(
        &self,
        kind: &str,
        name: &str,
        namespace: &str,
    ) -> Result<&Arc<[Rule]>, String> {
        let (found, kind) = match kind {
            "ClusterRole" => (self.cluster_roles.get(name), "clusterrole"),
            "Role" => (self.roles.get(&(namespace.into(), name.into())), "role"),
            _ => return Err(format!("unsupported role reference kind: {}", go::quote(kind))),
        };
        let missing = || format!("{kind}.rbac.authorization.k8s.io {} not found", go::quote(name));
        found.ok_or_else(missing)
    }
}

impl Binding {
    fn read(binding: &Value, namespace: &str) -> Self {
        let subjects = binding["subjects"].as_array().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().into();
        Self {
            role_kind: text(&binding["roleRef"]["kind"]),
            role_name: text(&binding["roleRef"]["name"]),
            subjects: subjects.filter_map(|s| Subject::read(s, namespace)).collect(),
        }
    }
}

impl Subject {
    fn read(subject: &Value, namespace: &str) -> Option<Self> {
        let name = subject["name"].as_str()?;
        let kind = subject["kind"].as_str()?;
        let shown = |name: &str| format!("{kind} {}", go::quote(name)).into();
        match kind {
            "User" | "Group" => {
                Some(Self { name: name.into(), is_group: kind == "Group", shown: shown(name) })
            }
            "ServiceAccount" => {
                let home = subject["namespace"].as_str().filter(|n| !n.is_empty());
                let home = home.or(Some(namespace)).filter(|n| !n.is_empty())?;
                Some(Self {
                    name: format!("system:serviceaccount:{home}:{name}").into(),
                    is_group: false,
                    shown: shown(&format!("{name}/{home}")),
                })
            }
            _ => None,
        }
    }

    fn is(&self, user: &User) -> bool {
        if self.is_group {
            user.groups.iter().any(|group| **group == *self.name)
        } else {
            *user.name == *self.name
        }
    }
}

fn within<'a>(set: &'a BTreeSet<Place>, namespace: &'a str) -> impl Iterator<Item = &'a Place> {
    let start: Place = (namespace.into(), "".into());
    set.range(start..).take_while(move |(home, _)| **home == *namespace)
}

fn place(path: &Path) -> Place {
    let (namespace, name) = path.split_once('/').unwrap_or(("", path));
    (namespace.into(), name.into())
}
