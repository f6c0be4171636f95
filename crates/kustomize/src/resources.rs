//! The resources of a build, in order, no two with the same id.

use std::collections::HashMap;

use crate::Error;
use crate::gvk::Id;
use crate::resource::{Behavior, Resource};
use crate::selector::Selector;

/// Resources in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Resources {
    list: Vec<Resource>,
    /// Where each id is, while nobody has changed a resource.
    index: Option<HashMap<String, usize>>,
}

impl Resources {
    pub(crate) fn from_list(list: Vec<Resource>) -> Result<Self, Error> {
        let mut resources = Self::default();
        resources.append_all(list)?;
        Ok(resources)
    }

    pub(crate) fn list(&self) -> &[Resource] {
        &self.list
    }

    /// To change them; they have to keep different ids.
    pub(crate) fn list_mut(&mut self) -> &mut Vec<Resource> {
        self.index = None;
        &mut self.list
    }

    pub(crate) fn into_list(self) -> Vec<Resource> {
        self.list
    }

    fn index(&mut self) -> &mut HashMap<String, usize> {
        let list = &self.list;
        self.index.get_or_insert_with(|| {
            list.iter().enumerate().map(|(at, resource)| (resource.id().key(), at)).collect()
        })
    }

    pub(crate) fn append(&mut self, resource: Resource) -> Result<(), Error> {
        let id = resource.id();
        let at = self.list.len();
        if self.index().insert(id.key(), at).is_some() {
            self.index = None;
            return Err(Error::Conflict(format!(
                "may not add resource with an already registered id: {id}"
            )));
        }
        self.list.push(resource);
        Ok(())
    }

    pub(crate) fn append_all(&mut self, list: Vec<Resource>) -> Result<(), Error> {
        list.into_iter().try_for_each(|resource| self.append(resource))
    }

    /// Adds generated resources: new ones, or in the place of those that are there.
    pub(crate) fn absorb_all(&mut self, list: Vec<Resource>) -> Result<(), Error> {
        list.into_iter().try_for_each(|resource| self.absorb(resource))
    }

    fn absorb(&mut self, mut resource: Resource) -> Result<(), Error> {
        let id = resource.id();
        let matches = self.with_any_id(|other| other.same(&id));
        let behavior = resource.behavior.unwrap_or(Behavior::Unspecified);
        let overlays = matches!(behavior, Behavior::Merge | Behavior::Replace);
        let at = match matches[..] {
            [] if overlays => {
                return Err(Error::NoMatch(format!(
                    "id {} does not exist; cannot merge or replace",
                    go(&id)
                )));
            }
            [] => return self.append(resource),
            [at] if overlays => at,
            [_] => {
                return Err(Error::Conflict(format!(
                    "id {} exists; behavior must be merge or replace",
                    go(&id)
                )));
            }
            _ => {
                return Err(Error::NoMatch(format!(
                    "found multiple objects that could accept merge of {id}"
                )));
            }
        };
        let old = &self.list[at];
        let origin = old.annotation(crate::origin::ANNOTATION).map(str::to_owned);
        resource.take_place_of(old);
        if behavior == Behavior::Merge {
            merge_data(&mut resource, old);
            if origin.is_some() {
                resource.set_annotation(crate::origin::ANNOTATION, origin);
            }
        }
        self.list_mut()[at] = resource;
        Ok(())
    }

    /// Where the resources are that have, or had, an id that `matches`.
    pub(crate) fn with_any_id(&self, matches: impl Fn(&Id) -> bool) -> Vec<usize> {
        let list = self.list.iter().enumerate();
        list.filter(|(_, resource)| {
            !resource.is_empty() && resource.all_ids().any(|id| matches(&id))
        })
        .map(|(at, _)| at)
        .collect()
    }

    /// Where the one resource is that has, or had, an id.
    pub(crate) fn find(&self, id: &Id) -> Result<usize, Error> {
        let how_many = match self.with_any_id(|other| id.same(other))[..] {
            [at] => return Ok(at),
            [] => "no matches",
            _ => "multiple matches",
        };
        Err(Error::NoMatch(format!(
            "{how_many} for Id {id}; failed to find unique target for patch {id}"
        )))
    }

    /// Where the resources are that a selector means.
    pub(crate) fn select(&self, selector: &Selector) -> Result<Vec<usize>, Error> {
        let compiled = selector.compile()?;
        let list = self.list.iter().enumerate();
        Ok(list.filter(|(_, resource)| compiled.matches(resource)).map(|(at, _)| at).collect())
    }

    pub(crate) fn drop_empty(&mut self) {
        if self.list.iter().any(Resource::is_empty) {
            self.list_mut().retain(|resource| !resource.is_empty());
        }
    }

    /// The first id that two resources share.
    pub(crate) fn conflict(&mut self) -> Option<Id> {
        self.index = None;
        let count = self.list.len();
        if self.index().len() == count {
            return None;
        }
        self.index = None;
        let mut seen = std::collections::HashSet::new();
        self.list.iter().map(Resource::id).find(|id| !seen.insert(id.key()))
    }
}

/// An id as Go prints it with `%#v`.
fn go(id: &Id) -> String {
    format!(
        "resid.ResId{{Gvk:resid.Gvk{{Group:{:?}, Version:{:?}, Kind:{:?}, isClusterScoped:{}}}, Name:{:?}, Namespace:{:?}}}",
        id.gvk.group, id.gvk.version, id.gvk.kind, id.cluster, id.name, id.namespace
    )
}

/// Joins the data of a resource that is there with that of one that is generated.
fn merge_data(new: &mut Resource, old: &Resource) {
    for field in ["data", "binaryData"] {
        let texts = |resource: &Resource| -> std::collections::BTreeMap<String, String> {
            let pairs =
                resource.node.get(field).and_then(crate::node::Node::as_map).map(|map| &map.pairs);
            pairs
                .into_iter()
                .flatten()
                .map(|(key, value)| {
                    let text = if value.is_null() { "" } else { value.value() };
                    (key.value.clone(), text.to_owned())
                })
                .collect()
        };
        let mut merged = texts(old);
        merged.extend(texts(new));
        let Some(root) = new.node.as_map_mut() else { return };
        root.remove(field);
        if !merged.is_empty() {
            let map = merged.into_iter().map(|(key, value)| (key, crate::node::Node::text(&value)));
            root.insert(field, crate::node::Node::Map(map.collect()));
        }
    }
}
