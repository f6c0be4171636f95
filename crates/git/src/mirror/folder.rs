//! The folder of all mirrors: one process at a time, one secret, no leftovers.

use std::{
    fs::{File, TryLockError},
    io::Write as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

use aws_lc_rs::{hmac, rand::SecureRandom as _, rand::SystemRandom};

use crate::Error;

const LOCK: &str = "lock";
const SECRET: &str = "secret";

#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    secret: hmac::Key,
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
        Ok(Self { path: path.to_owned(), secret, _lock: lock })
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
            if data.is_dir() {
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
