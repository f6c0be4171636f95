//! Bare mirrors of remote repositories on disk.
//!
//! ```text
//! Mirrors ── key(scope, address, credentials, CA, proxy) ──> Mirror ── holds ──> Generation 7 (bare repository)
//!    fetch: one at a time per mirror; those who wait share the next one              ^
//!    readers: keep the generation they began with ───────────────────────────────────┘
//! ```
//!
//! Every use starts at the server with the caller's own credentials; what is on disk only saves
//! sending objects again, and is never an answer by itself. What the server answered not long ago, to
//! the same credentials, serves those who say how new an answer must be.

mod fetch;
mod folder;
mod generation;
mod key;
mod seen;

pub use seen::Moment;
pub(crate) use {
    generation::Generation,
    seen::{Pushing, Seen},
};

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use fetch::Plan;
use folder::Folder;
use parking_lot::Mutex;

use crate::{
    Error, Id, Snapshot,
    listing::RemoteRef,
    network::Network,
    remote::Remote,
    task::{self, Task},
};

/// How much the mirrors may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes on disk and over the wire for one repository.
    pub repository_bytes: u64,
    /// Bytes of a single object; a repository that has a larger one is refused.
    pub object_bytes: u64,
    /// Bytes of a single file that is read.
    pub file_bytes: u64,
    /// Packs in a mirror before it is built anew.
    pub packs: usize,
    /// Mirrors kept; those unused for longest go first.
    pub mirrors: usize,
    /// Fetches the newest commit only, not the history behind it.
    pub shallow: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            repository_bytes: 2 << 30,
            object_bytes: 512 << 20,
            file_bytes: 16 << 20,
            packs: 50,
            mirrors: 512,
            shallow: true,
        }
    }
}

/// What to fetch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Want {
    /// Full names of references that must exist.
    pub references: Vec<String>,
    /// Full names of references that may be absent.
    pub optional: Vec<String>,
    /// Commits by id.
    pub commits: Vec<Id>,
    /// Whether all commits before them are wanted too.
    pub history: bool,
    /// An answer as of this moment or later is new enough; the call itself when absent.
    pub since: Option<Moment>,
    /// An answer in which the references are at this commit is new enough, however old it is: somebody
    /// else saw them there.
    pub told: Option<Id>,
}

impl Want {
    /// The branch `name`.
    pub fn branch(name: &str) -> Self {
        Self { references: vec![format!("refs/heads/{name}")], ..Self::default() }
    }

    /// The same with all commits before.
    #[must_use]
    pub fn with_history(mut self) -> Self {
        self.history = true;
        self
    }

    /// An answer as of `moment` or later is new enough.
    #[must_use]
    pub fn since(mut self, moment: Moment) -> Self {
        self.since = Some(moment);
        self
    }

    /// An answer in which the references are at `commit` is new enough.
    #[must_use]
    pub fn told(mut self, commit: Option<Id>) -> Self {
        self.told = commit;
        self
    }

    /// Adds a reference that may be absent.
    #[must_use]
    pub fn and_maybe(mut self, reference: &str) -> Self {
        self.optional.push(reference.to_owned());
        self
    }
}

/// All mirrors below one folder; clones share them. One process at a time may have them open.
#[derive(Clone, Debug)]
pub struct Mirrors {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    folder: Folder,
    limits: Limits,
    network: Network,
    open: Mutex<HashMap<String, Arc<Mirror>>>,
    calls: AtomicU64,
}

/// One repository as one party sees it.
#[derive(Debug)]
struct Mirror {
    dir: PathBuf,
    /// The number of the last call of all mirrors that was for this one.
    used: AtomicU64,
    generation: Mutex<Option<Arc<Generation>>>,
    seen: Arc<Seen>,
    /// Whose turn it is to fetch.
    state: Arc<tokio::sync::Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Whether the disk has been looked at.
    opened: bool,
}

impl Mirror {
    /// Whether somebody fetches or reads.
    fn is_used(self: &Arc<Self>) -> bool {
        let Ok(_fetches) = self.state.try_lock() else { return true };
        let read = |generation: &Arc<Generation>| Arc::strong_count(generation) > 1;
        Arc::strong_count(self) > 1 || self.generation.lock().as_ref().is_some_and(read)
    }

    /// What is wanted, if the server told it not before `arrival` and it is all here.
    fn known(&self, want: &Want, arrival: Moment, packs: usize) -> Option<Fetched> {
        let names = want.references.len() + want.optional.len();
        if !want.commits.is_empty() || names == 0 {
            return None;
        }
        let generation = self.generation.lock().clone()?;
        let is_new = |at: Moment, it: Option<&RemoteRef>| {
            at >= arrival || want.told.is_some() && it.map(RemoteRef::commit) == want.told
        };
        let references = self.seen.known((&want.references, &want.optional), is_new)?;
        let ids = references.values().flat_map(|it| [it.id, it.commit()]);
        let here = generation.is_sound(packs) && generation.holds(ids, want.history);
        here.then(|| Fetched { references: Arc::new(references), generation })
    }
}

/// What a fetch brought: the references as the server told them, and their objects.
#[derive(Clone, Debug)]
pub struct Fetched {
    references: Arc<BTreeMap<String, RemoteRef>>,
    generation: Arc<Generation>,
}

impl Fetched {
    /// The wanted references that exist, by full name.
    pub fn references(&self) -> &BTreeMap<String, RemoteRef> {
        &self.references
    }

    /// The commit a reference points at, by its full name.
    pub fn commit(&self, reference: &str) -> Option<Id> {
        self.references.get(reference).map(RemoteRef::commit)
    }

    /// The tree of a commit that was fetched.
    ///
    /// # Errors
    /// The mirror does not hold the commit.
    pub async fn snapshot(&self, commit: Id) -> Result<Snapshot, Error> {
        let generation = Arc::clone(&self.generation);
        task::run(LOCAL, move |_| Snapshot::open(generation, commit)).await
    }
}

/// How long work on the local disk may take.
pub(crate) const LOCAL: std::time::Duration = std::time::Duration::from_mins(5);

impl Mirrors {
    /// Takes the folder for this process and removes what a killed one left half-written.
    ///
    /// # Errors
    /// The folder cannot be made, or another process has it.
    pub fn open(dir: &Path, limits: Limits, network: Network) -> Result<Self, Error> {
        let folder = Folder::take(dir)?;
        folder.thin(limits.mirrors)?;
        let (open, calls) = (Mutex::default(), AtomicU64::default());
        Ok(Self { inner: Arc::new(Inner { folder, limits, network, open, calls }) })
    }

    /// The network the mirrors are filled over.
    pub fn network(&self) -> &Network {
        &self.inner.network
    }

    /// Brings `want` into the mirror that `scope` (a namespace) has of `remote`.
    ///
    /// Calls that wait for a running fetch share the next one, and those that say how new an answer must
    /// be ([`Want::since`], [`Want::told`]) share what was told before.
    ///
    /// # Errors
    /// As for every operation; a wanted reference that does not exist is [`Error::RefNotFound`], a
    /// repository without commits [`Error::Empty`].
    pub async fn fetch(&self, scope: &str, remote: &Remote, want: &Want) -> Result<Fetched, Error> {
        let began = Instant::now();
        let mirror = self.mirror(scope, remote);
        let (arrival, packs) = (want.since.unwrap_or_else(Moment::now), self.inner.limits.packs);
        if let Some(known) = mirror.known(want, arrival, packs) {
            return Ok(known);
        }
        let lock = Arc::clone(&mirror.state).lock_owned();
        let mut state =
            tokio::time::timeout(remote.timeout, lock).await.map_err(|_| Error::Timeout)?;
        if let Some(known) = mirror.known(want, arrival, packs) {
            return Ok(known);
        }
        let inner = Arc::clone(&self.inner);
        let (remote, want) = (remote.shared(), want.clone());
        let left = remote.timeout.saturating_sub(began.elapsed());
        task::run(left, move |task| {
            // The lock goes along: if the caller leaves, nobody else starts before this has ended.
            let began = (Moment::now(), mirror.seen.pushes());
            let fetched = inner.fill(task, &mirror, &mut state, (&remote, &want));
            match &fetched {
                Ok(fetched) => {
                    let names = [&*want.references, &*want.optional].concat();
                    mirror.seen.listed(began, &names, &fetched.references);
                }
                Err(_) => mirror.seen.forget(),
            }
            fetched
        })
        .await
    }

    fn mirror(&self, scope: &str, remote: &Remote) -> Arc<Mirror> {
        let key = key::of(self.inner.folder.secret(), scope, remote);
        let mut open = self.inner.open.lock();
        if !open.contains_key(&key) && open.len() >= self.inner.limits.mirrors {
            self.inner.make_room(&mut open);
        }
        let fresh = || {
            Arc::new(Mirror {
                dir: self.inner.folder.path().join(&key),
                used: AtomicU64::default(),
                generation: Mutex::default(),
                seen: Arc::default(),
                state: Arc::default(),
            })
        };
        let mirror = Arc::clone(open.entry(key.clone()).or_insert_with(fresh));
        mirror.used.store(self.inner.calls.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        mirror
    }
}

impl Inner {
    /// Removes the mirror that was used least lately and is not in use now.
    fn make_room(&self, open: &mut HashMap<String, Arc<Mirror>>) {
        let idle = open.iter().filter(|(_, mirror)| !mirror.is_used());
        let oldest = idle.min_by_key(|(_, mirror)| mirror.used.load(Ordering::Relaxed));
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            open.remove(&key);
            self.folder.discard(&key);
        }
    }

    fn fill(
        &self,
        task: &Task,
        mirror: &Mirror,
        state: &mut State,
        (remote, want): (&Remote, &Want),
    ) -> Result<Fetched, Error> {
        if !std::mem::replace(&mut state.opened, true) {
            *mirror.generation.lock() =
                Generation::newest(&mirror.dir, (&self.limits, &mirror.seen))?;
        }
        let generation = mirror.generation.lock().clone();
        let plan = Plan { network: &self.network, remote, want, limits: &self.limits };
        if let Some(generation) = generation
            && generation.is_sound(self.limits.packs)
        {
            match plan.run(task, &generation) {
                Ok(references) => {
                    return Ok(Fetched { references: Arc::new(references), generation });
                }
                // It may be the mirror that is broken or full: a fresh one will tell.
                Err(Error::Local(_) | Error::TooLarge { .. }) if !task.is_cancelled() => {
                    task.forgive();
                }
                Err(why) => return Err(why),
            }
        }
        let fresh = Arc::new(Generation::create(&mirror.dir, (&self.limits, &mirror.seen))?);
        let references = plan.run(task, &fresh).inspect_err(|_| fresh.doom())?;
        fresh.complete()?;
        // What was there before stays for its readers and goes with the last of them.
        if let Some(before) = mirror.generation.lock().replace(Arc::clone(&fresh)) {
            before.doom();
        }
        Ok(Fetched { references: Arc::new(references), generation: fresh })
    }
}
