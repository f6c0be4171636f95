//! Names of resources in other resources, brought up to date when those are renamed.

use std::collections::{HashMap, HashSet};

use crate::Error;
use crate::config::{Config, NameReference};
use crate::field::FieldSpec;
use crate::gvk::{Gvk, Id, NO_NAMESPACE};
use crate::node::{Map, Node, Tag};
use crate::resource::Resource;
use crate::resources::Resources;

/// Updates all names. Linear in the number of resources: what was renamed is found by its old name.
pub(crate) fn update(resources: &mut Resources, config: &Config) -> Result<(), Error> {
    let names = Names::of(resources.list());
    let mut specs = Specs { references: &config.name_references, cache: HashMap::new() };
    for at in 0..resources.list().len() {
        let referrer = Referrer::new(at, &names, &resources.list()[at])?;
        let found = specs.of(&names.all[at].first.gvk);
        let list = resources.list_mut();
        let mut node = std::mem::replace(&mut list[at].node, Node::null());
        for (target, spec) in found {
            let search = Search { names: &names, referrer: &referrer, target, spec };
            spec.visit(&mut node, &mut |field| search.update(field)).map_err(|error| {
                error.within(format!(
                    "updating name reference in '{}' field of '{}'",
                    spec.path, names.all[at].now
                ))
            })?;
        }
        list[at].node = node;
    }
    Ok(())
}

/// Which fields of a kind hold names.
struct Specs<'c> {
    references: &'c [NameReference],
    cache: HashMap<Gvk, Vec<(&'c Gvk, &'c FieldSpec)>>,
}

impl<'c> Specs<'c> {
    fn of(&mut self, gvk: &Gvk) -> &[(&'c Gvk, &'c FieldSpec)] {
        let references = self.references;
        self.cache.entry(gvk.clone()).or_insert_with(|| {
            let all = references.iter().flat_map(|reference| {
                reference.referrers.iter().map(move |spec| (&reference.target, spec))
            });
            all.filter(|(_, spec)| gvk.is_selected(&spec.gvk)).collect()
        })
    }
}

/// What one resource is and was called.
struct Named {
    now: Id,
    /// Without its node.
    resource: Resource,
    first: Id,
    previous: Vec<Id>,
}

/// What all resources are and were called.
struct Names {
    all: Vec<Named>,
    /// By the names they had.
    by_name: HashMap<String, Vec<usize>>,
    /// By the namespaces they were in at first.
    by_namespace: HashMap<String, Vec<usize>>,
}

impl Names {
    fn of(resources: &[Resource]) -> Self {
        let mut names = Self {
            all: Vec::with_capacity(resources.len()),
            by_name: HashMap::new(),
            by_namespace: HashMap::new(),
        };
        for (at, resource) in resources.iter().enumerate() {
            let mut seen = HashSet::new();
            for previous in resource.previous.iter().filter(|previous| seen.insert(&previous.name))
            {
                names.by_name.entry(previous.name.clone()).or_default().push(at);
            }
            let first = resource.original_id();
            let namespace = first.effective_namespace().to_owned();
            names.by_namespace.entry(namespace).or_default().push(at);
            names.all.push(Named {
                now: resource.id(),
                resource: resource.without_node(),
                first,
                previous: resource.previous_ids().collect(),
            });
        }
        names
    }
}

/// The resource whose fields are looked at.
struct Referrer {
    at: usize,
    /// Namespaces of the subjects of a role binding.
    subjects: HashSet<String>,
    role: Option<Gvk>,
}

impl Referrer {
    fn new(at: usize, names: &Names, resource: &Resource) -> Result<Self, Error> {
        let text = |role: &Node, key: &str| Some(role.get(key)?.value().to_owned());
        let role = resource.node.get("roleRef").and_then(|role| {
            Some(Gvk {
                group: text(role, "apiGroup")?,
                kind: text(role, "kind")?,
                version: String::new(),
            })
        });
        let cluster = names.all[at].now.cluster;
        let subjects = if cluster { HashSet::new() } else { subject_namespaces(resource)? };
        Ok(Self { at, subjects, role })
    }
}

fn subject_namespaces(resource: &Resource) -> Result<HashSet<String>, Error> {
    let mut namespaces = HashSet::new();
    if resource.kind() != "RoleBinding" {
        return Ok(namespaces);
    }
    for subject in resource.node.get("subjects").map_or(&[][..], Node::items) {
        let (Some(namespace), Some(kind)) = (subject.get("namespace"), subject.get("kind")) else {
            continue;
        };
        if kind.value() != "ServiceAccount" {
            continue;
        }
        match namespace {
            Node::Scalar(scalar) if scalar.is_string() => {
                namespaces.insert(scalar.value.clone());
            }
            _ => {
                return Err(Error::Field(format!(
                    "Invalid Input: namespace is blank for resource {:?}\n",
                    resource.id().to_string()
                )));
            }
        }
    }
    Ok(namespaces)
}

/// What stands beside a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside<'b> {
    Nothing,
    /// The rest of a mapping, and the namespace in it.
    Namespace(Option<&'b str>),
}

impl<'b> Beside<'b> {
    fn namespace(self) -> Option<&'b str> {
        match self {
            Self::Nothing => None,
            Self::Namespace(namespace) => namespace,
        }
    }
}

/// The search for what one field refers to.
struct Search<'s> {
    names: &'s Names,
    referrer: &'s Referrer,
    target: &'s Gvk,
    spec: &'s FieldSpec,
}

impl Search<'_> {
    fn update(&self, field: &mut Node) -> Result<(), Error> {
        match field {
            field if field.is_null() => Ok(()),
            Node::Scalar(_) => self.update_scalar(field),
            Node::Map(map) => self.update_map(map),
            Node::List(items) => items.iter_mut().try_for_each(|item| match item {
                item if item.is_null() => Ok(()),
                Node::Scalar(_) => self.update_scalar(item),
                Node::Map(map) => self.update_map(map),
                Node::List(_) => Err(Error::Field(
                    "a list is expected to be either a string or a map of string".to_owned(),
                )),
            }),
        }
    }

    fn update_scalar(&self, field: &mut Node) -> Result<(), Error> {
        match self.referral(field.value(), Beside::Nothing)? {
            Some(found) if found.now.name != field.value() => {
                field.set_scalar(&found.now.name, Tag::None)
            }
            _ => Ok(()),
        }
    }

    fn update_map(&self, map: &mut Map) -> Result<(), Error> {
        let Some(name) = map.get("name") else {
            return Err(Error::Field("path config error; no 'name' field in node".to_owned()));
        };
        let namespace = map.get("namespace").map(|node| node.value().to_owned());
        let Some(found) = self.referral(name.value(), Beside::Namespace(namespace.as_deref()))?
        else {
            return Ok(());
        };
        if found.now.namespace.is_empty() && found.now.name == name.value() {
            return Ok(());
        }
        map.set("name", Node::plain(&found.now.name));
        if !found.now.namespace.is_empty() {
            map.set("namespace", Node::plain(&found.now.namespace));
        }
        Ok(())
    }

    /// The one resource that had a name.
    fn referral(&self, name: &str, place: Beside<'_>) -> Result<Option<&Named>, Error> {
        let Some(candidates) = self.names.by_name.get(name) else { return Ok(None) };
        let namespaced = self.namespace_filter(place.namespace());
        let mut found: Vec<&Named> = candidates
            .iter()
            .map(|at| &self.names.all[*at])
            .filter(|one| self.reachable(one) && namespaced(one) && self.is_target(one))
            .collect();
        if let [one] = found[..] {
            return Ok(Some(one));
        }
        let referrer = &self.names.all[self.referrer.at].resource;
        found.retain(|one| one.resource.same_affixes(referrer, true));
        if found.len() > 1 {
            found.retain(|one| one.resource.same_affixes(referrer, false));
        }
        let Some(first) = found.first() else { return Ok(None) };
        let same = |one: &&Named| {
            one.now.name == first.now.name
                && (place == Beside::Nothing || one.now.namespace == first.now.namespace)
        };
        if found.iter().all(same) {
            return Ok(Some(first));
        }
        let ids: Vec<String> = found.iter().map(|one| one.now.to_string()).collect();
        Err(Error::NoMatch(format!(
            "found multiple possible referrals: {}; give them different names, or put them and the \
             referrer in the same namespace",
            ids.join(", ")
        )))
    }

    /// Whether the referrer could name a resource, by their namespaces.
    fn reachable(&self, one: &Named) -> bool {
        let referrer = &self.names.all[self.referrer.at].now;
        referrer.cluster
            || one.now.cluster
            || one.now.same_namespace(referrer)
            || self.referrer.subjects.contains(&one.now.namespace)
    }

    /// The namespace that stands beside a name is the one at first, or else the present one.
    fn namespace_filter<'f>(&'f self, namespace: Option<&'f str>) -> impl Fn(&Named) -> bool + 'f {
        let originally =
            namespace.is_some_and(|namespace| {
                namespace != NO_NAMESPACE
                    && self.names.by_namespace.get(namespace).is_some_and(|all| {
                        all.iter().any(|at| self.reachable(&self.names.all[*at]))
                    })
            });
        move |one| match namespace {
            None => true,
            Some(namespace) if originally => one.first.effective_namespace() == namespace,
            Some(namespace) => {
                namespace != NO_NAMESPACE && one.now.effective_namespace() == namespace
            }
        }
    }

    fn is_target(&self, one: &Named) -> bool {
        let had = |gvk: &Gvk| one.previous.iter().any(|id| id.gvk.is_selected(gvk));
        let by_role = self.spec.path.ends_with("roleRef/name");
        let role = self.referrer.role.as_ref().filter(|_| by_role);
        let referrer = &self.names.all[self.referrer.at].now;
        had(self.target)
            && role.is_none_or(had)
            && (referrer.cluster
                || one.now.cluster
                || one.now.gvk.kind == "ServiceAccount"
                || one.now.same_namespace(referrer))
    }
}
