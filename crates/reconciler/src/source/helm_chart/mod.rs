//! `HelmChart`: one chart of a repository, or packaged from another source, as an artifact.
//!
//! ```text
//! storage ─> source ─┬─ HelmRepository ─> version ─> signature ─> archive ─┐
//!                    └─ Git, Bucket ─> tree ─> folder or archive ──────────┼─> values, dependencies
//!                                                                          └─> status.artifact
//! ```
//!
//! Invariants: a chart that needs no change is stored byte for byte; no path leaves the source; the
//! artifact says which version it is, and a version is not built twice for one generation.

mod build;
mod dependency;
mod local;
mod lookup;
mod observe;
mod provenance;
mod remote;
mod report;
mod values;

use api::source::{Bucket, GitRepository, HelmChart, HelmChartStatus, HelmRepository};
use artifact::{Kind, Place};
use controller::{Reconcile, Reference, Report, Stop, Turn, Watch};
use kube::ResourceExt as _;

use self::{build::Ended, observe::Source};
use super::{
    Context, condition,
    pass::{Done, Failure, Pass, SourceStatus},
};

/// Reconciles `HelmChart`s.
pub struct HelmChartReconciler {
    context: Context,
}

impl HelmChartReconciler {
    /// A reconciler of its own; many may share a context.
    pub fn new(context: Context) -> Self {
        Self { context }
    }

    async fn run(
        &self,
        it: &HelmChart,
        pass: &mut Pass<HelmChartStatus>,
        turn: &mut Turn,
    ) -> Result<Done, Failure> {
        let context = &self.context;
        pass.storage(&context.store, turn).await?;
        pass.forget_failed_verification();
        let source = observe::source(it, context).await?;
        if let Some(artifact) = source.artifact() {
            pass.status.observed_source_artifact_revision = Some(artifact.revision.clone());
        }
        let ended = match &source {
            Source::Helm(repository) => {
                Box::pin(remote::build(it, &pass.status, (repository, turn.now()), context)).await
            }
            Source::Files { artifact, uid, kind } => {
                let tree = observe::tree(it, (artifact, uid, kind), context).await;
                match tree {
                    Ok(tree) => {
                        let of = (artifact, &tree);
                        Box::pin(local::build(it, &pass.status, of, context)).await
                    }
                    Err(ended) => Err(ended),
                }
            }
        };
        if it.spec.verify.is_none() && provenance::keyring(it).is_none() {
            pass.clear(condition::SOURCE_VERIFIED);
        }
        let build = ended.map_err(|why: Ended| report::failed(pass, why))?;
        if report::is_new(pass, &build) {
            let summary = build.summary();
            pass.note_outdated(turn, api::reason::NEW_CHART, &summary);
        }
        report::built(pass, &build);
        let Some(bytes) = build.bytes.clone() else {
            return Ok(report::up_to_date(it, pass, &build));
        };
        let stored = self.store(it, &build, bytes).await?;
        pass.stored(&context.store, &stored, (&build.version, turn));
        let link = context.store.link(&stored.path, "latest.tar.gz").await;
        Ok(report::stored(it, pass, (&build, link)))
    }

    async fn store(
        &self,
        it: &HelmChart,
        build: &build::Build,
        bytes: Vec<u8>,
    ) -> Result<artifact::Stored, Failure> {
        let copied = |why: artifact::Error| {
            let what = "unable to copy Helm chart to storage";
            Failure::storage(api::reason::ARCHIVE_OPERATION_FAILED, what, &why)
        };
        let file = format!("{}-{}.tgz", build.name, build.version);
        let place = place(it).map_err(copied)?;
        self.context.store.put(&place, &file, bytes).await.map_err(copied)
    }
}

impl Reconcile for HelmChartReconciler {
    type Resource = HelmChart;
    const CONTROLLER: &'static str = super::CONTROLLER;

    async fn turn(&self, it: &HelmChart, turn: &mut Turn) -> Result<Report<Self>, Stop> {
        let mut pass = Pass::begin(it, turn);
        let end = Box::pin(self.run(it, &mut pass, turn)).await;
        pass.end(end)
    }

    async fn finalize(&self, it: &HelmChart, _: &mut Turn) -> Result<(), Stop> {
        super::forget(&self.context.store, it, Kind::HelmChart).await
    }

    fn references(&self, it: &HelmChart) -> Vec<Reference> {
        let namespace = it.namespace().unwrap_or_default();
        let name = it.spec.source_ref.name.clone();
        match it.spec.source_ref.kind.as_str() {
            "HelmRepository" => vec![Reference::object::<HelmRepository>(namespace, name)],
            "GitRepository" => vec![Reference::object::<GitRepository>(namespace, name)],
            "Bucket" => vec![Reference::object::<Bucket>(namespace, name)],
            _ => Vec::new(),
        }
    }

    fn watches(&self) -> Vec<Watch> {
        fn revision<S: SourceStatus>(status: Option<&S>) -> Option<&str> {
            status.and_then(SourceStatus::artifact).map(|it| it.revision.as_str())
        }
        fn is_new<S: SourceStatus>(before: Option<&S>, after: Option<&S>) -> bool {
            revision(after).is_some() && revision(before) != revision(after)
        }
        vec![
            Watch::on::<HelmRepository>(|before, after| {
                let of = |it: Option<&HelmRepository>| it.and_then(|it| it.status.clone());
                // A registry has no artifact: it matters that it came or changed.
                let spec = |it: Option<&HelmRepository>| it.map(|it| it.spec.clone());
                is_new(of(before).as_ref(), of(after).as_ref()) || spec(before) != spec(after)
            }),
            Watch::on::<GitRepository>(|before, after| {
                let of = |it: Option<&GitRepository>| it.and_then(|it| it.status.clone());
                is_new(of(before).as_ref(), of(after).as_ref())
            }),
            Watch::on::<Bucket>(|before, after| {
                let of = |it: Option<&Bucket>| it.and_then(|it| it.status.clone());
                is_new(of(before).as_ref(), of(after).as_ref())
            }),
        ]
    }
}

fn place(it: &HelmChart) -> Result<Place, artifact::Error> {
    Place::new(Kind::HelmChart, &it.namespace().unwrap_or_default(), &it.name_any())
}
