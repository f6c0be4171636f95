//! What a server was last known to have, and as of when.

use std::{
    cell::Cell,
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use parking_lot::Mutex;

use crate::listing::RemoteRef;

/// A moment in the life of this process: how new an answer must be at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Instant);

impl Moment {
    /// This moment.
    pub fn now() -> Self {
        Self(Instant::now())
    }
}

/// What one party was told of the references of one repository. Only what was asked for with success,
/// and nothing after a failure: who may not look any more is told nothing from here.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Each with the moment as of which, or later, the server had it; `None` is known to be absent.
    references: HashMap<String, (Moment, Option<RemoteRef>)>,
    /// Pushes begun and ended so far: what is listed meanwhile may be from before or after.
    pushes: u64,
    under_way: usize,
}

/// A push under way. Unless it lands, everything is forgotten when it ends: the server has something
/// else than was thought.
pub(crate) struct Pushing<'a> {
    seen: &'a Seen,
    began: Moment,
    landed: Cell<bool>,
}

impl Seen {
    /// The references of these names, if all of them are known and new enough.
    pub(super) fn known(
        &self,
        (required, optional): (&[String], &[String]),
        is_new: impl Fn(Moment, Option<&RemoteRef>) -> bool,
    ) -> Option<BTreeMap<String, RemoteRef>> {
        let state = self.0.lock();
        let mut found = BTreeMap::new();
        for name in required.iter().chain(optional) {
            let (at, reference) = state.references.get(name)?;
            if !is_new(*at, reference.as_ref()) {
                return None;
            }
            match reference {
                Some(reference) => drop(found.insert(name.clone(), reference.clone())),
                None if optional.contains(name) => {}
                None => return None,
            }
        }
        Some(found)
    }

    /// Changes with every push that begins or ends; nothing while one is under way.
    pub(super) fn pushes(&self) -> Option<u64> {
        let state = self.0.lock();
        (state.under_way == 0).then_some(state.pushes)
    }

    /// Takes note of what was listed from `began` on, unless there was a push meanwhile.
    pub(super) fn listed(
        &self,
        (began, pushes): (Moment, Option<u64>),
        names: &[String],
        found: &BTreeMap<String, RemoteRef>,
    ) {
        let mut state = self.0.lock();
        if pushes.is_none() || state.under_way > 0 || pushes != Some(state.pushes) {
            return;
        }
        for name in names {
            state.references.insert(name.clone(), (began, found.get(name).cloned()));
        }
    }

    /// Forgets everything.
    pub(super) fn forget(&self) {
        self.0.lock().references.clear();
    }

    /// A push begins.
    pub(crate) fn pushing(&self) -> Pushing<'_> {
        let mut state = self.0.lock();
        state.under_way += 1;
        state.pushes += 1;
        Pushing { seen: self, began: Moment::now(), landed: Cell::new(false) }
    }
}

impl Pushing<'_> {
    /// The server has `reference` now, as it said.
    pub(crate) fn landed(&self, reference: RemoteRef) {
        let mut state = self.seen.0.lock();
        state.references.insert(reference.name.clone(), (self.began, Some(reference)));
        self.landed.set(true);
    }
}

impl Drop for Pushing<'_> {
    fn drop(&mut self) {
        let mut state = self.seen.0.lock();
        state.under_way -= 1;
        state.pushes += 1;
        if !self.landed.get() {
            state.references.clear();
        }
    }
}
