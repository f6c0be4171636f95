//! Sending commits: the part of the protocol that the library does not have (gitprotocol-pack,
//! "Pushing Data To a Server").

mod refspec;
mod report;
mod wire;

pub use refspec::Refspec;

use std::collections::BTreeMap;

use crate::{
    Error, Id, Mirrors, NewCommit,
    commit::Objects,
    listing::{self, RemoteRef},
    mirror::Pushing,
    remote::Remote,
    task::{self, Task},
};

/// What a reference must be on the server for its update to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Exactly this commit.
    Commit(Id),
    /// There is no such reference.
    Absent,
    /// Whatever it is; without force it must still be a commit before the new one.
    Any,
}

/// One reference to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The full name on the server.
    pub reference: String,
    /// What it is to point at; nothing deletes it.
    pub target: Option<Id>,
    /// What it must be before.
    pub expected: Expected,
    /// Allows commits of the server to be left behind.
    pub force: bool,
}

/// What became of one [`Update`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The reference was changed.
    Ok,
    /// The reference was at the target already.
    UpToDate,
    /// The reference is not what was expected: somebody else was faster.
    Stale {
        /// What it is now.
        actual: Option<Id>,
    },
    /// The server (or git's rules) refused.
    Rejected {
        /// The reason, in upstream's words.
        reason: String,
    },
}

/// What became of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// One outcome for each update, in the order given.
    pub outcomes: Vec<Outcome>,
    /// What the server said meanwhile, one line each.
    pub messages: Vec<String>,
}

/// Everything that goes into one push.
#[derive(Clone, Debug)]
pub struct Push {
    /// The newest commit that no server has yet; commits below it go along.
    pub commit: NewCommit,
    /// The references to change. If one is stale, none is sent.
    pub updates: Vec<Update>,
    /// Push options.
    pub options: Vec<String>,
}

impl Mirrors {
    /// Pushes.
    ///
    /// When the connection breaks after the commits were sent, the server is asked again, so that
    /// what arrived is not reported as lost. After success the mirror has the commits too, and knows that
    /// the server has them; else what was known of the server before is forgotten.
    ///
    /// # Errors
    /// Nothing was changed, or it cannot be known; wrapped in [`Error::Push`].
    pub async fn push(&self, remote: &Remote, push: Push) -> Result<Pushed, Error> {
        let (network, shared) = (self.network().clone(), remote.shared());
        task::run(remote.timeout, move |task| {
            let wire = wire::Wire { task, network: &network, remote: &shared };
            let generation = std::sync::Arc::clone(&push.commit.snapshot().generation);
            let pushing = generation.seen().pushing();
            let mut pushed = match wire.send(&push) {
                Ok(pushed) => pushed,
                Err(wire::Failure::Unsent(why)) => return Err(why),
                Err(wire::Failure::Unknown(why)) => {
                    let why = task.failure().unwrap_or(why);
                    task.forgive();
                    after_silence(&wire, &push, why)?
                }
            };
            if pushed.outcomes.iter().any(|it| matches!(it, Outcome::Rejected { .. })) {
                explain(&wire, &push, &mut pushed);
            }
            keep(task, &push, (&pushed, &pushing));
            Ok(pushed)
        })
        .await
        .map_err(|cause| Error::Push { cause: Box::new(cause) })
    }
}

type Heads = BTreeMap<String, Id>;

fn heads(wire: &wire::Wire<'_>, push: &Push) -> Result<Heads, Error> {
    let names: Vec<String> = push.updates.iter().map(|update| update.reference.clone()).collect();
    let listed = listing::list(wire.task, wire.network, wire.remote, &names)?;
    Ok(listed.into_iter().map(|it| (it.name, it.id)).collect())
}

/// What happened to a push whose report never came: the references tell.
fn after_silence(wire: &wire::Wire<'_>, push: &Push, why: Error) -> Result<Pushed, Error> {
    let Ok(heads) = heads(wire, push) else { return Err(why) };
    let arrived = |update: &Update| heads.get(&update.reference).copied() == update.target;
    if push.updates.iter().all(arrived) {
        let outcomes = vec![Outcome::Ok; push.updates.len()];
        return Ok(Pushed { outcomes, messages: Vec::new() });
    }
    Err(why)
}

/// Tells a lost race from a refusal: a race shows in that the reference is not what it was.
fn explain(wire: &wire::Wire<'_>, push: &Push, pushed: &mut Pushed) {
    let Ok(heads) = heads(wire, push) else { return };
    for (update, outcome) in push.updates.iter().zip(&mut pushed.outcomes) {
        let actual = heads.get(&update.reference).copied();
        let moved = match update.expected {
            Expected::Commit(id) => actual != Some(id),
            Expected::Absent => actual.is_some(),
            Expected::Any => false,
        };
        if !matches!(outcome, Outcome::Rejected { .. }) {
            continue;
        }
        if actual == update.target {
            // An equal push of a process that died arrived a moment before.
            *outcome = Outcome::UpToDate;
        } else if moved {
            *outcome = Outcome::Stale { actual };
        }
    }
}

/// Puts what the server has now into the mirror. This saves a fetch; if it fails the next fetch
/// brings it.
fn keep(task: &Task, push: &Push, (pushed, pushing): (&Pushed, &Pushing<'_>)) {
    let snapshot = push.commit.snapshot();
    let is_there = |it: &Outcome| matches!(it, Outcome::Ok | Outcome::UpToDate);
    let landed = push.updates.iter().zip(&pushed.outcomes);
    let landed: Vec<&Update> = landed
        .filter(|(update, outcome)| is_there(outcome) && update.target.is_some())
        .map(|(update, _)| update)
        .collect();
    if landed.is_empty() || snapshot.unpushed.is_empty() {
        return;
    }
    if let Err(why) = store(task, push, &landed) {
        tracing::debug!(%why, "the pushed commit was not kept in the mirror");
        return;
    }
    for (update, id) in landed.into_iter().filter_map(|it| Some((it, it.target?))) {
        let name = update.reference.clone();
        pushing.landed(RemoteRef { name, id, peeled: None });
    }
}

fn store(task: &Task, push: &Push, landed: &[&Update]) -> Result<(), Error> {
    let snapshot = push.commit.snapshot();
    let broken = |why: &dyn std::fmt::Display| Error::Local(why.to_string());
    let repository = snapshot.generation.repository();
    let pack = pack(&snapshot.unpushed)?;
    let folder = snapshot.generation.pack_folder();
    let written = gix_pack::Bundle::write_to_directory(
        &mut pack.as_slice(),
        Some(&folder),
        &mut gix::progress::Discard,
        task.interrupt(),
        None::<gix::OdbHandle>,
        repository.object_hash(),
        gix_pack::bundle::write::Options::default(),
    )
    .map_err(|why| broken(&why))?;
    if let Some(keep) = written.keep_path {
        std::fs::remove_file(keep).map_err(|why| broken(&why))?;
    }
    for update in landed {
        let Some(target) = update.target else { continue };
        repository
            .reference(
                update.reference.as_str(),
                target.raw(),
                gix::refs::transaction::PreviousValue::Any,
                "push",
            )
            .map_err(|why| broken(&why))?;
    }
    Ok(())
}

/// A pack of whole objects.
fn pack(objects: &Objects) -> Result<Vec<u8>, Error> {
    use gix_pack::data::output::{Count, Entry, bytes::FromEntriesIter};
    let broken = |why: gix::Error| Error::Local(format!("the pack cannot be made: {why}"));
    let hash =
        objects.keys().next().map_or(gix::hash::Kind::Sha1, |id: &gix::ObjectId| (*id).kind());
    let mut entries = Vec::with_capacity(objects.len());
    for (id, (kind, bytes)) in objects {
        let data = gix::objs::Data { kind: *kind, data: bytes, object_hash: hash };
        let count = Count::from_data(*id, None);
        entries.push(
            Entry::from_data(&count, &data, gix::zlib::Compression::BEST_SPEED).map_err(broken)?,
        );
    }
    let number = u32::try_from(entries.len())
        .map_err(|_| Error::Local("a push of more objects than a pack holds".to_owned()))?;
    let mut out = Vec::new();
    let chunks = std::iter::once(Ok(entries));
    let version = gix_pack::data::Version::V2;
    for written in FromEntriesIter::new(chunks, &mut out, number, version, hash) {
        written.map_err(broken)?;
    }
    Ok(out)
}
