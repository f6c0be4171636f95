//! The data directory of an embedded control plane.
//!
//! ```text
//! DIR/
//!   objects/     the objects                  kubeconfig   for kubectl and flux
//!   pki/         certificates, admin's token  lock         held while a process uses it
//!   state/tags/  scanned tags                 state/git/   mirrors
//!   state/KIND/  artifacts                    artifacts-port  where they are served
//!   users/       kubeconfigs of other users
//! ```

use std::{
    fs::{File, TryLockError},
    io::Write as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

/// How long a process that was killed a moment ago may still hold the lock.
const PATIENCE: Duration = Duration::from_secs(2);

/// A data directory, made readable for its owner only, and used by this process only.
#[derive(Debug)]
pub(crate) struct Directory {
    root: PathBuf,
    _lock: File,
}

impl Directory {
    /// Makes the directory if it is absent, and locks it.
    pub(crate) fn open(root: &Path) -> Result<Self> {
        create_private(root)?;
        let root = root
            .canonicalize()
            .with_context(|| format!("cannot open the data directory {}", root.display()))?;
        let path = root.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = lock.with_context(|| format!("cannot write {}", path.display()))?;
        let started = Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Self { root, _lock: lock }),
                Err(TryLockError::Error(error)) => {
                    return Err(error).with_context(|| format!("cannot lock {}", path.display()));
                }
                Err(TryLockError::WouldBlock) if started.elapsed() >= PATIENCE => bail!(
                    "the data directory {} is in use by another process: end it, or choose \
                     another directory",
                    root.display()
                ),
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// The path of something inside.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The text of a file, or `None` when there is no such file.
    pub(crate) fn read_text(&self, name: &str) -> Result<Option<String>> {
        let path = self.path(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Writes a file whole or not at all, readable for its owner only.
    pub(crate) fn write_private(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.path(name);
        let folder = path.parent().unwrap_or(&self.root);
        create_private(folder)?;
        // A temporary file is made with mode 0600.
        let write = || -> std::io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(text.as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(())
        };
        write().with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

fn create_private(path: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot make the folder {}", path.display()))
}
