//! The listing of a bucket, and what it lists.

use std::{collections::BTreeMap, path::Path as FilePath};

use ::bucket::{Bucket as Objects, Error};
use api::source::Bucket;
use artifact::{
    Algorithm, Limits,
    ignore::{self, Rules},
    tarball::Path,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::io::AsyncWriteExt as _;

/// How many objects are read at one time.
const AT_ONCE: usize = 32;
/// A file with ignore rules is shorter than this.
const MAX_RULES: u64 = 1 << 20;

/// What a bucket has: keys and etags.
#[derive(Debug)]
pub(super) struct Index {
    etags: BTreeMap<String, String>,
}

impl Index {
    /// Lists what the spec wants of a bucket. The file with ignore rules is read as well, and stays
    /// in the folder.
    pub(super) async fn of(
        it: &Bucket,
        bucket: &Objects,
        (folder, limits): (&FilePath, Limits),
    ) -> Result<Self, String> {
        let name = &it.spec.bucket_name;
        let exists = bucket
            .exists()
            .await
            .map_err(|why| format!("failed to confirm existence of '{name}' bucket: {why}"))?;
        if !exists {
            return Err(format!("bucket '{name}' not found"));
        }
        let rules = rules(it, bucket, folder).await?;
        let prefix = it.spec.prefix.as_deref().unwrap_or_default();
        let listed = bucket.list(prefix, limits.artifact_files).await;
        let failed =
            |why: String| format!("indexation of objects from bucket '{name}' failed: {why}");
        let listed = listed.map_err(|why| failed(why.to_string()))?;
        let (mut etags, mut bytes) = (BTreeMap::new(), 0_u64);
        for entry in listed {
            let path = Path::parse(&entry.key).map_err(|why| failed(why.to_string()))?;
            if entry.key == ignore::FILE || is_left_out(&rules, &path) {
                continue;
            }
            bytes = bytes.saturating_add(entry.size);
            if bytes > limits.extracted_bytes {
                let most = limits.extracted_bytes;
                return Err(failed(format!("the objects have more than {most} bytes")));
            }
            etags.insert(entry.key, entry.etag);
        }
        Ok(Self { etags })
    }

    /// How many objects there are.
    pub(super) fn len(&self) -> usize {
        self.etags.len()
    }

    /// The digest over all keys and etags, in order.
    pub(super) fn revision(&self) -> String {
        let lines: String =
            self.etags.iter().map(|(key, etag)| [key, " ", etag, "\n"].concat()).collect();
        Algorithm::Sha256.digest(lines.as_bytes()).to_string()
    }

    /// Reads all objects to a folder. What changed since the listing counts as it is now; what is
    /// gone is forgotten.
    pub(super) async fn fetch(
        &mut self,
        bucket: &Objects,
        it: &Bucket,
        folder: &FilePath,
    ) -> Result<(), String> {
        let name = &it.spec.bucket_name;
        let keys: Vec<String> = self.etags.keys().cloned().collect();
        let read = stream::iter(keys).map(|key| async move {
            let got = save(bucket, &key, &folder.join(&key)).await;
            Ok::<_, String>(match got {
                Ok(etag) => (key, Some(etag)),
                Err(Error::NoObject(_)) => (key, None),
                Err(why) => {
                    let text = format!("failed to get '{key}' object: {why}");
                    return Err(format!("fetch from bucket '{name}' failed: {text}"));
                }
            })
        });
        let read: Vec<_> = read.buffer_unordered(AT_ONCE).try_collect().await?;
        for (key, etag) in read {
            match etag {
                Some(etag) => self.etags.insert(key, etag),
                None => self.etags.remove(&key),
            };
        }
        Ok(())
    }
}

/// The rules of the spec and of the file at the root of the bucket; there are no others.
async fn rules(it: &Bucket, bucket: &Objects, folder: &FilePath) -> Result<Rules, String> {
    let file = folder.join(ignore::FILE);
    let failed = |why: String| format!("failed to get Etag for '{}' object: {why}", ignore::FILE);
    let mut files = Vec::new();
    match save(bucket, ignore::FILE, &file).await {
        Ok(_) => {
            let size = std::fs::metadata(&file).map_or(0, |it| it.len());
            if size > MAX_RULES {
                return Err(failed(format!("it has more than {MAX_RULES} bytes")));
            }
            let text = std::fs::read(&file).map_err(|error| failed(error.to_string()))?;
            files.push((Path::root(), String::from_utf8_lossy(&text).into_owned()));
        }
        Err(Error::NoObject(_)) => {}
        Err(why) => return Err(failed(why.to_string())),
    }
    Rules::only(files, it.spec.ignore.as_deref()).map_err(|why| why.to_string())
}

/// A key is a file in folders that need not exist by themselves.
fn is_left_out(rules: &Rules, path: &Path) -> bool {
    rules.leaves_out(path, false)
}

/// Reads an object to a file; says what its etag was.
async fn save(bucket: &Objects, key: &str, file: &FilePath) -> Result<String, Error> {
    let lost = |error: std::io::Error| Error::Failed(error.to_string());
    let mut download = bucket.get(key).await?;
    if let Some(parent) = file.parent() {
        tokio::fs::create_dir_all(parent).await.map_err(lost)?;
    }
    let mut out = tokio::fs::File::create(file).await.map_err(lost)?;
    let mut left = download.size;
    while let Some(piece) = download.chunk().await? {
        left = left
            .checked_sub(piece.len() as u64)
            .ok_or_else(|| Error::TooLarge(format!("object '{key}' is larger than it says")))?;
        out.write_all(&piece).await.map_err(lost)?;
    }
    out.flush().await.map_err(lost)?;
    Ok(download.etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_are_upstreams() {
        let index = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(key, etag)| ((*key).to_owned(), (*etag).to_owned()));
            Index { etags: pairs.collect() }.revision()
        };
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(index(&[]), empty);
        assert_eq!(index(&[("b", "2"), ("a", "1")]), index(&[("a", "1"), ("b", "2")]));
        let lines = Algorithm::Sha256.digest(b"a 1\nb 2\n").to_string();
        assert_eq!(index(&[("a", "1"), ("b", "2")]), lines);
    }
}
