//! A tarball in upstream's normal form: no owner, no time, three modes.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};

use super::{
    Path,
    header::{BLOCK, Header},
};
use crate::Error;

/// Modes of fluxcd/pkg/artifact.
const FOLDER: u32 = 0o750;
const FILE: u32 = 0o600;
const EXECUTABLE: u32 = 0o700;
const LINK: u32 = 0o777;

/// Writes a gzipped tar archive. What is not [finished](Self::finish) is not whole.
#[derive(Debug)]
pub struct Tarball<W: Write> {
    out: GzEncoder<W>,
    files: usize,
    most: usize,
}

impl<W: Write> Tarball<W> {
    /// An archive of at most `most` entries, written to `out`.
    pub fn new(out: W, most: usize) -> Self {
        Self { out: GzEncoder::new(out, Compression::default()), files: 0, most }
    }

    /// Adds a folder; its name has no slash at the end.
    ///
    /// # Errors
    /// Writing fails, or there are too many entries.
    pub fn folder(&mut self, path: &Path) -> Result<(), Error> {
        self.entry(path, (b'5', FOLDER), &[], "")
    }

    /// Adds a file.
    ///
    /// # Errors
    /// Writing fails, or there are too many entries.
    pub fn file(&mut self, path: &Path, executable: bool, content: &[u8]) -> Result<(), Error> {
        self.entry(path, (b'0', if executable { EXECUTABLE } else { FILE }), content, "")
    }

    /// Adds a symbolic link.
    ///
    /// # Errors
    /// Writing fails, or there are too many entries.
    pub fn link(&mut self, path: &Path, target: &str) -> Result<(), Error> {
        self.entry(path, (b'2', LINK), &[], target)
    }

    /// Ends the archive and gives back what it was written to.
    ///
    /// # Errors
    /// Writing fails.
    pub fn finish(mut self) -> Result<W, Error> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        Ok(self.out.finish()?)
    }

    fn entry(
        &mut self,
        path: &Path,
        (kind, mode): (u8, u32),
        content: &[u8],
        link: &str,
    ) -> Result<(), Error> {
        self.files += 1;
        if self.files > self.most {
            return Err(Error::limit("the number of files", self.most.to_string()));
        }
        let name = path.to_string();
        let header = Header { name: &name, mode, size: content.len() as u64, kind, link };
        self.out.write_all(&header.blocks())?;
        self.out.write_all(content)?;
        let rest = content.len().next_multiple_of(BLOCK) - content.len();
        self.out.write_all(&[0; BLOCK][..rest])?;
        Ok(())
    }
}
