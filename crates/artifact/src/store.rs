//! Artifacts by path: written whole, verified, collected.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use parking_lot::RwLock;

use crate::{
    Algorithm, Digest, Error, Place,
    digest::Hasher,
    garbage::{self, Candidate, garbage},
    place::FilePath,
    tree::Trees,
    usage::{self, Amount, Usage},
};

/// What temporary files begin with; they are never served.
pub(crate) const TEMPORARY: &str = ".tmp-";

/// How long old artifacts are kept, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// `--artifact-retention-ttl`
    pub ttl: Duration,
    /// `--artifact-retention-records`
    pub records: usize,
}

impl Default for Retention {
    fn default() -> Self {
        Self { ttl: Duration::from_mins(1), records: 2 }
    }
}

/// How much there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one artifact as it is stored.
    pub artifact_bytes: u64,
    /// Files and folders in one artifact.
    pub artifact_files: usize,
    /// Bytes of one artifact when it is extracted.
    pub extracted_bytes: u64,
    /// Bytes of all artifacts of a namespace.
    pub namespace_bytes: u64,
    /// Artifacts of a namespace.
    pub namespace_files: u64,
    /// Bytes of all extracted trees that nobody uses.
    pub idle_trees_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            artifact_bytes: 1 << 30,
            artifact_files: 250_000,
            extracted_bytes: 4 << 30,
            namespace_bytes: 64 << 30,
            namespace_files: 100_000,
            idle_trees_bytes: 4 << 30,
        }
    }
}

/// How a store behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The host, with a port if it is not 80, that URLs name (`--storage-adv-addr`); with
    /// `http://` or `https://` before it, it is used as it is.
    pub address: String,
    /// What stays.
    pub retention: Retention,
    /// What digests of new artifacts are computed with.
    pub algorithm: Algorithm,
    /// How much there may be.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            address: "localhost:9090".to_owned(),
            retention: Retention::default(),
            algorithm: Algorithm::default(),
            limits: Limits::default(),
        }
    }
}

/// A file that was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The path in the store.
    pub path: String,
    /// The digest of its bytes.
    pub digest: Digest,
    /// How many bytes it has.
    pub size: u64,
}

/// How a stored file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// There, with the digest it should have.
    Sound,
    /// Not there, or not a file.
    Missing,
    /// There, but not as it should be; the text says why.
    Damaged(String),
}

/// All artifacts below one folder; clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) root: PathBuf,
    pub(crate) options: Options,
    usage: Usage,
    pub(crate) trees: Trees,
    /// Held to write a file or link, and alone to remove what has been left over.
    sweeping: RwLock<()>,
}

impl Store {
    /// Opens the store below `root`, which is made if it is absent, with extracted trees in `trees`,
    /// a folder of this process alone. What a killed process left half-written is removed.
    ///
    /// # Errors
    /// The folders cannot be used.
    pub fn open(root: &Path, trees: &Path, options: Options) -> Result<Self, Error> {
        folder(root)?;
        let root = root.canonicalize()?;
        sweep(&root)?;
        let usage = Usage::of(&root)?;
        let trees = Trees::open(trees, options.limits)?;
        let inner = Inner { root, options, usage, trees, sweeping: RwLock::new(()) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// How it behaves.
    pub fn options(&self) -> &Options {
        &self.inner.options
    }

    /// Where a path of the store is served.
    pub fn url(&self, path: &str) -> String {
        let address = &self.inner.options.address;
        let path = path.trim_start_matches('/');
        if address.starts_with("http://") || address.starts_with("https://") {
            format!("{address}/{path}")
        } else {
            format!("http://{address}/{path}")
        }
    }

    /// Stores what `write` writes as `file` of `place`, whole or not at all.
    ///
    /// # Errors
    /// What `write` says, a limit that does not hold, or the disk; what was there before stays.
    pub async fn write(
        &self,
        place: &Place,
        file: &str,
        write: impl FnOnce(&mut dyn Write) -> Result<(), Error> + Send + 'static,
    ) -> Result<Stored, Error> {
        let path = place.file(file)?;
        let (inner, place) = (Arc::clone(&self.inner), place.clone());
        blocking(move || inner.write(&place, path, write)).await
    }

    /// Stores some bytes as they are.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    pub async fn put(&self, place: &Place, file: &str, bytes: Vec<u8>) -> Result<Stored, Error> {
        self.write(place, file, move |to| Ok(to.write_all(&bytes)?)).await
    }

    /// Whether a path holds what has this digest; every byte is read.
    ///
    /// # Errors
    /// The disk cannot be used.
    pub async fn verify(&self, path: &str, digest: &str) -> Result<Health, Error> {
        let Ok(path) = path.parse::<FilePath>() else { return Ok(Health::Missing) };
        let (inner, digest) = (Arc::clone(&self.inner), digest.to_owned());
        blocking(move || inner.verify(&path, &digest)).await
    }

    /// The file of a path, for reading; none if there is none.
    ///
    /// # Errors
    /// The disk cannot be used.
    pub async fn file(&self, path: &str) -> Result<Option<File>, Error> {
        let Ok(path) = path.parse::<FilePath>() else { return Ok(None) };
        let inner = Arc::clone(&self.inner);
        blocking(move || match inner.regular(&path)? {
            None => Ok(None),
            Some(_) => Ok(Some(File::open(inner.at(path.as_str()))?)),
        })
        .await
    }

    /// Removes one file.
    ///
    /// # Errors
    /// It cannot be removed.
    pub async fn remove(&self, path: &str) -> Result<(), Error> {
        let path: FilePath = path.parse()?;
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.remove(&path.place, &inner.at(path.as_str()))).await
    }

    /// Removes what is no longer needed besides `current`, a path of the store; returns how many
    /// files that were. `now` tells how old they are.
    ///
    /// # Errors
    /// The disk cannot be used.
    pub async fn collect(&self, current: &str, now: jiff::Timestamp) -> Result<usize, Error> {
        let current: FilePath = current.parse()?;
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.collect(&current, now.into())).await
    }

    /// Removes everything an object has; returns whether there was something.
    ///
    /// # Errors
    /// The disk cannot be used.
    pub async fn forget(&self, place: &Place) -> Result<bool, Error> {
        let (inner, place) = (Arc::clone(&self.inner), place.clone());
        blocking(move || inner.forget(&place)).await
    }

    /// Makes `link` a name of the stored file `path`, both in the folder of one object, and returns
    /// where it is served.
    ///
    /// # Errors
    /// The disk cannot be used.
    pub async fn link(&self, path: &str, link: &str) -> Result<String, Error> {
        let path: FilePath = path.parse()?;
        let link = path.place.file(link)?;
        let url = self.url(&link);
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.link(&path, &link)).await?;
        Ok(url)
    }
}

impl Inner {
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn write(
        &self,
        place: &Place,
        path: String,
        write: impl FnOnce(&mut dyn Write) -> Result<(), Error>,
    ) -> Result<Stored, Error> {
        let at = self.at(&path);
        let parent = at.parent().unwrap_or(&self.root);
        let limits = &self.options.limits;
        let most = Amount { bytes: limits.namespace_bytes, files: limits.namespace_files };
        let _writing = self.sweeping.read();
        folder(parent)?;
        let replaced = fs::symlink_metadata(&at).ok().filter(fs::Metadata::is_file);
        let replaced = replaced.map(|data| Amount { bytes: data.len(), files: 1 });
        let temporary = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(parent)?;
        let out = io::BufWriter::with_capacity(128 << 10, temporary.as_file());
        let (size, digest) = measured(out, &self.options, write)?;
        if replaced.is_none() {
            self.usage.admit(place.namespace(), size, most)?;
        }
        temporary.as_file().set_permissions(fs::Permissions::from_mode(0o600))?;
        temporary.persist(&at).map_err(|why| Error::from(why.error))?;
        self.usage.take(place.namespace(), replaced.unwrap_or_default());
        self.usage.add(place.namespace(), Amount { bytes: size, files: 1 });
        Ok(Stored { path, digest, size })
    }

    /// What a path holds, if that is a regular file.
    pub(crate) fn regular(&self, path: &FilePath) -> Result<Option<fs::Metadata>, Error> {
        match fs::symlink_metadata(self.at(path.as_str())) {
            Ok(data) if data.is_file() => Ok(Some(data)),
            Ok(_) => Ok(None),
            Err(why) if is_absent(&why) => Ok(None),
            Err(why) => Err(why.into()),
        }
    }

    fn verify(&self, path: &FilePath, digest: &str) -> Result<Health, Error> {
        if self.regular(path)?.is_none() {
            return Ok(Health::Missing);
        }
        if digest.is_empty() {
            return Ok(Health::Damaged("artifact has no digest".to_owned()));
        }
        let wanted: Digest = match digest.parse() {
            Ok(wanted) => wanted,
            Err(why) => return Ok(Health::Damaged(why.to_string())),
        };
        let found = wanted.algorithm().digest_of(File::open(self.at(path.as_str()))?)?;
        if found != wanted {
            return Ok(Health::Damaged(format!("computed digest doesn't match '{wanted}'")));
        }
        Ok(Health::Sound)
    }

    fn remove(&self, place: &Place, at: &Path) -> Result<(), Error> {
        let size = fs::symlink_metadata(at).ok().filter(fs::Metadata::is_file);
        match fs::remove_file(at) {
            Ok(()) => {}
            Err(why) if is_absent(&why) => return Ok(()),
            Err(why) => return Err(why.into()),
        }
        if let Some(data) = size {
            self.usage.take(place.namespace(), Amount { bytes: data.len(), files: 1 });
        }
        // Locks are upstream's; a volume it has used may still hold some.
        let mut lock = at.as_os_str().to_owned();
        lock.push(".lock");
        if fs::symlink_metadata(&lock).is_ok_and(|data| data.is_file()) {
            fs::remove_file(&lock)?;
            self.usage.take(place.namespace(), Amount { bytes: 0, files: 1 });
        }
        Ok(())
    }

    fn collect(&self, current: &FilePath, now: SystemTime) -> Result<usize, Error> {
        let place = self.at(&current.place.to_string());
        let Retention { ttl, records } = self.options.retention;
        let candidates = candidates(&place)?;
        let current = current.as_str().strip_prefix(&format!("{}/", current.place));
        let garbage = garbage(candidates, current.unwrap_or_default(), now, (ttl, records));
        let owner = Place::clone(&self.place_of(&place)?);
        for name in &garbage {
            self.remove(&owner, &place.join(name))?;
        }
        Ok(garbage.len())
    }

    fn place_of(&self, folder: &Path) -> Result<Place, Error> {
        let path = folder.strip_prefix(&self.root).unwrap_or(folder).to_string_lossy();
        Ok(format!("{path}/-").parse::<FilePath>()?.place)
    }

    fn forget(&self, place: &Place) -> Result<bool, Error> {
        let at = self.at(&place.to_string());
        let amount = usage::count(&at)?;
        match fs::remove_dir_all(&at) {
            Ok(()) => {}
            Err(why) if is_absent(&why) => return Ok(false),
            Err(why) => return Err(why.into()),
        }
        self.usage.take(place.namespace(), amount);
        // An empty folder of a namespace is of no use; others may be about to use it, though.
        let _alone = self.sweeping.write();
        if let Some(namespace) = at.parent() {
            let _ = fs::remove_dir(namespace);
        }
        Ok(true)
    }

    fn link(&self, path: &FilePath, link: &str) -> Result<(), Error> {
        let _writing = self.sweeping.read();
        let at = self.at(link);
        let parent = at.parent().unwrap_or(&self.root);
        let target = self.at(path.as_str());
        // Relative to the folder, so that the store can move.
        let target = target.strip_prefix(parent).unwrap_or(&target);
        let name = format!("{TEMPORARY}{}", at.file_name().unwrap_or_default().to_string_lossy());
        let temporary = parent.join(name);
        match fs::remove_file(&temporary) {
            Err(why) if !is_absent(&why) => return Err(why.into()),
            _ => {}
        }
        std::os::unix::fs::symlink(target, &temporary)?;
        Ok(fs::rename(&temporary, &at)?)
    }
}

/// The files of an object with their ages.
fn candidates(place: &Path) -> Result<Vec<Candidate>, Error> {
    let mut found = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(place.join(&folder)) {
            Ok(entries) => entries,
            Err(why) if is_absent(&why) => continue,
            Err(why) => return Err(why.into()),
        };
        for entry in entries.take(garbage::LOOKED_AT) {
            let entry = entry?;
            let kind = entry.file_type()?;
            let name = format!("{folder}{}", entry.file_name().to_string_lossy());
            let is_lock = Path::new(&name).extension().is_some_and(|it| it == "lock");
            if kind.is_dir() {
                folders.push(format!("{name}/"));
            } else if kind.is_file() && !is_lock && !is_temporary(&entry.path()) {
                found.push(Candidate { name, written: entry.metadata()?.modified()? });
            }
        }
        if found.len() >= garbage::LOOKED_AT {
            break;
        }
    }
    Ok(found)
}

/// Removes what a killed process was about to write.
fn sweep(root: &Path) -> Result<(), Error> {
    let mut folders: Vec<PathBuf> =
        crate::Kind::ALL.into_iter().map(|kind| root.join(kind.folder())).collect();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if is_temporary(&entry.path()) {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}

fn is_temporary(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(TEMPORARY))
}

/// Makes a folder that only we may read.
pub(crate) fn folder(path: &Path) -> Result<(), Error> {
    Ok(DirBuilder::new().recursive(true).mode(0o700).create(path)?)
}

pub(crate) fn is_absent(why: &io::Error) -> bool {
    matches!(why.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Runs work on the disk off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let broken = |_| Error::Disk("a worker thread ended before its work was done".to_owned());
    tokio::task::spawn_blocking(work).await.map_err(broken)?
}

/// Size and digest of what is written.
fn measured(
    out: impl Write,
    options: &Options,
    write: impl FnOnce(&mut dyn Write) -> Result<(), Error>,
) -> Result<(u64, Digest), Error> {
    let (hasher, most) = (options.algorithm.hasher(), options.limits.artifact_bytes);
    let mut out = Measured { out, hasher, size: 0, most };
    write(&mut out)?;
    out.flush()?;
    Ok((out.size, out.hasher.finish()))
}

/// Counts and hashes what goes through, and ends it when it is too much.
struct Measured<W> {
    out: W,
    hasher: Hasher,
    size: u64,
    most: u64,
}

impl<W: Write> Write for Measured<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.size += written as u64;
        if self.size > self.most {
            let limit = Error::limit("the size of the artifact", format!("{} bytes", self.most));
            return Err(limit.into());
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
