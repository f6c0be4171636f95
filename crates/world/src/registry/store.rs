//! What the registry holds.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// The media type of an OCI image manifest.
pub const MEDIA_TYPE_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of an OCI image index.
pub const MEDIA_TYPE_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Repositories with their tags, manifests and blobs; clones share the content.
#[derive(Debug, Clone, Default)]
pub struct Store(Arc<Mutex<Content>>);

#[derive(Debug, Default)]
struct Content {
    repositories: BTreeMap<String, Repository>,
    uploads: BTreeMap<u64, Vec<u8>>,
    next_upload: u64,
}

#[derive(Debug, Default)]
struct Repository {
    /// Tag to digest.
    tags: BTreeMap<String, String>,
    manifests: BTreeMap<String, Manifest>,
    blobs: BTreeMap<String, Bytes>,
    /// How often each tag was published, so that every publication is a new image.
    published: BTreeMap<String, u64>,
}

/// A stored manifest.
#[derive(Debug, Clone)]
pub(super) struct Manifest {
    pub(super) media_type: String,
    pub(super) body: Bytes,
}

/// `sha256:` and the hex digest of `bytes`.
pub(super) fn digest(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("because writing to a string cannot fail");
        text
    })
}

impl Store {
    /// Makes a small valid image, new each time, puts it under `tag` and returns its digest.
    ///
    /// The digest depends on the repository, the tag and how often it was published only.
    pub fn publish(&self, repository: &str, tag: &str) -> String {
        let mut content = self.0.lock();
        let it = content.repositories.entry(repository.to_owned()).or_default();
        let build = it.published.entry(tag.to_owned()).or_default();
        *build += 1;
        let label = format!("{repository}:{tag} build {build}");
        let layer = empty_layer();
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "config": {"Labels": {"org.opencontainers.image.title": label}},
            "rootfs": {"type": "layers", "diff_ids": [digest(&[0; 1024])]},
        })
        .to_string();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MEDIA_TYPE_MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": digest(config.as_bytes()),
                "size": config.len(),
            },
            "layers": [{
                "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                "digest": digest(&layer),
                "size": layer.len(),
            }],
        })
        .to_string();
        it.blobs.insert(digest(config.as_bytes()), config.into());
        it.blobs.insert(digest(&layer), layer.into());
        it.put_manifest(
            tag,
            Manifest { media_type: MEDIA_TYPE_MANIFEST.into(), body: manifest.into() },
        )
    }

    /// Puts an artifact with these layers, of which each has a media type, under a tag and returns
    /// its digest.
    pub fn publish_layers(
        &self,
        repository: &str,
        tag: &str,
        layers: &[(&str, &[u8])],
        annotations: &BTreeMap<String, String>,
    ) -> String {
        let describe = |(kind, bytes): &(&str, &[u8])| {
            let digest = self.put_blob(repository, Bytes::copy_from_slice(bytes));
            json!({"mediaType": kind, "digest": digest, "size": bytes.len()})
        };
        let config = describe(&("application/vnd.cncf.flux.config.v1+json", b"{}"));
        let layers: Vec<_> = layers.iter().map(describe).collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MEDIA_TYPE_MANIFEST,
            "config": config,
            "layers": layers,
            "annotations": annotations,
        });
        self.put(repository, tag, MEDIA_TYPE_MANIFEST, manifest.to_string())
    }

    /// Puts a manifest or an index as it is under a tag or its digest, and returns its digest.
    pub fn put(
        &self,
        repository: &str,
        reference: &str,
        media_type: &str,
        body: impl Into<Bytes>,
    ) -> String {
        let it = Manifest { media_type: media_type.to_owned(), body: body.into() };
        self.put_manifest(repository, reference, it)
    }

    /// The index of the manifests that refer to `subject`.
    pub fn referrers(&self, repository: &str, subject: &str) -> serde_json::Value {
        let content = self.0.lock();
        let manifests = content.repositories.get(repository).map(|it| &it.manifests);
        let referring = |(digest, it): (&String, &Manifest)| {
            let read: serde_json::Value = serde_json::from_slice(&it.body).ok()?;
            if read["subject"]["digest"] != subject {
                return None;
            }
            let kind = if read["artifactType"].is_string() {
                &read["artifactType"]
            } else {
                &read["config"]["mediaType"]
            };
            Some(json!({
                "mediaType": it.media_type,
                "digest": digest,
                "size": it.body.len(),
                "artifactType": kind,
                "annotations": read["annotations"],
            }))
        };
        let found: Vec<_> = manifests.into_iter().flatten().filter_map(referring).collect();
        json!({"schemaVersion": 2, "mediaType": MEDIA_TYPE_INDEX, "manifests": found})
    }

    /// Points tags at one published image, many at a time; for large lists.
    pub fn publish_many<I: IntoIterator<Item = String>>(&self, repository: &str, tags: I) {
        let digest = self.publish(repository, "seed");
        let mut content = self.0.lock();
        let it = content.repositories.entry(repository.to_owned()).or_default();
        it.tags.remove("seed");
        it.tags.extend(tags.into_iter().map(|tag| (tag, digest.clone())));
    }

    /// Makes `to` mean what `from` means; `None` when there is no `from`.
    pub fn retag(&self, repository: &str, from: &str, to: &str) -> Option<String> {
        let mut content = self.0.lock();
        let it = content.repositories.get_mut(repository)?;
        let digest = it.tags.get(from)?.clone();
        it.tags.insert(to.to_owned(), digest.clone());
        Some(digest)
    }

    /// Removes a tag; false when there is none.
    pub fn delete(&self, repository: &str, tag: &str) -> bool {
        let mut content = self.0.lock();
        content.repositories.get_mut(repository).is_some_and(|it| it.tags.remove(tag).is_some())
    }

    /// Removes a repository; false when there is none.
    pub fn delete_repository(&self, repository: &str) -> bool {
        self.0.lock().repositories.remove(repository).is_some()
    }

    /// The tags in byte order; `None` for an unknown repository.
    pub fn tags(&self, repository: &str) -> Option<Vec<String>> {
        let content = self.0.lock();
        Some(content.repositories.get(repository)?.tags.keys().cloned().collect())
    }

    /// The digest a tag means.
    pub fn digest(&self, repository: &str, tag: &str) -> Option<String> {
        self.0.lock().repositories.get(repository)?.tags.get(tag).cloned()
    }

    /// The manifest under a tag or digest, with its digest.
    pub(super) fn manifest(&self, repository: &str, reference: &str) -> Option<(String, Manifest)> {
        let content = self.0.lock();
        let it = content.repositories.get(repository)?;
        let digest = it.tags.get(reference).map_or(reference, String::as_str);
        Some((digest.to_owned(), it.manifests.get(digest)?.clone()))
    }

    pub(super) fn put_manifest(&self, repository: &str, reference: &str, it: Manifest) -> String {
        let mut content = self.0.lock();
        content.repositories.entry(repository.to_owned()).or_default().put_manifest(reference, it)
    }

    /// Removes a manifest by digest, with all its tags, or a tag alone.
    pub(super) fn delete_manifest(&self, repository: &str, reference: &str) -> bool {
        let mut content = self.0.lock();
        let Some(it) = content.repositories.get_mut(repository) else { return false };
        if it.tags.remove(reference).is_some() {
            return true;
        }
        it.tags.retain(|_, digest| digest != reference);
        it.manifests.remove(reference).is_some()
    }

    pub(super) fn blob(&self, repository: &str, digest: &str) -> Option<Bytes> {
        self.0.lock().repositories.get(repository)?.blobs.get(digest).cloned()
    }

    /// Puts a blob and returns its digest.
    pub fn put_blob(&self, repository: &str, bytes: Bytes) -> String {
        let digest = digest(&bytes);
        let mut content = self.0.lock();
        let it = content.repositories.entry(repository.to_owned()).or_default();
        it.blobs.insert(digest.clone(), bytes);
        digest
    }

    pub(super) fn begin_upload(&self) -> u64 {
        let mut content = self.0.lock();
        content.next_upload += 1;
        let id = content.next_upload;
        content.uploads.insert(id, Vec::new());
        id
    }

    /// Adds to an upload and returns its size; `None` when there is no such upload.
    pub(super) fn append_upload(&self, id: u64, bytes: &[u8]) -> Option<usize> {
        let mut content = self.0.lock();
        let upload = content.uploads.get_mut(&id)?;
        upload.extend_from_slice(bytes);
        Some(upload.len())
    }

    pub(super) fn end_upload(&self, id: u64) -> Option<Vec<u8>> {
        self.0.lock().uploads.remove(&id)
    }
}

impl Repository {
    fn put_manifest(&mut self, reference: &str, manifest: Manifest) -> String {
        let digest = digest(&manifest.body);
        if !reference.starts_with("sha256:") {
            self.tags.insert(reference.to_owned(), digest.clone());
        }
        self.manifests.insert(digest.clone(), manifest);
        digest
    }
}

/// A gzipped tar archive with nothing in it.
fn empty_layer() -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&[0; 1024])
        .and_then(|()| gzip.finish())
        .expect("because writing to memory cannot fail")
}
