//! The scanned tags, on disk, one file for each ImageRepository.
//!
//! ```text
//! FOLDER/<uid>   header JSON, newline, tag, newline, tag, newline, ... ; in zlib if it is long
//! ```
//!
//! Keyed by the object, never by the image: two objects that scan one image with other exclusions
//! or credentials do not see each other's tags. Nothing is kept in memory. A file that cannot be
//! read whole counts as absent, since the next scan makes it anew.

use std::{
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use serde::{Deserialize, Serialize};

/// Shorter texts are kept as they are: they fill one block of the disk either way.
const SHORT: usize = 4096;

/// What is kept of one scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Canonical name of the image that was scanned.
    pub(crate) image: String,
    /// What the registry said of the state of its pages, for conditional requests.
    pub(crate) validator: Option<registry::Validator>,
    /// The tags after exclusion, in descending order.
    pub(crate) tags: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    image: String,
    count: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    validator: Option<registry::Validator>,
}

/// The folder of all scanned tags.
#[derive(Debug, Clone)]
pub struct Tags {
    folder: PathBuf,
}

impl Tags {
    /// Uses `folder`, which is made if it is absent.
    ///
    /// # Errors
    /// When the folder cannot be made or written to.
    pub fn open(folder: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        // Says now, rather than at the first scan, that nothing can be written.
        tempfile::NamedTempFile::new_in(folder)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Keeps the tags of the object with this uid; the old ones stay if it fails.
    pub(crate) async fn put(&self, uid: &str, stored: Stored) -> std::io::Result<()> {
        let (folder, path) = (self.folder.clone(), self.path(uid));
        blocking(move || {
            // Not synced: after a power cut an older or torn file only costs a scan.
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(&encode(&stored)?)?;
            file.persist(path)?;
            Ok(())
        })
        .await
    }

    /// The tags of the object with this uid, if those of `image` are there.
    pub(crate) async fn get(&self, uid: &str, image: &str) -> Option<Stored> {
        let path = self.path(uid);
        let stored = blocking(move || decode(&std::fs::read(path)?)).await.ok()?;
        (stored.image == image).then_some(stored)
    }

    /// Forgets the tags of an object that is gone.
    pub(crate) async fn forget(&self, uid: &str) {
        let path = self.path(uid);
        // Absent is what was wanted.
        let _ = blocking(move || std::fs::remove_file(path)).await;
    }

    /// A uid is made by the API server; whatever else it holds must not leave the folder.
    fn path(&self, uid: &str) -> PathBuf {
        let safe = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
        self.folder.join(uid.chars().map(safe).collect::<String>())
    }
}

fn encode(stored: &Stored) -> std::io::Result<Vec<u8>> {
    let header = Header {
        image: stored.image.clone(),
        count: stored.tags.len(),
        validator: stored.validator.clone(),
    };
    let mut text = serde_json::to_vec(&header)?;
    text.push(b'\n');
    for tag in &stored.tags {
        text.extend_from_slice(tag.as_bytes());
        text.push(b'\n');
    }
    if text.len() <= SHORT {
        return Ok(text);
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&text)?;
    encoder.finish()
}

fn decode(bytes: &[u8]) -> std::io::Result<Stored> {
    let mut text = String::new();
    if bytes.starts_with(b"{") {
        (&*bytes).read_to_string(&mut text)?;
    } else {
        ZlibDecoder::new(bytes).read_to_string(&mut text)?;
    }
    let cut_off = || std::io::Error::other("the file is cut off");
    let mut lines = text.strip_suffix('\n').ok_or_else(cut_off)?.split('\n');
    let header: Header = serde_json::from_str(lines.next().unwrap_or_default())?;
    let tags: Vec<String> = lines.map(str::to_owned).collect();
    if tags.len() != header.count {
        return Err(cut_off());
    }
    Ok(Stored { image: header.image, validator: header.validator, tags })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(image: &str, tags: &[&str]) -> Stored {
        let tags = tags.iter().map(ToString::to_string).collect();
        Stored { image: image.to_owned(), validator: None, tags }
    }

    #[tokio::test]
    async fn survive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = stored("r/app", &["2", "1"]);
        Tags::open(folder.path()).unwrap().put("a", wanted.clone()).await.unwrap();
        let tags = Tags::open(folder.path()).unwrap();
        assert_eq!(tags.get("a", "r/app").await, Some(wanted));
        assert_eq!(tags.get("a", "r/other").await, None, "another image is not ours");
        assert_eq!(tags.get("b", "r/app").await, None, "another object is not ours");
        tags.forget("a").await;
        assert_eq!(tags.get("a", "r/app").await, None);
    }

    #[tokio::test]
    async fn no_tags_is_something_else_than_no_scan() {
        let folder = tempfile::tempdir().unwrap();
        let tags = Tags::open(folder.path()).unwrap();
        tags.put("a", stored("r/app", &[])).await.unwrap();
        assert_eq!(tags.get("a", "r/app").await.map(|s| s.tags), Some(Vec::new()));
    }

    #[tokio::test]
    async fn a_torn_file_is_absent() {
        let folder = tempfile::tempdir().unwrap();
        let tags = Tags::open(folder.path()).unwrap();
        tags.put("a", stored("r/app", &["1"])).await.unwrap();
        let whole = std::fs::read(folder.path().join("a")).unwrap();
        for length in 0..whole.len() {
            std::fs::write(folder.path().join("a"), &whole[..length]).unwrap();
            assert_eq!(tags.get("a", "r/app").await, None, "{length} bytes");
        }
    }

    #[tokio::test]
    async fn a_strange_uid_stays_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("tags");
        let tags = Tags::open(&inside).unwrap();
        tags.put("../escaped", stored("r/app", &[])).await.unwrap();
        assert!(!folder.path().join("escaped").exists());
    }
}
