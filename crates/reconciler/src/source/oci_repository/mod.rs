//! `OCIRepository`: a layer of an artifact in a registry, as an artifact.
//!
//! ```text
//! storage ─> access, reference ─> one HEAD ── same digest ─> the artifact stays
//!                                    │ new
//!            verify ─> manifest ─> layer on disk ─> tarball, or a copy ─> status.artifact
//! ```
//!
//! Invariants: what is pulled is what the digest of the revision says, whatever the tag means by
//! then; an artifact whose signature is not good is not pulled; layers are never held in memory.

mod observe;
mod pull;
mod report;
mod tag;

use api::{
    reason,
    source::{OciRepository, OciRepositoryStatus},
};
use artifact::{Kind, Place};
use controller::{Reconcile, Report, Stop, Turn};
use kube::ResourceExt as _;
use registry::Digest;
use verification::{Subject, Verdict};

use self::{observe::Target, pull::Pulled};
use super::{
    Context, condition,
    pass::{Done, Failure, Pass},
};

/// Reconciles `OCIRepository` objects.
pub struct OciRepositoryReconciler {
    context: Context,
}

impl OciRepositoryReconciler {
    /// A reconciler of its own; many may share a context.
    pub fn new(context: Context) -> Self {
        Self { context }
    }

    async fn run(
        &self,
        it: &OciRepository,
        pass: &mut Pass<OciRepositoryStatus>,
        turn: &mut Turn,
    ) -> Result<Done, Failure> {
        let context = &self.context;
        pass.storage(&context.store, turn).await?;
        pass.forget_failed_verification();
        let target = observe::target(it, pass, context).await?;
        let call = target.call();
        let reference = observe::reference(it, &call, context).await?;
        let revision = observe::revision(&reference, &call, context).await?;
        let is_new = pass.status.artifact.as_ref().is_none_or(|it| it.revision != revision);
        let changed = is_new || report::content_changed(it, &pass.status);
        turn.check()?;
        let pulled = self.pull(it, pass, turn, (&target, &revision, changed)).await;
        if is_new {
            let shown = reference.shown(&target.repository);
            let message = format!("new revision '{revision}' for '{shown}'");
            pass.outdated(turn, reason::NEW_REVISION, &message).await?;
        }
        let pulled = pulled?;
        pass.clear(condition::FETCH_FAILED);
        let Some(pulled) = pulled else { return Ok(report::up_to_date(it, pass, &revision)) };
        let stored = pulled.store(it, &revision, context).await?;
        pass.stored(&context.store, &stored, (&revision, turn));
        let link = context.store.link(&stored.path, "latest.tar.gz").await;
        Ok(report::stored(it, pass, (pulled, link)))
    }

    /// Verifies and pulls, as far as that is due; nothing if the artifact is what it should be.
    async fn pull(
        &self,
        it: &OciRepository,
        pass: &mut Pass<OciRepositoryStatus>,
        turn: &Turn,
        (target, revision, changed): (&Target, &str, bool),
    ) -> Result<Option<Pulled>, Failure> {
        let digest = observe::digest(revision)?;
        self.verify(it, pass, turn, (target, revision, &digest)).await?;
        if !changed {
            return Ok(None);
        }
        let call = target.call();
        pull::pull(it, &call, &digest, &self.context).await.map(Some)
    }

    /// Checks the signature when the revision or the spec is new, or it was not good the last time.
    async fn verify(
        &self,
        it: &OciRepository,
        pass: &mut Pass<OciRepositoryStatus>,
        turn: &Turn,
        (target, revision, digest): (&Target, &str, &Digest),
    ) -> Result<(), Failure> {
        let Some(verify) = &it.spec.verify else {
            pass.clear(condition::SOURCE_VERIFIED);
            return Ok(());
        };
        if !report::wants_verification(it, pass, revision) {
            return Ok(());
        }
        let call = target.call();
        let registry = &self.context.registry;
        let shown = format!("{}@{digest}", target.repository.canonical());
        let subject = Subject { registry, call: &call, shown: &shown, digest };
        let (namespace, name) = (it.namespace().unwrap_or_default(), it.name_any());
        let reader = self.context.reader(&namespace, ("OCIRepository", &name));
        let work = verification::verify(subject, verify, (&reader, turn.now()));
        let result = tokio::time::timeout(call.timeout, work).await;
        match result.unwrap_or_else(|_| Err("context deadline exceeded".to_owned())) {
            Ok(Verdict::Verified) => {
                let message = format!("verified signature of revision {revision}");
                let claim = (reason::SUCCEEDED, message.as_str());
                pass.mark(condition::SOURCE_VERIFIED, "True", claim);
                Ok(())
            }
            Ok(Verdict::Ignored) => Ok(()),
            Err(why) => {
                let provider = verification::provider(verify);
                let message =
                    format!("failed to verify the signature using provider '{provider}': {why}");
                Err(Failure::unverified(reason::VERIFICATION_ERROR, message))
            }
        }
    }
}

impl Reconcile for OciRepositoryReconciler {
    type Resource = OciRepository;
    const CONTROLLER: &'static str = super::CONTROLLER;

    async fn turn(&self, it: &OciRepository, turn: &mut Turn) -> Result<Report<Self>, Stop> {
        let mut pass = Pass::begin(it, turn);
        let end = Box::pin(self.run(it, &mut pass, turn)).await;
        pass.end(end)
    }

    async fn finalize(&self, it: &OciRepository, _: &mut Turn) -> Result<(), Stop> {
        super::forget(&self.context.store, it, Kind::OciRepository).await
    }
}

fn place(it: &OciRepository) -> Result<Place, artifact::Error> {
    Place::new(Kind::OciRepository, &it.namespace().unwrap_or_default(), &it.name_any())
}
