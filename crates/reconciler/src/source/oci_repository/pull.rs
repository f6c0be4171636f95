//! From a digest to a stored file.

use std::{collections::BTreeMap, fs::File, io};

use api::{
    reason,
    source::{LayerOperation, OciRepository},
};
use artifact::{
    Stored,
    tarball::{Bounds, Tarball, Tree, extract},
};
use registry::{Blob, Call, Descriptor, Digest, Manifest};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;

use super::{observe::fetch, place};
use crate::source::{Context, pass::Failure};

/// The name of the layer in its folder.
const LAYER: &str = "layer";

/// A layer on disk.
pub(super) struct Pulled {
    folder: TempDir,
    pub(super) annotations: BTreeMap<String, String>,
}

fn layer_failed(message: String) -> Failure {
    fetch(reason::OCI_LAYER_OPERATION_FAILED, message)
}

/// Pulls the layer that the spec selects to a folder of its own.
pub(super) async fn pull(
    it: &OciRepository,
    call: &Call<'_>,
    digest: &Digest,
    context: &Context,
) -> Result<Pulled, Failure> {
    let manifest = context.registry.image(call, digest.as_str()).await.map_err(|error| {
        let message = format!("failed to pull artifact from '{}': {error}", it.spec.url);
        fetch(reason::OCI_PULL_FAILED, message)
    })?;
    let layer = select(it, &manifest)?;
    let most = context.store.options().limits.artifact_bytes;
    let blob = context.registry.blob(call, layer, most).await.map_err(|error| {
        layer_failed(format!("failed to extract the first layer from artifact: {error}"))
    })?;
    let folder = tempfile::tempdir().map_err(|error| {
        let message = format!("failed to create temporary working directory: {error}");
        Failure::plain(reason::DIRECTORY_CREATION_FAILED, message)
    })?;
    save(blob, &folder).await.map_err(|why| {
        let what = match operation(it) {
            LayerOperation::Extract => "failed to extract layer contents from artifact",
            LayerOperation::Copy => "failed to copy layer from artifact",
        };
        layer_failed(format!("{what}: {why}"))
    })?;
    Ok(Pulled { folder, annotations: manifest.content.annotations })
}

fn operation(it: &OciRepository) -> LayerOperation {
    it.spec.layer_selector.as_ref().and_then(|it| it.operation).unwrap_or_default()
}

/// The layer of the wanted media type, else the first.
fn select<'a>(it: &OciRepository, manifest: &'a Manifest) -> Result<&'a Descriptor, Failure> {
    let layers = &manifest.content.layers;
    let first =
        layers.first().ok_or_else(|| layer_failed("no layers found in artifact".to_owned()))?;
    let selector = it.spec.layer_selector.as_ref();
    match selector.and_then(|it| it.media_type.as_deref()).filter(|it| !it.is_empty()) {
        None => Ok(first),
        Some(wanted) => layers.iter().find(|it| it.media_type == wanted).ok_or_else(|| {
            let what = format!("failed to find layer with media type '{wanted}' in artifact");
            layer_failed(what)
        }),
    }
}

async fn save(mut blob: Blob, folder: &TempDir) -> Result<(), String> {
    let lost = |error: io::Error| error.to_string();
    let mut file = tokio::fs::File::create(folder.path().join(LAYER)).await.map_err(lost)?;
    while let Some(piece) = blob.chunk().await.map_err(|error| error.to_string())? {
        file.write_all(&piece).await.map_err(lost)?;
    }
    file.flush().await.map_err(lost)
}

impl Pulled {
    /// Stores the layer as the spec says: its files, or itself.
    pub(super) async fn store(
        &self,
        it: &OciRepository,
        revision: &str,
        context: &Context,
    ) -> Result<Stored, Failure> {
        let digest = revision.rsplit_once('@').map_or(revision, |(_, digest)| digest);
        let file = format!("{digest}.tar.gz");
        let store = &context.store;
        let archived = |what: &'static str| {
            move |why: artifact::Error| {
                Failure::storage(reason::ARCHIVE_OPERATION_FAILED, what, &why)
            }
        };
        let place = place(it).map_err(archived("unable to archive artifact to storage"))?;
        let layer = self.folder.path().join(LAYER);
        if operation(it) == LayerOperation::Copy {
            let copy = move |to: &mut dyn io::Write| {
                io::copy(&mut File::open(layer)?, to)?;
                Ok(())
            };
            let stored = store.write(&place, &file, copy).await;
            return stored.map_err(archived("unable to copy artifact to storage"));
        }
        let tree = self.extract(context).await?;
        let rules = tree.rules(it.spec.ignore.as_deref()).map_err(|why| {
            let what = "failed to load source ignore patterns from repository";
            Failure::plain(reason::SOURCE_IGNORE_ERROR, format!("{what}: {why}"))
        })?;
        let most = store.options().limits.artifact_files;
        let pack = move |to: &mut dyn io::Write| {
            let mut tarball = Tarball::new(to, most);
            tree.pack(&rules, &mut tarball, |_, path| Ok(std::fs::read(path)?))?;
            tarball.finish().map(drop)
        };
        let stored = store.write(&place, &file, pack).await;
        stored.map_err(archived("unable to archive artifact to storage"))
    }

    /// Extracts the layer beside itself.
    async fn extract(&self, context: &Context) -> Result<Tree<std::path::PathBuf>, Failure> {
        let (layer, tree) = (self.folder.path().join(LAYER), self.folder.path().join("tree"));
        let limits = context.store.options().limits;
        let bounds =
            Bounds { bytes: limits.extracted_bytes, files: limits.artifact_files, links: false };
        let work = move || {
            std::fs::create_dir(&tree)?;
            extract(io::BufReader::new(File::open(layer)?), &tree, bounds)?;
            Tree::read(&tree, bounds.files)
        };
        let done = tokio::task::spawn_blocking(work).await;
        let failed = |why: &dyn std::fmt::Display| {
            layer_failed(format!("failed to extract layer contents from artifact: {why}"))
        };
        done.map_err(|why| failed(&why))?.map_err(|why| failed(&why))
    }
}
