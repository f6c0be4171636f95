//! `HelmRepository`: the index of a chart repository, as an artifact.
//!
//! ```text
//! storage ─> server ─> conditional GET ── not modified, same digest ─> the artifact stays
//!                            │ new
//!                            └─> disk, digest ─> index ─> JSON ─> status.artifact
//! ```
//!
//! Registries (`type: oci`) are only data that others read: they are left alone.
//!
//! Invariants: an index is on disk, not in memory, where it is read chart by chart; more than the
//! allowed size is never fetched.

mod fetch;
mod report;

use std::time::Duration;

use api::{
    reason,
    source::{HelmRepository, HelmRepositoryStatus, HelmRepositoryType},
};
use artifact::{Kind, Place};
use controller::{Reconcile, Report, Stop, Turn};
use kube::ResourceExt as _;

use self::fetch::{Fetched, Validator};
use super::{
    Context, chart_index,
    chart_server::ChartServer,
    condition,
    pass::{Done, Failure, Pass},
};

/// Reconciles `HelmRepository` objects.
pub struct HelmRepositoryReconciler {
    context: Context,
}

impl HelmRepositoryReconciler {
    /// A reconciler of its own; many may share a context.
    pub fn new(context: Context) -> Self {
        Self { context }
    }

    async fn run(
        &self,
        it: &HelmRepository,
        pass: &mut Pass<HelmRepositoryStatus>,
        turn: &mut Turn,
    ) -> Result<Done, Failure> {
        let context = &self.context;
        pass.storage(&context.store, turn).await?;
        let server = server(it, context).await?;
        let known = pass.status.artifact.as_ref().map(|it| it.revision.clone());
        let before: Option<Validator> = turn.memo::<Option<Validator>>().take();
        let usable = before.filter(|it| known.as_ref() == Some(&it.revision));
        let fetched = fetch::fetch(&server, usable.as_ref(), context).await.map_err(|why| {
            let message = format!("failed to fetch Helm repository index: {why}");
            Failure::retry(condition::FETCH_FAILED, reason::FAILED, message)
        })?;
        let (file, validator) = match fetched {
            Fetched::Unchanged => {
                *turn.memo() = usable;
                return Ok(report::up_to_date(it, pass));
            }
            Fetched::New(file, validator) => (file, validator),
        };
        let revision = validator.revision.clone();
        *turn.memo() = Some(validator);
        if known.as_ref() == Some(&revision) {
            return Ok(report::up_to_date(it, pass));
        }
        let index = chart_index::converted(file, context).await.map_err(|why| {
            let what = "failed to load Helm repository from index YAML: failed to load index";
            let message = format!("{what}: {why}");
            Failure::retry(condition::FETCH_FAILED, reason::INDEXATION_FAILED, message)
        })?;
        pass.clear(condition::FETCH_FAILED);
        let message = format!("new index revision '{revision}'");
        pass.outdated(turn, reason::NEW_REVISION, &message).await?;
        let saved = |why: artifact::Error| {
            let what = "unable to save artifact to storage";
            Failure::storage(reason::ARCHIVE_OPERATION_FAILED, what, &why)
        };
        let file = format!("index-{}.yaml", revision.trim_start_matches("sha256:"));
        let place = place(it).map_err(saved)?;
        let write = move |to: &mut dyn std::io::Write| Ok(index.write(to)?);
        let stored = context.store.write(&place, &file, write).await.map_err(saved)?;
        pass.stored(&context.store, &stored, (&revision, turn));
        let link = context.store.link(&stored.path, "index.yaml").await;
        Ok(report::stored(it, pass, link))
    }
}

async fn server(it: &HelmRepository, context: &Context) -> Result<ChartServer, Failure> {
    let invalid = |why: String| {
        let message = format!("invalid Helm repository URL: {why}");
        Failure::stall(condition::FETCH_FAILED, reason::URL_INVALID, message)
    };
    if it.spec.url.starts_with("oci://") {
        let why = "'oci' URL scheme cannot be used with 'default' HelmRepository type";
        return Err(invalid(why.to_owned()));
    }
    let url = &it.spec.url;
    super::chart_server::url(url).map_err(|why| invalid(format!("parse \"{url}\": {why}")))?;
    let denied =
        |why: String| Failure::retry(condition::FETCH_FAILED, reason::AUTHENTICATION_FAILED, why);
    let server = ChartServer::of(it, context).await.map_err(denied)?;
    server.check().map_err(denied)?;
    Ok(server)
}

impl Reconcile for HelmRepositoryReconciler {
    type Resource = HelmRepository;
    const CONTROLLER: &'static str = super::CONTROLLER;

    async fn turn(&self, it: &HelmRepository, turn: &mut Turn) -> Result<Report<Self>, Stop> {
        let mut pass = Pass::begin(it, turn);
        let end = Box::pin(self.run(it, &mut pass, turn)).await;
        pass.end(end)
    }

    async fn finalize(&self, it: &HelmRepository, _: &mut Turn) -> Result<(), Stop> {
        super::forget(&self.context.store, it, Kind::HelmRepository).await
    }

    fn is_data(&self, it: &HelmRepository) -> bool {
        it.spec.type_ == Some(HelmRepositoryType::Oci)
    }
}

fn place(it: &HelmRepository) -> Result<Place, artifact::Error> {
    Place::new(Kind::HelmRepository, &it.namespace().unwrap_or_default(), &it.name_any())
}

/// The interval of the spec; a minute if there is none.
fn interval(it: &HelmRepository) -> Duration {
    let interval = it.spec.interval.as_deref().and_then(|it| api::duration::parse(it).ok());
    interval.unwrap_or(Duration::from_mins(1))
}
