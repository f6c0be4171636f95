//! `Bucket`: the objects of a bucket, as an artifact.
//!
//! ```text
//! storage ─> credentials ─> list: keys and etags ── same revision ─> the artifact stays
//!                                     │ new
//!                                     └─> objects on disk ─> tarball ─> status.artifact
//! ```
//!
//! Invariants: the revision is that of what was read, also when the bucket changes meanwhile; no key
//! leads out of the artifact; what does not fit the limits is not read.

mod azure;
mod credential;
mod fetch;
mod report;

use std::time::Duration;

use api::{
    reason,
    source::{Bucket, BucketStatus},
};
use artifact::{
    Kind, Place,
    ignore::Rules,
    tarball::{Tarball, Tree},
};
use controller::{Reconcile, Report, Stop, Turn};
use kube::ResourceExt as _;

use self::fetch::Index;
use super::{
    Context, condition,
    pass::{Done, Failure, Pass},
};

const TIMEOUT: Duration = Duration::from_mins(1);

/// Reconciles Buckets.
pub struct BucketReconciler {
    context: Context,
}

impl BucketReconciler {
    /// A reconciler of its own; many may share a context.
    pub fn new(context: Context) -> Self {
        Self { context }
    }

    async fn run(
        &self,
        it: &Bucket,
        pass: &mut Pass<BucketStatus>,
        turn: &mut Turn,
    ) -> Result<Done, Failure> {
        let context = &self.context;
        pass.storage(&context.store, turn).await?;
        let options = credential::options(it, context).await?;
        let bucket = ::bucket::Bucket::open(&options).await.map_err(|why| denied(&why))?;
        let folder = tempfile::tempdir().map_err(|error| {
            let message = format!("failed to create temporary working directory: {error}");
            Failure::plain(reason::DIRECTORY_CREATION_FAILED, message)
        })?;
        let limits = context.store.options().limits;
        let work = Index::of(it, &bucket, (folder.path(), limits));
        let mut index = in_time(it, work).await?;
        let known = pass.status.artifact.as_ref().map(|it| it.revision.clone());
        if known.as_ref() == Some(&index.revision()) {
            pass.clear(condition::FETCH_FAILED);
            return Ok(report::up_to_date(it, pass, &index));
        }
        turn.check()?;
        in_time(it, index.fetch(&bucket, it, folder.path())).await?;
        let revision = index.revision();
        let message = format!("new upstream revision '{revision}'");
        pass.outdated(turn, reason::NEW_REVISION, &message).await?;
        pass.clear(condition::FETCH_FAILED);
        if known.as_ref() == Some(&revision) {
            // What changed while it was listed is what was there before.
            return Ok(report::up_to_date(it, pass, &index));
        }
        let stored = self.archive(it, &revision, folder.path()).await?;
        pass.stored(&context.store, &stored, (&revision, turn));
        let link = context.store.link(&stored.path, "latest.tar.gz").await;
        Ok(report::stored(it, pass, (&index, link)))
    }

    /// Stores everything that was read; there are no rules besides those of the listing.
    async fn archive(
        &self,
        it: &Bucket,
        revision: &str,
        folder: &std::path::Path,
    ) -> Result<artifact::Stored, Failure> {
        let broken = |why: artifact::Error| {
            let what = "unable to archive artifact to storage";
            Failure::storage(reason::ARCHIVE_OPERATION_FAILED, what, &why)
        };
        let (store, folder) = (&self.context.store, folder.to_owned());
        let most = store.options().limits.artifact_files;
        let write = move |to: &mut dyn std::io::Write| {
            let tree = Tree::read(&folder, most)?;
            let mut tarball = Tarball::new(to, most);
            tree.pack(&Rules::none(), &mut tarball, |_, path| Ok(std::fs::read(path)?))?;
            tarball.finish().map(drop)
        };
        let namespace = it.namespace().unwrap_or_default();
        let place = Place::new(Kind::Bucket, &namespace, &it.name_any()).map_err(broken)?;
        let file = format!("{}.tar.gz", revision.trim_start_matches("sha256:"));
        store.write(&place, &file, write).await.map_err(broken)
    }
}

/// Runs something for as long as the spec allows.
async fn in_time<T>(
    it: &Bucket,
    work: impl Future<Output = Result<T, String>>,
) -> Result<T, Failure> {
    let timeout = it.spec.timeout.as_deref().and_then(|it| api::duration::parse(it).ok());
    let result = tokio::time::timeout(timeout.unwrap_or(TIMEOUT), work).await;
    let result = result.unwrap_or_else(|_| Err("context deadline exceeded".to_owned()));
    result.map_err(|why| {
        Failure::retry(condition::FETCH_FAILED, reason::BUCKET_OPERATION_FAILED, why)
    })
}

fn denied(why: &impl std::fmt::Display) -> Failure {
    Failure::retry(condition::FETCH_FAILED, reason::AUTHENTICATION_FAILED, why.to_string())
}

impl Reconcile for BucketReconciler {
    type Resource = Bucket;
    const CONTROLLER: &'static str = super::CONTROLLER;

    async fn turn(&self, it: &Bucket, turn: &mut Turn) -> Result<Report<Self>, Stop> {
        let mut pass = Pass::begin(it, turn);
        let end = Box::pin(self.run(it, &mut pass, turn)).await;
        pass.end(end)
    }

    async fn finalize(&self, it: &Bucket, _: &mut Turn) -> Result<(), Stop> {
        super::forget(&self.context.store, it, Kind::Bucket).await
    }
}
