//! The state machine: objects by resource and path, one revision counter, a bounded history per resource.
//!
//! It decides and applies changes; it knows no clock, lock, disk or wire.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use super::object::{Draft, Object};

/// Names one kind of stored object: `group/plural`, with an empty group for core.
pub(crate) type ResourceId = Arc<str>;

/// Names an object within its resource: `namespace/name`, or `name` if it has no namespace.
pub(crate) type Path = Box<str>;

/// How much of the past one resource keeps for watchers that come back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    /// Most events kept.
    pub(crate) events: usize,
    /// Most bytes of objects kept alive by events, but for the last few events.
    pub(crate) bytes: usize,
}

/// The fewest events kept, however large the objects are.
const FEWEST_EVENTS: usize = 16;

/// What happened to one object.
#[derive(Debug)]
pub(crate) struct Event {
    /// The revision this event made.
    pub(crate) revision: u64,
    /// The resource of the object.
    pub(crate) resource: ResourceId,
    /// The object's path.
    pub(crate) path: Path,
    /// The new state; for a deletion the last state, carrying the revision of the deletion.
    pub(crate) object: Arc<Object>,
    /// The state before, absent when the object was created.
    pub(crate) previous: Option<Arc<Object>>,
    /// Whether the object is gone.
    pub(crate) deleted: bool,
}

/// A wish to change one object.
#[derive(Debug)]
pub(crate) struct Change {
    /// The resource of the object.
    pub(crate) resource: ResourceId,
    /// The object's path.
    pub(crate) path: Path,
    /// The revision the object must be at; `None` if it must not exist.
    pub(crate) expect: Option<u64>,
    /// Another object that must exist: the namespace of a new object.
    pub(crate) within: Option<(ResourceId, Path)>,
    /// The new state, and whether this is the last one.
    pub(crate) draft: Draft,
    /// Whether the object shall be gone; the draft is then its last state.
    pub(crate) delete: bool,
}

/// Why a change was not made.
#[derive(Debug, Clone)]
pub(crate) enum Refusal {
    /// The object exists already.
    Exists,
    /// The object is gone.
    Gone,
    /// The object is at another revision than expected.
    Moved,
    /// The object that must exist (see [`Change::within`]) does not.
    Homeless,
    /// The object is larger than what etcd takes.
    TooLarge,
    /// The log could not keep the change; says why.
    Unkept(String),
}

/// Changes decided together but not applied yet.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    touched: HashMap<(ResourceId, Path), Option<Arc<Object>>>,
    /// The decided events, in order of revision.
    pub(crate) events: Vec<Arc<Event>>,
}

/// A wish for a range of the past that is not kept any more; carries the oldest revision that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expired(pub(crate) u64);

/// What a log must forget so that it stays as short as the history.
#[derive(Debug, Default)]
pub(crate) struct Trim {
    /// Revisions whose records nothing needs any more.
    pub(crate) records: Vec<u64>,
    /// The newest revision each resource has forgotten.
    pub(crate) floors: HashMap<ResourceId, u64>,
}

/// All objects at one revision, and the recent past of each resource.
#[derive(Debug)]
pub(crate) struct State {
    window: Window,
    revision: u64,
    shelves: HashMap<ResourceId, Shelf>,
    uids: HashMap<Box<str>, (ResourceId, Path)>,
    dependents: HashMap<Box<str>, BTreeSet<(ResourceId, Path)>>,
    trim: Trim,
}

#[derive(Debug, Default)]
struct Shelf {
    objects: BTreeMap<Path, Arc<Object>>,
    history: VecDeque<Arc<Event>>,
    history_bytes: usize,
    /// Events up to here are forgotten.
    floor: u64,
}

impl State {
    /// An empty state.
    pub(crate) fn new(window: Window) -> Self {
        Self {
            window,
            revision: 1,
            shelves: HashMap::new(),
            uids: HashMap::new(),
            dependents: HashMap::new(),
            trim: Trim::default(),
        }
    }

    /// The revision of the newest change.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// Marks everything of `resource` up to `floor` as forgotten: it was trimmed from the log.
    pub(crate) fn forget(&mut self, resource: &ResourceId, floor: u64) {
        let place = self.shelves.entry(resource.clone()).or_default();
        place.floor = place.floor.max(floor);
    }

    /// Decides `change` as if `batch` had been applied, and adds it to the batch.
    pub(crate) fn decide(&self, batch: &mut Batch, change: Change) -> Result<Arc<Event>, Refusal> {
        if let Some((resource, path)) = &change.within
            && self.current(batch, resource, path).is_none()
        {
            return Err(Refusal::Homeless);
        }
        let previous = self.current(batch, &change.resource, &change.path);
        match (change.expect, &previous) {
            (None, Some(_)) => return Err(Refusal::Exists),
            (Some(_), None) => return Err(Refusal::Gone),
            (Some(want), Some(now)) if want != now.revision => return Err(Refusal::Moved),
            (None, None) | (Some(_), Some(_)) => {}
        }
        let revision = self.revision + 1 + batch.events.len() as u64;
        let object = Arc::new(change.draft.seal(revision));
        let now = (!change.delete).then(|| object.clone());
        batch.touched.insert((change.resource.clone(), change.path.clone()), now);
        let event = Arc::new(Event {
            revision,
            resource: change.resource,
            path: change.path,
            object,
            previous,
            deleted: change.delete,
        });
        batch.events.push(event.clone());
        Ok(event)
    }

    fn current(&self, batch: &Batch, resource: &ResourceId, path: &str) -> Option<Arc<Object>> {
        if !batch.touched.is_empty()
            && let Some(touched) = batch.touched.get(&(resource.clone(), Path::from(path)))
        {
            return touched.clone();
        }
        self.get(resource, path).cloned()
    }

    /// Applies a decided event.
    pub(crate) fn apply(&mut self, event: &Arc<Event>) {
        self.revision = self.revision.max(event.revision);
        if let Some(previous) = &event.previous {
            self.unindex(event, previous);
        }
        let place = self.shelves.entry(event.resource.clone()).or_default();
        if event.deleted {
            place.objects.remove(&event.path);
        } else {
            place.objects.insert(event.path.clone(), event.object.clone());
            self.index(event);
        }
        self.remember(event);
    }

    fn remember(&mut self, event: &Arc<Event>) {
        let Some(place) = self.shelves.get_mut(&event.resource) else { return };
        if event.revision <= place.floor {
            return;
        }
        place.history_bytes += event.object.json().len();
        place.history.push_back(event.clone());
        while place.history.len() > self.window.events
            || (place.history_bytes > self.window.bytes && place.history.len() > FEWEST_EVENTS)
        {
            let Some(oldest) = place.history.pop_front() else { break };
            place.history_bytes -= oldest.object.json().len();
            place.floor = oldest.revision;
            self.trim.floors.insert(oldest.resource.clone(), oldest.revision);
            self.trim.records.extend(oldest.previous.as_ref().map(|p| p.revision));
            if oldest.deleted {
                self.trim.records.push(oldest.revision);
            }
        }
    }

    /// Takes what the log may forget since the last call.
    pub(crate) fn take_trim(&mut self) -> Trim {
        std::mem::take(&mut self.trim)
    }

    fn index(&mut self, event: &Event) {
        let key = || (event.resource.clone(), event.path.clone());
        self.uids.insert(event.object.meta.uid.clone(), key());
        for owner in &event.object.meta.owners {
            self.dependents.entry(owner.clone()).or_default().insert(key());
        }
    }

    fn unindex(&mut self, event: &Event, previous: &Object) {
        let place = (event.resource.clone(), event.path.clone());
        if self.uids.get(&previous.meta.uid) == Some(&place) {
            self.uids.remove(&previous.meta.uid);
        }
        for owner in &previous.meta.owners {
            if let Some(set) = self.dependents.get_mut(owner) {
                set.remove(&place);
                if set.is_empty() {
                    self.dependents.remove(owner);
                }
            }
        }
    }

    /// One object.
    pub(crate) fn get(&self, resource: &str, path: &str) -> Option<&Arc<Object>> {
        self.shelves.get(resource)?.objects.get(path)
    }

    /// The place of the object with this uid.
    pub(crate) fn place(&self, uid: &str) -> Option<&(ResourceId, Path)> {
        self.uids.get(uid)
    }

    /// The places of the objects that name `uid` as an owner.
    pub(crate) fn dependents(&self, uid: &str) -> Vec<(ResourceId, Path)> {
        self.dependents.get(uid).map(|set| set.iter().cloned().collect()).unwrap_or_default()
    }

    /// The resources that ever had an object.
    pub(crate) fn resources(&self) -> Vec<ResourceId> {
        self.shelves.keys().cloned().collect()
    }

    /// Objects whose path starts with `prefix` and comes after `after`, in order.
    pub(crate) fn scan<'a>(
        &'a self,
        resource: &str,
        prefix: &'a str,
        after: &'a str,
    ) -> impl Iterator<Item = (&'a Path, &'a Arc<Object>)> + use<'a> {
        self.shelves.get(resource).into_iter().flat_map(move |place| {
            let from =
                if after.is_empty() { Bound::Included(prefix) } else { Bound::Excluded(after) };
            place
                .objects
                .range::<str, _>((from, Bound::Unbounded))
                .take_while(move |(path, _)| path.starts_with(prefix))
        })
    }

    /// The events of `resource` after `revision`, oldest first.
    pub(crate) fn since(
        &self,
        resource: &str,
        revision: u64,
    ) -> Result<impl Iterator<Item = &Arc<Event>>, Expired> {
        let place = self.shelves.get(resource);
        let floor = place.map_or(0, |s| s.floor);
        if revision < floor {
            return Err(Expired(floor + 1));
        }
        Ok(place.into_iter().flat_map(move |place| {
            let start = place.history.partition_point(|event| event.revision <= revision);
            place.history.range(start..)
        }))
    }

    /// What differs between now and `revision`: the earlier state of every path touched since.
    pub(crate) fn undo(
        &self,
        resource: &str,
        revision: u64,
    ) -> Result<BTreeMap<&Path, Option<&Arc<Object>>>, Expired> {
        let mut earlier = BTreeMap::new();
        for event in self.since(resource, revision)? {
            earlier.entry(&event.path).or_insert(event.previous.as_ref());
        }
        Ok(earlier)
    }
}
