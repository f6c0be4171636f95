//! Artifacts extracted once per digest, shared by all who hold a grant.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;

use crate::{
    Digest, Error, Store,
    place::FilePath,
    store::{Limits, blocking, folder},
    tarball::{Bounds, extract},
    usage,
};

/// How many grants one owner has; those made first end first.
const GRANTS: usize = 8;

/// An extracted tree that stays as long as somebody holds this. It is read-only by agreement: nothing
/// may be written to it.
#[derive(Clone, Debug)]
pub struct Lease {
    tree: Arc<Tree>,
}

impl Lease {
    /// The folder.
    pub fn path(&self) -> &Path {
        &self.tree.path
    }

    /// The digest of the artifact it was extracted from.
    pub fn digest(&self) -> &Digest {
        &self.tree.digest
    }
}

#[derive(Debug)]
struct Tree {
    path: PathBuf,
    digest: Digest,
    bytes: u64,
    /// The number of the last call that asked for it.
    used: AtomicU64,
}

/// Who may have which artifact: the owner's UID, the digest and where the artifact is.
#[derive(Debug, Default)]
struct Grants {
    of: HashMap<String, Vec<(Digest, Origin)>>,
}

impl Grants {
    fn add(&mut self, owner: &str, grant: (Digest, Origin)) {
        let own = self.of.entry(owner.to_owned()).or_default();
        own.retain(|known| known.0 != grant.0);
        own.push(grant);
        if own.len() > GRANTS {
            own.remove(0);
        }
    }
}

/// Where an artifact is.
#[derive(Clone, Debug)]
enum Origin {
    /// In this store.
    Own(FilePath),
    /// Elsewhere: when its tree goes, it must be fetched again.
    Elsewhere,
}

#[derive(Debug)]
pub(crate) struct Trees {
    folder: PathBuf,
    limits: Limits,
    grants: Mutex<Grants>,
    open: Mutex<HashMap<Digest, Arc<Tree>>>,
    /// One extraction per digest at a time.
    busy: Mutex<HashMap<Digest, Arc<tokio::sync::Mutex<()>>>>,
    calls: AtomicU64,
}

impl Trees {
    /// Takes the folder and removes what earlier processes left there: who may have it is not known
    /// any more.
    pub(crate) fn open(at: &Path, limits: Limits) -> Result<Self, Error> {
        if at.exists() {
            fs::remove_dir_all(at)?;
        }
        folder(at)?;
        Ok(Self {
            folder: at.canonicalize()?,
            limits,
            grants: Mutex::default(),
            open: Mutex::default(),
            busy: Mutex::default(),
            calls: AtomicU64::default(),
        })
    }

    fn granted(&self, owner: &str, digest: &Digest) -> Option<Origin> {
        let grants = self.grants.lock();
        let mut own = grants.of.get(owner)?.iter();
        own.find(|(granted, _)| granted == digest).map(|(_, origin)| origin.clone())
    }

    fn find(&self, digest: &Digest) -> Option<Lease> {
        let tree = Arc::clone(self.open.lock().get(digest)?);
        tree.used.store(self.calls.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        Some(Lease { tree })
    }

    fn lock(&self, digest: &Digest) -> Arc<tokio::sync::Mutex<()>> {
        let mut busy = self.busy.lock();
        busy.retain(|_, lock| Arc::strong_count(lock) > 1);
        Arc::clone(busy.entry(digest.clone()).or_default())
    }

    /// Makes the tree known and removes those that are unused for longest, if they are too many.
    fn keep(&self, tree: Tree) -> Lease {
        let lease = Lease { tree: Arc::new(tree) };
        let mut open = self.open.lock();
        open.insert(lease.tree.digest.clone(), Arc::clone(&lease.tree));
        let mut idle: Vec<Arc<Tree>> =
            open.values().filter(|tree| Arc::strong_count(tree) == 1).cloned().collect();
        let mut bytes: u64 = idle.iter().map(|tree| tree.bytes).sum();
        idle.sort_by_key(|tree| tree.used.load(Ordering::Relaxed));
        for tree in idle {
            if bytes <= self.limits.idle_trees_bytes {
                break;
            }
            bytes = bytes.saturating_sub(tree.bytes);
            open.remove(&tree.digest);
            // What cannot be removed now goes at the next start.
            let _ = fs::remove_dir_all(&tree.path);
        }
        lease
    }
}

impl Store {
    /// Notes that this process made or verified the artifact at `path` for the object `owner` (its
    /// UID): from now on the owner's users may have it extracted.
    ///
    /// # Errors
    /// The path or the digest is none.
    pub fn grant(&self, owner: &str, path: &str, digest: &str) -> Result<(), Error> {
        let grant = (digest.parse()?, Origin::Own(path.parse()?));
        self.inner.trees.grants.lock().add(owner, grant);
        Ok(())
    }

    /// Takes all grants of an owner back.
    pub fn revoke(&self, owner: &str) {
        self.inner.trees.grants.lock().of.remove(owner);
    }

    /// The extracted tree of an artifact that `owner` was granted. None if there is no such grant, or
    /// the file is gone: then the artifact must be fetched by its URL.
    ///
    /// # Errors
    /// The file does not have the digest, is no archive, or is too large.
    pub async fn tree(&self, owner: &str, digest: &str) -> Result<Option<Lease>, Error> {
        let digest: Digest = digest.parse()?;
        let trees = &self.inner.trees;
        let Some(origin) = trees.granted(owner, &digest) else { return Ok(None) };
        if let Some(lease) = trees.find(&digest) {
            return Ok(Some(lease));
        }
        let Origin::Own(path) = origin else { return Ok(None) };
        let lock = trees.lock(&digest);
        let _busy = lock.lock().await;
        if let Some(lease) = trees.find(&digest) {
            return Ok(Some(lease));
        }
        let Some(file) = self.file(path.as_str()).await? else { return Ok(None) };
        let inner = Arc::clone(&self.inner);
        let tree = blocking(move || unpack(&inner.trees, file, digest)).await?;
        Ok(Some(self.inner.trees.keep(tree)))
    }

    /// A file for what is fetched from elsewhere; it is gone when it is closed.
    ///
    /// # Errors
    /// The disk cannot be used.
    pub fn inbox(&self) -> Result<fs::File, Error> {
        Ok(tempfile::tempfile_in(&self.inner.trees.folder)?)
    }

    /// Extracts an artifact that `owner` fetched from elsewhere, and grants it: while its tree stays,
    /// [`tree`](Self::tree) gives it.
    ///
    /// # Errors
    /// The file does not have the digest, is no archive, or is too large.
    pub async fn adopt(&self, owner: &str, digest: &str, file: fs::File) -> Result<Lease, Error> {
        let digest: Digest = digest.parse()?;
        let trees = &self.inner.trees;
        let lock = trees.lock(&digest);
        let _busy = lock.lock().await;
        let inner = Arc::clone(&self.inner);
        let wanted = digest.clone();
        let lease = if let Some(lease) = trees.find(&digest) {
            // Whoever else has the tree: this owner must have fetched the same.
            blocking(move || check(file, &wanted).map(|_| lease)).await?
        } else {
            trees.keep(blocking(move || unpack(&inner.trees, file, wanted)).await?)
        };
        trees.grants.lock().add(owner, (digest, Origin::Elsewhere));
        Ok(lease)
    }

    /// The digests of the trees that are extracted now.
    pub fn extracted(&self) -> HashSet<Digest> {
        self.inner.trees.open.lock().keys().cloned().collect()
    }
}

/// Extracts beside the others and gives the folder its name only when it is whole.
fn unpack(trees: &Trees, file: fs::File, digest: Digest) -> Result<Tree, Error> {
    let file = check(file, &digest)?;
    let half = tempfile::Builder::new().prefix(".half-").tempdir_in(&trees.folder)?;
    let bounds = Bounds {
        bytes: trees.limits.extracted_bytes,
        files: trees.limits.artifact_files,
        links: true,
    };
    extract(std::io::BufReader::new(file), half.path(), bounds)?;
    let path = trees.folder.join(digest.to_string().replace(':', "-"));
    if path.exists() {
        fs::remove_dir_all(&path)?;
    }
    fs::rename(half.keep(), &path)?;
    let bytes = usage::count(&path)?.bytes;
    let used = AtomicU64::new(trees.calls.fetch_add(1, Ordering::Relaxed));
    Ok(Tree { path, digest, bytes, used })
}

/// The file, from its beginning, if it has the digest.
fn check(mut file: fs::File, digest: &Digest) -> Result<fs::File, Error> {
    use std::io::Seek as _;
    file.rewind()?;
    if digest.algorithm().digest_of(&file)? != *digest {
        return Err(Error::Archive(format!("computed digest doesn't match '{digest}'")));
    }
    file.rewind()?;
    Ok(file)
}
