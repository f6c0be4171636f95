//! The folder of all mirrors: one process at a time, one secret, no leftovers.

use std::{
    fs::{File, TryLockError},
    io::Write as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};

use aws_lc_rs::{hmac, rand::SecureRandom as _, rand::SystemRandom};

use crate::Error;

const LOCK: &str = "lock";
const SECRET: &str = "secret";
/// How the names of folders begin that are being removed.
const GONE: &str = "gone-";

#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    secret: hmac::Key,
    discarded: AtomicU64,
    _lock: File,
}

impl Folder {
    pub(super) fn take(path: &Path) -> Result<Self, Error> {
        let failed = |what: &str, why: &std::io::Error| {
            Error::Local(format!("cannot {what} {}: {why}", path.display()))
        };
        std::fs::create_dir_all(path).map_err(|why| failed("make", &why))?;
        let lock = File::create(path.join(LOCK)).map_err(|why| failed("write in", &why))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let why = format!("{} is in use by another process", path.display());
                return Err(Error::Local(why));
            }
            Err(TryLockError::Error(why)) => return Err(failed("lock", &why)),
        }
        let secret = secret(path).map_err(|why| failed("write in", &why))?;
        Ok(Self { path: path.to_owned(), secret, discarded: AtomicU64::default(), _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn secret(&self) -> &hmac::Key {
        &self.secret
    }

    /// Removes the mirrors used least lately until `keep` are left.
    pub(super) fn thin(&self, keep: usize) -> Result<(), Error> {
        let failed = |why: std::io::Error| {
            Error::Local(format!("cannot read {}: {why}", self.path.display()))
        };
        let mut mirrors: Vec<(SystemTime, PathBuf)> = Vec::new();
        for entry in std::fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let data = entry.metadata().map_err(failed)?;
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(GONE)) {
                std::fs::remove_dir_all(entry.path()).map_err(failed)?;
            } else if data.is_dir() {
                let used = data.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                mirrors.push((used, entry.path()));
            }
        }
        mirrors.sort();
        let surplus = mirrors.len().saturating_sub(keep);
        for (_, path) in mirrors.into_iter().take(surplus) {
            std::fs::remove_dir_all(path).map_err(failed)?;
        }
        Ok(())
    }

    /// Takes a mirror away at once and removes it in the background.
    pub(super) fn discard(&self, name: &str) {
        let number = self.discarded.fetch_add(1, Ordering::Relaxed);
        let gone = self.path.join(format!("{GONE}{number}-{name}"));
        // A mirror that was never filled has no folder; what is left over goes at the next start.
        if std::fs::rename(self.path.join(name), &gone).is_ok() {
            drop(tokio::task::spawn_blocking(move || std::fs::remove_dir_all(gone)));
        }
    }
}

/// The secret of the keyed hashes; it lasts as long as the mirrors do.
fn secret(path: &Path) -> std::io::Result<hmac::Key> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let file = path.join(SECRET);
    if let Ok(bytes) = std::fs::read(&file)
        && bytes.len() == 32
    {
        return Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes));
    }
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| std::io::Error::other("no random numbers"))?;
    let temporary = path.join("secret.new");
    let mut options = File::options();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(&temporary)?.write_all(&bytes)?;
    std::fs::rename(temporary, file)?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}
