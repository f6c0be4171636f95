//! One bare repository of a mirror, from its first fetch until a fresh one takes its place.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use gix::{objs::Exists as _, odb::pack::cache::lru::MemoryCappedHashmap};

use crate::{
    Error, Id,
    mirror::{Limits, Seen},
};

/// Bytes of objects that are kept because others are stored as differences from them. The library's own
/// cache has 64 places: whoever reads a tree in its order makes most objects from a chain of fifty.
const BASES: usize = 8 << 20;
/// The file that says that a generation has been filled.
const COMPLETE: &str = "complete";

/// A bare repository on disk, removed when nobody uses it once it is [doomed](Self::doom).
pub(crate) struct Generation {
    path: PathBuf,
    repository: gix::ThreadSafeRepository,
    file_bytes: u64,
    doomed: AtomicBool,
    /// What the mirror's server was known to have.
    seen: Arc<Seen>,
}

impl std::fmt::Debug for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Generation").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        if self.doomed.load(Ordering::Relaxed) {
            // What cannot be removed now is removed at the next start.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

impl Generation {
    /// The newest filled generation below `dir`; all others, and what a killed process left in this
    /// one, are removed. `None` if there is none that can be opened.
    pub(super) fn newest(
        dir: &Path,
        (limits, seen): (&Limits, &Arc<Seen>),
    ) -> Result<Option<Arc<Self>>, Error> {
        let mut numbers = numbers(dir)?;
        let filled = |number: &u64| dir.join(number.to_string()).join(COMPLETE).exists();
        let newest = numbers.iter().copied().filter(filled).max();
        numbers.retain(|number| Some(*number) != newest);
        for number in numbers {
            fs::remove_dir_all(dir.join(number.to_string())).map_err(failed)?;
        }
        let Some(newest) = newest else { return Ok(None) };
        let path = dir.join(newest.to_string());
        touch(dir).map_err(failed)?;
        if sweep(&path).is_ok()
            && let Ok(repository) = gix::ThreadSafeRepository::open_opts(&path, options(limits))
        {
            return Ok(Some(Arc::new(Self::of(path, repository, (limits, seen)))));
        }
        fs::remove_dir_all(path).map_err(failed)?;
        Ok(None)
    }

    /// An empty generation after all that exist.
    pub(super) fn create(dir: &Path, (limits, seen): (&Limits, &Arc<Seen>)) -> Result<Self, Error> {
        fs::create_dir_all(dir).map_err(failed)?;
        let number = numbers(dir)?.into_iter().max().unwrap_or_default() + 1;
        let path = dir.join(number.to_string());
        let broken =
            |why: &dyn std::fmt::Display| Error::Local(format!("cannot make a mirror: {why}"));
        gix::ThreadSafeRepository::init_opts(
            &path,
            gix::create::Kind::Bare,
            gix::create::Options::default(),
            options(limits),
        )
        .map_err(|why| broken(&why))?;
        let repository = gix::ThreadSafeRepository::open_opts(&path, options(limits))
            .map_err(|why| broken(&why))?;
        Ok(Self::of(path, repository, (limits, seen)))
    }

    fn of(
        path: PathBuf,
        repository: gix::ThreadSafeRepository,
        (limits, seen): (&Limits, &Arc<Seen>),
    ) -> Self {
        let (doomed, seen) = (AtomicBool::new(false), Arc::clone(seen));
        Self { path, repository, file_bytes: limits.file_bytes, doomed, seen }
    }

    /// What the mirror's server was known to have.
    pub(crate) fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Whether objects are here, with all commits before them if `history`.
    pub(super) fn holds(&self, mut ids: impl Iterator<Item = Id>, history: bool) -> bool {
        let repository = self.repository();
        let whole = !history || !repository.is_shallow().unwrap_or(true);
        whole && ids.all(|id| repository.objects.exists(&id.raw()))
    }

    /// Marks the generation as one to be opened again after a restart.
    pub(super) fn complete(&self) -> Result<(), Error> {
        fs::write(self.path.join(COMPLETE), "").map_err(failed)
    }

    /// Lets the generation be removed with its last user, and never be used for another fetch.
    pub(crate) fn doom(&self) {
        self.doomed.store(true, Ordering::Relaxed);
    }

    /// Whether more can be fetched into it.
    pub(super) fn is_sound(&self, packs: usize) -> bool {
        if self.pack_count() > packs {
            self.doom();
        }
        !self.doomed.load(Ordering::Relaxed)
    }

    fn pack_count(&self) -> usize {
        let Ok(entries) = fs::read_dir(self.pack_folder()) else { return 0 };
        entries.flatten().filter(|entry| has_extension(&entry.path(), "pack")).count()
    }

    pub(crate) fn pack_folder(&self) -> PathBuf {
        self.path.join("objects").join("pack")
    }

    /// Bytes of all packs.
    pub(super) fn size(&self) -> u64 {
        let Ok(entries) = fs::read_dir(self.pack_folder()) else { return 0 };
        entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|data| data.len()).sum()
    }

    /// A view of the repository for one thread.
    pub(crate) fn repository(&self) -> gix::Repository {
        let mut repository = self.repository.to_thread_local();
        repository.object_cache_size_if_unset(8 << 20);
        repository.objects.set_pack_cache(|| Box::new(MemoryCappedHashmap::new(BASES)));
        repository
    }

    /// Bytes of the largest file that is read.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// What an object that cannot be read means: the next fetch starts afresh.
    pub(crate) fn damaged(&self, id: Id) -> Error {
        self.doom();
        Error::Local(format!(
            "the local mirror is damaged at object {id}; it will be fetched again"
        ))
    }
}

fn options(limits: &Limits) -> gix::open::Options {
    // Nothing of the machine's git configuration counts, and no object may fill the memory.
    gix::open::Options::isolated()
        .open_path_as_is(true)
        .object_store_slots(gix::odb::store::init::Slots::Given(512))
        .config_overrides([
            format!("gitoxide.objects.allocLimit={}", limits.object_bytes),
            "core.logAllRefUpdates=false".to_owned(),
        ])
}

fn numbers(dir: &Path) -> Result<Vec<u64>, Error> {
    match fs::read_dir(dir) {
        Ok(entries) => Ok(entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok()))
            .collect()),
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(why) => Err(failed(why)),
    }
}

/// Removes locks, temporary files and packs without an index: nobody is at work on them any more.
fn sweep(path: &Path) -> std::io::Result<()> {
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let at = entry.path();
            if entry.file_type()?.is_dir() {
                folders.push(at);
                continue;
            }
            let stale = match at.extension().and_then(|ending| ending.to_str()) {
                Some("lock" | "keep") => true,
                Some("pack") => !at.with_extension("idx").exists(),
                Some("idx") => !at.with_extension("pack").exists(),
                _ => is_temporary(&at),
            };
            if stale {
                fs::remove_file(at)?;
            }
        }
    }
    Ok(())
}

fn is_temporary(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with(".tmp") || name.starts_with("tmp_")
}

/// Makes the folder young: its age tells when the mirror was last used.
fn touch(dir: &Path) -> std::io::Result<()> {
    let probe = dir.join("used");
    fs::write(&probe, "")?;
    fs::remove_file(probe)
}

fn has_extension(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|it| it == ending)
}

#[expect(clippy::needless_pass_by_value, reason = "a function for map_err")]
fn failed(why: std::io::Error) -> Error {
    Error::Local(format!("the mirror's folder cannot be used: {why}"))
}
