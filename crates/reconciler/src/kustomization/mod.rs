//! `Kustomization`: a folder of a source, built, applied and kept.
//!
//! ```text
//! source ─> dependencies ─> artifact ─> build ─> compare ─> write ─> prune ─> health
//!              │ not ready                        stage by stage               │ not yet
//!              └─> wait, woken by them              └─> parked, woken by what is waited for
//! ```
//!
//! Invariants: nothing waits in a turn; the inventory holds everything that may exist before it is
//! written, and until it is gone; the artifact's folder is never written to; an object that does not
//! differ is not written; a newer spec or revision supersedes a wait at once.

mod act;
mod build;
mod check;
mod dependency;
mod finalize;
mod generate;
mod health;
mod history;
mod identity;
pub mod local;
mod run;
mod source;
mod tree;
mod variables;
mod wake;

use std::sync::Arc;
use std::time::Duration;

use ::health::Rules;
use api::kustomize::Kustomization;
use api::reason;
use apply::Kinds;
use controller::{Host, Reconcile, Reference, Report, Stop, Store, Turn, Watch};
use jiff::Timestamp;

use self::act::Scene;
use self::build::{Built, Ingredients};
use self::check::Waiting;
use self::dependency::Unmet;
use self::run::{End, Run};
use self::source::{Found, Missing, Sources};
use self::tree::SourceTree;
use crate::{Fetcher, Owner, Unfetched};

/// Upstream's name for the controller: event source and field manager.
pub const CONTROLLER: &str = "kustomize-controller";

/// Group of the owner labels, control annotations and event metadata.
const GROUP: &str = "kustomize.toolkit.fluxcd.io";

/// What upstream puts before a message when nothing is tried again.
const TERMINAL: &str = "Reconciliation failed terminally due to configuration error";

/// How the controller behaves; the fields are upstream's flags and feature gates.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of upstream's, read on its own")]
pub struct Options {
    /// `--concurrent-ssa`: dry-runs of one object at the same time.
    pub concurrent_ssa: usize,
    /// `--requeue-dependency`.
    pub requeue_dependency: Duration,
    /// `--no-cross-namespace-refs`.
    pub no_cross_namespace_refs: bool,
    /// `--default-service-account`.
    pub default_service_account: Option<String>,
    /// `--override-manager`: field managers that lose their fields.
    pub override_managers: Vec<String>,
    /// Whether a failed object ends health checks at once: not `DisableFailFastBehavior`.
    pub fail_fast: bool,
    /// Feature gate `StrictPostBuildSubstitutions`.
    pub strict_substitutions: bool,
    /// Feature gate `AdditiveCELDependencyCheck`.
    pub additive_cel_dependency_check: bool,
    /// Feature gate `ExternalArtifact`.
    pub external_artifact: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            concurrent_ssa: 4,
            requeue_dependency: Duration::from_secs(30),
            no_cross_namespace_refs: false,
            default_service_account: None,
            override_managers: Vec::new(),
            fail_fast: true,
            strict_substitutions: false,
            additive_cel_dependency_check: false,
            external_artifact: false,
        }
    }
}

/// What the reconciler works with. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The API server.
    pub client: kube::Client,
    /// How artifacts of sources are got.
    pub fetcher: Fetcher,
    /// What is known of the cluster's kinds.
    pub kinds: Arc<Kinds>,
    /// Flags.
    pub options: Arc<Options>,
}

/// Reconciles Kustomizations.
pub struct KustomizationReconciler {
    context: Context,
    host: Host,
    sources: Sources,
    all: Store<Kustomization>,
}

/// What survives the turns of an object: what it waits for.
#[derive(Debug, Default)]
struct Memo {
    waiting: Option<Waiting>,
    /// Since when the objects of a stage are waited for.
    stage: Option<Timestamp>,
}

impl KustomizationReconciler {
    /// A reconciler that finds sources and dependencies in the host's shared watches.
    pub fn new(context: Context, host: &Host) -> Self {
        Self { context, sources: Sources::new(host), all: host.store(), host: host.clone() }
    }

    async fn run(&self, run: &mut Run<'_>, turn: &mut Turn) -> Result<(), End> {
        let rules = rules(run.it, turn)?;
        let found = self.source(run, turn)?;
        self.dependencies(run, turn)?;
        let waited = turn.memo::<Memo>().waiting.take();
        let waited = waited.filter(|waiting| waiting.goes_on(run.it, turn, &found));
        run.note(turn, "Fetching manifests");
        let target = if waited.is_some() { Some(self.target(run).await?) } else { None };
        let (waiting, target) = match (waited, target) {
            (Some(waiting), Some(target)) => (waiting, target),
            _ => self.apply(run, turn, (&found, &rules)).await?,
        };
        run.started = waiting.started();
        let digest = waiting.digest().to_owned();
        let scene = self.scene(&target, &rules);
        if check::is_wanted(run.it) {
            check::check(run, turn, waiting, &scene).await?;
        } else {
            run.forget_health();
        }
        run.tried(&digest, reason::RECONCILIATION_SUCCEEDED, self.host.clock().now());
        Ok(())
    }

    /// Builds, applies and prunes; what is left is to wait for health.
    async fn apply(
        &self,
        run: &mut Run<'_>,
        turn: &mut Turn,
        (found, rules): (&Found, &Rules),
    ) -> Result<(Waiting, identity::Target), End> {
        let lease = self.fetch(run, found).await?;
        run.status.last_attempted_revision = Some(run.revision().to_owned());
        run.note(turn, "Building manifests");
        let target = self.target(run).await?;
        let mut built = self.build(run, &lease).await?;
        drop(lease);
        turn.check().map_err(|_| End::Superseded)?;
        let scene = self.scene(&target, rules);
        let applied = act::apply(run, turn, &mut built, &scene).await?;
        act::prune(run, &applied, &built.digest, &scene).await?;
        let entries = if check::is_wanted(run.it) {
            health::subjects(run.it, applied.entries(), &target.cluster).await
        } else {
            Vec::new()
        };
        let waiting =
            Waiting::new(run, turn, found, (built.digest, entries, applied.has_changes()));
        Ok((waiting, target))
    }

    fn scene<'a>(&'a self, target: &'a identity::Target, rules: &'a Rules) -> Scene<'a> {
        Scene { target, rules, options: &self.context.options, host: &self.host }
    }

    fn source(&self, run: &mut Run<'_>, turn: &mut Turn) -> Result<Found, End> {
        let options = &self.context.options;
        let missing = match self.sources.find(run.it, options) {
            Ok(found) => {
                run.is_about(&found);
                return Ok(found);
            }
            Err(missing) => missing,
        };
        turn.withdraw_progress();
        let (reason, told) = (reason::ARTIFACT_FAILED, None);
        Err(match missing {
            Missing::Denied(message) => End::Stall { reason: reason::ACCESS_DENIED, message },
            Missing::Source(message) => {
                End::Wait { reason, message, after: run::retry_interval(run.it), told }
            }
            Missing::Artifact => {
                let after = options.requeue_dependency;
                let message =
                    format!("Source artifact not found, retrying in {}", api::duration::Go(after));
                End::Wait { reason, message, after, told }
            }
        })
    }

    fn dependencies(&self, run: &Run<'_>, turn: &mut Turn) -> Result<(), End> {
        let options = &self.context.options;
        let Err(unmet) = dependency::check(run.it, run.revision(), &self.all, options) else {
            return Ok(());
        };
        turn.withdraw_progress();
        Err(match unmet {
            Unmet::Expression(why) => {
                let message = format!("{TERMINAL}: {why}");
                End::Stall { reason: reason::INVALID_CEL_EXPRESSION, message }
            }
            Unmet::Waiting(message) => {
                let after = options.requeue_dependency;
                let told = "Dependencies do not meet ready condition, retrying in";
                let told = Some(format!("{told} {}", api::duration::Go(after)));
                End::Wait { reason: reason::DEPENDENCY_NOT_READY, message, after, told }
            }
        })
    }

    /// The extracted artifact, with the folder that the spec names in it.
    async fn fetch(&self, run: &Run<'_>, found: &Found) -> Result<artifact::Lease, End> {
        let reason = reason::ARTIFACT_FAILED;
        let failed = |message: String| End::Fail { reason, message };
        let owner = Owner { uid: &found.owner, place: found.place.as_ref() };
        let lease = match self.context.fetcher.tree(owner, &found.artifact).await {
            Ok(lease) => lease,
            Err(Unfetched::Failed(why)) => return Err(failed(why)),
            Err(Unfetched::NotFound) => {
                let after = self.context.options.requeue_dependency;
                let message = "Source is not ready, artifact not found, retrying in";
                let message = format!("{message} {}", api::duration::Go(after));
                return Err(End::Wait { reason, message, after, told: None });
            }
        };
        let (folder, spec) = (lease.path().to_owned(), run.it.spec.clone());
        let checked = self.host.compute().run(0, move || build::check_folder(&folder, &spec)).await;
        checked.map_err(|why| failed(why.to_string()))?.map_err(failed)?;
        Ok(lease)
    }

    async fn target(&self, run: &Run<'_>) -> Result<identity::Target, End> {
        identity::target(run.it, &self.context).await.map_err(|why| End::Fail {
            reason: reason::RECONCILIATION_FAILED,
            message: format!("failed to build kube client: {why}"),
        })
    }

    async fn build(&self, run: &Run<'_>, lease: &artifact::Lease) -> Result<Built, End> {
        let failed = |message: String| End::Fail { reason: reason::BUILD_FAILED, message };
        let variables = variables::collect(&self.context.client, run.it).await.map_err(failed)?;
        let ingredients = Ingredients {
            tree: SourceTree::new(lease.path()),
            path: build::folder_of(&run.it.spec),
            it: run.it.clone(),
            variables,
            strict: self.context.options.strict_substitutions,
        };
        let built = self.host.compute().run(BUILD_BYTES, move || build::build(ingredients)).await;
        built.map_err(|why| failed(why.to_string()))?.map_err(failed)
    }
}

/// How health is judged, and whether the spec asks for something that is not there.
fn rules(it: &Kustomization, turn: &mut Turn) -> Result<Rules, End> {
    let rules = health::rules(it).map_err(|why| {
        let message = format!("{TERMINAL}: {why}");
        End::Stall { reason: reason::INVALID_CEL_EXPRESSION, message }
    });
    let identity = it.spec.decryption.as_ref().and_then(|it| it.service_account_name.as_ref());
    let message = "to use spec.decryption.serviceAccountName for decryption authentication please \
                   enable the ObjectLevelWorkloadIdentity feature gate in the controller";
    let gate = End::Stall { reason: reason::FEATURE_GATE_DISABLED, message: message.to_owned() };
    let checked = rules.and_then(|rules| match (&it.spec.decryption, identity) {
        (_, Some(_)) => Err(gate),
        // Applying what is still encrypted would be worse than applying nothing.
        (Some(_), None) => {
            let message = "spec.decryption is not supported yet".to_owned();
            Err(End::Stall { reason: reason::BUILD_FAILED, message })
        }
        (None, None) => Ok(rules),
    });
    if checked.is_err() {
        turn.withdraw_progress();
    }
    checked
}

/// What a build is reckoned to need.
const BUILD_BYTES: usize = 16 << 20;

impl Reconcile for KustomizationReconciler {
    type Resource = Kustomization;
    const CONTROLLER: &'static str = CONTROLLER;

    async fn turn(&self, it: &Kustomization, turn: &mut Turn) -> Result<Report<Self>, Stop> {
        let mut run = Run::begin(it, turn);
        match self.run(&mut run, turn).await {
            Ok(()) => Ok(run.applied(self.host.clock().now())),
            Err(end) => run.ended(end).ok_or(Stop::Superseded),
        }
    }

    async fn finalize(&self, it: &Kustomization, turn: &mut Turn) -> Result<(), Stop> {
        finalize::finalize(self, it, turn).await
    }

    fn references(&self, it: &Kustomization) -> Vec<Reference> {
        wake::references(it)
    }

    fn watches(&self) -> Vec<Watch> {
        wake::watches()
    }
}
