//! Tarballs from elsewhere, into a folder of their own.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Read, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path as FilePath,
};

use flate2::read::MultiGzDecoder;
use tar::EntryType;

use super::Path;
use crate::Error;

/// What an archive may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of all files together, unpacked.
    pub bytes: u64,
    /// Entries of all kinds.
    pub files: usize,
    /// Whether links that stay within the tree are made; all others are left out.
    pub links: bool,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { bytes: 4 << 30, files: 1_000_000, links: false }
    }
}

/// What was extracted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extracted {
    /// Bytes of all files.
    pub bytes: u64,
    /// Files and folders.
    pub files: usize,
}

/// Extracts a gzipped tar archive into the folder `into`, which must exist and belong to nobody
/// else. Links are left out unless `bounds` say otherwise.
///
/// # Errors
/// The archive is broken, too large, holds something else than files, folders and links, or a path
/// that is absolute or leads out of the folder. What was extracted before stays.
pub fn extract(from: impl Read, into: &FilePath, bounds: Bounds) -> Result<Extracted, Error> {
    // Padding and headers count too: an archive of nothing but those is a bomb as well.
    let unpacked = bounds.bytes.saturating_add(bounds.files as u64 * 2048).saturating_add(1 << 20);
    let body = Capped { from: MultiGzDecoder::new(from), left: unpacked, bytes: bounds.bytes };
    let mut archive = tar::Archive::new(body);
    let mut done = Extracted::default();
    let mut links = Vec::new();
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        done.files += 1;
        if done.files > bounds.files {
            return Err(Error::limit(
                "the number of files in the archive",
                bounds.files.to_string(),
            ));
        }
        let Some(path) = path(&entry)? else { continue };
        let at = into.join(path.as_str());
        match entry.header().entry_type() {
            EntryType::Directory => folder(&at)?,
            EntryType::Regular | EntryType::Continuous => {
                folder(at.parent().unwrap_or(into))?;
                done.bytes = done.bytes.saturating_add(entry.size());
                if done.bytes > bounds.bytes {
                    return Err(too_large(bounds.bytes));
                }
                let executable = entry.header().mode().is_ok_and(|mode| mode & 0o111 != 0);
                file(&mut entry, &at, executable)?;
            }
            EntryType::Symlink => {
                let target = entry.link_name().map_err(broken)?;
                let target = target.as_deref().and_then(FilePath::to_str).unwrap_or_default();
                links.extend(bounds.links.then(|| (path, target.to_owned())));
            }
            EntryType::XGlobalHeader => {}
            other => {
                return Err(Error::Archive(format!(
                    "tar file entry {path} contained unsupported file type {other:?}"
                )));
            }
        }
    }
    // Last, so that nothing is ever written through a link.
    links.into_iter().try_for_each(|(path, target)| link(into, &path, &target))?;
    Ok(done)
}

/// The path of an entry; none for the root.
fn path<R: Read>(entry: &tar::Entry<'_, R>) -> Result<Option<Path>, Error> {
    let bytes = entry.path_bytes();
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| Error::Archive("tar contained a name that is not UTF-8".to_owned()))?;
    let wrong = || {
        let shown = &text[..text.floor_char_boundary(256)];
        Error::Archive(format!("tar contained invalid name error {shown:?}"))
    };
    let leads_out = text.split('/').any(|part| part == "..");
    if text.is_empty() || text.starts_with('/') || text.contains('\\') || leads_out {
        return Err(wrong());
    }
    let path = Path::clamp(text).map_err(|_| wrong())?;
    Ok((!path.is_root()).then_some(path))
}

fn folder(at: &FilePath) -> Result<(), Error> {
    Ok(DirBuilder::new().recursive(true).mode(0o750).create(at)?)
}

fn file(from: &mut impl Read, at: &FilePath, executable: bool) -> Result<(), Error> {
    let mode = if executable { 0o700 } else { 0o600 };
    let mut file: File =
        OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(at)?;
    let mut buffer = [0; 8 << 10];
    loop {
        match from.read(&mut buffer).map_err(broken)? {
            0 => return Ok(()),
            read => file.write_all(&buffer[..read])?,
        }
    }
}

/// Makes a link that stays within the tree; others, and those in the way of something, are left out.
fn link(into: &FilePath, path: &Path, target: &str) -> Result<(), Error> {
    let at = into.join(path.as_str());
    let parent = at.parent().unwrap_or(into);
    folder(parent)?;
    // A folder on the way that is a link itself would put this one elsewhere.
    if !path.reaches(target) || parent.canonicalize()? != into.canonicalize()?.join(above(path)) {
        return Ok(());
    }
    match std::os::unix::fs::symlink(target, &at) {
        Err(why) if why.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => Ok(other?),
    }
}

fn above(path: &Path) -> String {
    path.parent().unwrap_or_default().as_str().to_owned()
}

#[expect(clippy::needless_pass_by_value, reason = "a function for map_err")]
fn broken(why: io::Error) -> Error {
    match why.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(own) => own.clone(),
        None => Error::Archive(format!("tar error: {why}")),
    }
}

fn too_large(bytes: u64) -> Error {
    Error::limit("the unpacked archive", format!("{bytes} bytes"))
}

/// Ends an archive that unpacks to more than it may.
struct Capped<R> {
    from: R,
    left: u64,
    bytes: u64,
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.left = self
            .left
            .checked_sub(read as u64)
            .ok_or_else(|| io::Error::from(too_large(self.bytes)))?;
        Ok(read)
    }
}
