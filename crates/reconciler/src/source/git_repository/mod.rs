//! `GitRepository`: the tree of a commit, as an artifact.
//!
//! ```text
//! storage ─> remote, includes ─> one look at the references ── nothing new ─> the artifact stays
//!                                           │ new
//!            checkout (mirror) ─> verify ─> tree + includes ─> tarball ─> status.artifact
//! ```
//!
//! Invariants: nothing is checked out to disk; an unchanged repository costs one look at its
//! references; a commit whose signature is not good never becomes an artifact.

mod act;
mod include;
mod large;
mod observe;
mod plan;
mod report;
mod tree;
mod verify;
mod wake;

use api::source::{GitRepository, GitRepositoryStatus};
use artifact::{Kind, Place};
use controller::{Host, Reconcile, Reference, Report, Stop, Store, Turn, Watch};
use kube::ResourceExt as _;

use super::{
    Context, condition,
    pass::{Done, Failure, Pass},
};

/// Reconciles `GitRepository` objects.
pub struct GitRepositoryReconciler {
    context: Context,
    repositories: Store<GitRepository>,
}

impl GitRepositoryReconciler {
    /// A reconciler that finds included repositories in the host's shared watch.
    pub fn new(context: Context, host: &Host) -> Self {
        Self { context, repositories: host.store() }
    }

    async fn run(
        &self,
        it: &GitRepository,
        pass: &mut Pass<GitRepositoryStatus>,
        turn: &mut Turn,
    ) -> Result<Done, Failure> {
        let context = &self.context;
        pass.storage(&context.store, turn).await?;
        pass.forget_failed_verification();
        if it.spec.verify.is_none() {
            pass.status.source_verification_mode = None;
            pass.clear(condition::SOURCE_VERIFIED);
        }
        let remote = observe::remote(it, context).await?;
        let includes = observe::includes(it, &self.repositories, context)?;
        pass.clear(condition::INCLUDE_UNAVAILABLE);
        if plan::includes_differ(&includes, &pass.status) {
            let message = "included artifacts differ from last observed includes";
            pass.outdated(turn, "IncludeChange", message).await?;
        }
        pass.clear(condition::ARTIFACT_OUTDATED);
        let plan = plan::plan(it, &includes, &pass.status)?;
        if plan.may_be_unchanged
            && let Some(revision) =
                observe::unchanged(&plan, &pass.status, (&remote, context)).await?
        {
            return Ok(report::unchanged(pass, &plan, &revision));
        }
        let checkout = act::checkout(it, &plan, &remote, context).await?;
        pass.clear(condition::FETCH_FAILED);
        turn.check()?;
        verify::verify(it, pass, &checkout, (turn, context)).await?;
        let revision = checkout.revision().to_owned();
        if pass.status.artifact.as_ref().is_none_or(|it| it.revision != revision) {
            let message = format!("new upstream revision '{revision}'");
            pass.outdated(turn, "NewRevision", &message).await?;
        }
        if !plan.content_changed
            && let Some(known) = &pass.status.artifact
            && known.revision == revision
        {
            let revision = known.revision.clone();
            return Ok(report::up_to_date(pass, &plan, &checkout, &revision));
        }
        let stored = act::archive(it, &checkout, (&remote, &includes), context).await?;
        pass.stored(&context.store, &stored, (&revision, turn));
        Ok(report::stored(it, pass, includes, (&plan, &checkout)))
    }
}

impl Reconcile for GitRepositoryReconciler {
    type Resource = GitRepository;
    const CONTROLLER: &'static str = super::CONTROLLER;

    async fn turn(&self, it: &GitRepository, turn: &mut Turn) -> Result<Report<Self>, Stop> {
        let mut pass = Pass::begin(it, turn);
        let end = self.run(it, &mut pass, turn).await;
        pass.end(end)
    }

    async fn finalize(&self, it: &GitRepository, _: &mut Turn) -> Result<(), Stop> {
        super::forget(&self.context.store, it, Kind::GitRepository).await
    }

    fn references(&self, it: &GitRepository) -> Vec<Reference> {
        wake::references(it)
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::on::<GitRepository>(wake::has_new_artifact)]
    }
}

fn place(it: &GitRepository) -> Result<Place, artifact::Error> {
    Place::new(Kind::GitRepository, &it.namespace().unwrap_or_default(), &it.name_any())
}
