//! Listing and reading objects.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};

use crate::{Error, Options, connect};

/// One bucket.
#[derive(Clone)]
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    name: String,
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bucket({})", self.name)
    }
}

/// An object, as the bucket lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its key: a relative path without empty parts, `.` and `..`.
    pub key: String,
    /// What changes with its content; without quotes.
    pub etag: String,
    /// Its size in bytes.
    pub size: u64,
}

/// An object on its way.
pub struct Download {
    /// What changes with its content; that of this very content.
    pub etag: String,
    /// Its size in bytes.
    pub size: u64,
    pieces: BoxStream<'static, object_store::Result<Bytes>>,
}

impl std::fmt::Debug for Download {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Download({}, {} bytes)", self.etag, self.size)
    }
}

impl Bucket {
    /// Prepares to speak to a bucket; only temporary keys are asked for at once.
    ///
    /// # Errors
    /// [`Error::Options`] when the options cannot be used, and what the service for temporary keys
    /// says.
    pub async fn open(options: &Options) -> Result<Self, Error> {
        Ok(Self { store: connect::connect(options).await?, name: options.name.clone() })
    }

    /// Whether there is such a bucket.
    ///
    /// # Errors
    /// [`Error::Denied`] or [`Error::Failed`] when it cannot be known.
    pub async fn exists(&self) -> Result<bool, Error> {
        match self.store.list(None).next().await {
            // A key that is no path is a key all the same.
            None | Some(Ok(_) | Err(object_store::Error::InvalidPath { .. })) => Ok(true),
            Some(Err(error)) if is_missing(&error) => Ok(false),
            Some(Err(error)) => Err(Error::of(&error)),
        }
    }

    /// All objects whose keys begin with `prefix`, at most `limit`, sorted by key. What only marks
    /// a folder is left out.
    ///
    /// # Errors
    /// [`Error::TooLarge`] beyond the limit; [`Error::Failed`] also for a key that is no path.
    pub async fn list(&self, prefix: &str, limit: usize) -> Result<Vec<Entry>, Error> {
        // The library lists by whole parts of keys; upstream's prefixes may end within one.
        let folder = prefix.rsplit_once('/').map(|(folder, _)| Path::from(folder));
        let mut found = Vec::new();
        let mut listing = self.store.list(folder.as_ref());
        while let Some(meta) = listing.try_next().await.map_err(|error| Error::of(&error))? {
            let key = meta.location.to_string();
            if !key.starts_with(prefix) {
                continue;
            }
            if found.len() == limit {
                let name = &self.name;
                return Err(Error::TooLarge(format!(
                    "bucket '{name}' has more than {limit} objects"
                )));
            }
            let etag = plain(meta.e_tag);
            found.push(Entry { key, etag, size: meta.size });
        }
        found.sort_by(|a, b| a.key.cmp(&b.key));
        let folders = folders(&found);
        found.retain(|it| it.size > 0 || !folders.contains(&it.key));
        Ok(found)
    }

    /// Begins to read an object.
    ///
    /// # Errors
    /// [`Error::NoObject`] when there is none.
    pub async fn get(&self, key: &str) -> Result<Download, Error> {
        let path = Path::parse(key)
            .map_err(|error| Error::Failed(format!("key '{key}' is no path: {error}")))?;
        let got = self.store.get(&path).await.map_err(|error| match Error::of(&error) {
            Error::NoObject(_) => Error::NoObject(key.to_owned()),
            other => other,
        })?;
        let (etag, size) = (plain(got.meta.e_tag.clone()), got.meta.size);
        Ok(Download { etag, size, pieces: got.into_stream() })
    }
}

impl Download {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// [`Error::Failed`] when the connection breaks.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        self.pieces.try_next().await.map_err(|error| Error::of(&error))
    }
}

/// Whether a listing failed because there is no such bucket; the library has no word for that.
fn is_missing(error: &object_store::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(it) = cause {
        let text = it.to_string();
        if ["NoSuchBucket", "ContainerNotFound", "404 Not Found"].iter().any(|s| text.contains(s)) {
            return true;
        }
        cause = it.source();
    }
    matches!(error, object_store::Error::NotFound { .. })
}

fn plain(etag: Option<String>) -> String {
    etag.map(|it| it.trim_matches('"').to_owned()).unwrap_or_default()
}

/// The folders that the keys are in.
fn folders(entries: &[Entry]) -> std::collections::HashSet<String> {
    let parents = |key: &str| {
        let cuts: Vec<usize> = key.match_indices('/').map(|(at, _)| at).collect();
        cuts.into_iter().map(|at| key[..at].to_owned()).collect::<Vec<_>>()
    };
    entries.iter().flat_map(|it| parents(&it.key)).collect()
}
