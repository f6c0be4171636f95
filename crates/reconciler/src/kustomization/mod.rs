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
mod decryption;
mod dependency;
mod drift;
mod finalize;
mod foreign;
mod generate;
mod health;
mod history;
mod identity;
pub mod local;
mod run;
mod source;
mod tree;
mod unaffected;
mod variables;
mod wake;

use std::sync::Arc;
use std::time::Duration;

use ::health::Rules;
use api::kustomize::Kustomization;
use api::reason;
use apply::Kinds;
use artifact::Digest;
use cloud::Cloud;
use controller::{Host, Reconcile, Reference, Report, Stop, Store, Turn, Watch};
use jiff::Timestamp;
use kube::ResourceExt as _;
use kustomize::{Answer, Question};

use self::act::Scene;
use self::build::{Built, Files, Halt, Ingredients};
use self::check::Waiting;
use self::decryption::Keys;
use self::dependency::Unmet;
use self::run::{End, Run};
use self::source::{Found, Missing, Sources};
use self::unaffected::{Last, Made};
use crate::base::{Bases, Checkouts};
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
    /// Feature gate `ObjectLevelWorkloadIdentity`.
    pub object_level_workload_identity: bool,
    /// `--no-remote-bases`.
    pub no_remote_bases: bool,
    /// `--sops-age-secret`: namespace and name of a Secret with age keys, for objects that name none.
    pub sops_age_secret: Option<(String, String)>,
    /// `--default-decryption-service-account`.
    pub default_decryption_service_account: Option<String>,
    /// `--default-kubeconfig-service-account`.
    pub default_kubeconfig_service_account: Option<String>,
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
            object_level_workload_identity: false,
            no_remote_bases: false,
            sops_age_secret: None,
            default_decryption_service_account: None,
            default_kubeconfig_service_account: None,
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
    /// Tokens for other clusters.
    pub cloud: Cloud,
    /// Key services, for what is encrypted with their keys.
    pub key_services: kms::Services,
    /// Remote bases.
    pub bases: Bases,
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
    /// The last run, if it was good.
    last: Option<Last>,
    /// Whether it has been told that the objects are being deleted.
    is_deleting: bool,
    /// The revision that changes nothing, for which those it changes went first.
    gave_way: Option<String>,
}

impl KustomizationReconciler {
    /// A reconciler that finds sources and dependencies in the host's shared watches.
    pub fn new(context: Context, host: &Host) -> Self {
        Self { context, sources: Sources::new(host), all: host.store(), host: host.clone() }
    }

    async fn run(&self, run: &mut Run<'_>, turn: &mut Turn) -> Result<(), End> {
        let rules = rules(run.it, turn, &self.context.options)?;
        let found = self.source(run, turn)?;
        self.dependencies(run, turn).await?;
        let waited = turn.memo::<Memo>().waiting.take();
        let waited = waited.filter(|waiting| waiting.goes_on(run.it, turn, &found));
        run.note(turn, "Fetching manifests");
        if waited.is_none()
            && let Some(digest) = self.unaffected(run, turn, (&found, &rules)).await?
        {
            run.tried(&digest, reason::RECONCILIATION_SUCCEEDED, self.host.clock().now());
            return Ok(());
        }
        let target = if waited.is_some() { Some(self.target(run).await?) } else { None };
        let (waiting, target) = match (waited, target) {
            (Some(waiting), Some(target)) => (waiting, target),
            _ => self.apply(run, turn, (&found, &rules)).await?,
        };
        run.started = waiting.started();
        let (digest, last) = (waiting.digest().to_owned(), waiting.last(run, turn));
        let scene = self.scene(&target, &rules);
        if check::is_wanted(run.it) {
            check::check(run, turn, waiting, &scene).await?;
        } else {
            run.forget_health();
        }
        turn.memo::<Memo>().last = Some(last);
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
        let last = turn.memo::<Memo>().last.take();
        let lease = self.fetch(run, found).await?;
        run.status.last_attempted_revision = Some(run.revision().to_owned());
        run.note(turn, "Building manifests");
        let target = self.target(run).await?;
        let (mut built, values) = self.build(run, &lease).await?;
        drop(lease);
        turn.check().map_err(|_| End::Superseded)?;
        let scene = self.scene(&target, rules);
        let applied = act::apply(run, turn, &mut built, &scene).await?;
        act::prune(run, &applied, &built.digest, &scene).await?;
        if drift::is_watched(run.it) {
            drift::follow(&applied.entries(), &target.cluster, &self.host).await;
            let is_news = last.is_none_or(|last| last.is_news(run, turn));
            run.is_quiet = !is_news && !applied.has_changes();
        }
        let entries = if check::is_wanted(run.it) {
            health::subjects(run.it, applied.entries(), &target.cluster).await
        } else {
            Vec::new()
        };
        let record = built.record.take().filter(|_| run.it.spec.kube_config.is_none());
        let made = record.map(|record| Made { record: Arc::new(record), values });
        let outcome = (built.digest, entries, applied.has_changes());
        let waiting = Waiting::new(run, turn, found, outcome, made);
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

    async fn dependencies(&self, run: &Run<'_>, turn: &mut Turn) -> Result<(), End> {
        let options = &self.context.options;
        let checked = match dependency::check(run.it, run.revision(), &self.all, options) {
            Ok(()) => foreign::check(run.it, &self.context, &self.host).await,
            unmet => unmet,
        };
        let Err(unmet) = checked else { return Ok(()) };
        turn.withdraw_progress();
        Err(match unmet {
            Unmet::Expression(why) => {
                let message = format!("{TERMINAL}: {why}");
                End::Stall { reason: reason::INVALID_CEL_EXPRESSION, message }
            }
            Unmet::Malformed(message) => {
                End::Stall { reason: reason::DEPENDENCY_NOT_READY, message }
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

    /// What a build is made of, read fresh.
    async fn ingredients(
        &self,
        run: &Run<'_>,
        lease: &artifact::Lease,
    ) -> Result<Ingredients, End> {
        let failed = |message: String| End::Fail { reason: reason::BUILD_FAILED, message };
        let context = &self.context;
        let keys = Keys::read(run.it, context).await.map_err(failed)?;
        let variables = variables::collect(&context.client, run.it).await.map_err(failed)?;
        Ok(Ingredients {
            files: Files::Artifact(lease.path().to_owned()),
            path: build::folder_of(&run.it.spec),
            it: run.it.clone(),
            variables,
            strict: context.options.strict_substitutions,
            keys,
            answers: Vec::new(),
        })
    }

    /// Builds; what a build lacks is found out, and then it is built again. The digest is that of
    /// the values and keys.
    async fn build(&self, run: &Run<'_>, lease: &artifact::Lease) -> Result<(Built, Digest), End> {
        let failed = |message: String| End::Fail { reason: reason::BUILD_FAILED, message };
        let context = &self.context;
        let mut ingredients = self.ingredients(run, lease).await?;
        let values = unaffected::values(&ingredients);
        let mut checkouts = Checkouts::default();
        for _ in 0..ROUNDS {
            let work = move || (build::build(&ingredients), ingredients);
            let done = self.host.compute().run(BUILD_BYTES, work).await;
            let (built, back) = done.map_err(|why| failed(why.to_string()))?;
            ingredients = back;
            match built {
                Ok(built) => return Ok((built, values)),
                Err(Halt::Failed(why)) => return Err(failed(why)),
                Err(Halt::Keys(asked)) => {
                    let Some(keys) = &mut ingredients.keys else { break };
                    keys.ask(asked, (run.it, context)).await.map_err(failed)?;
                }
                Err(Halt::Tree(question)) => {
                    let answer =
                        self.remote(run, &question, &mut checkouts).await.map_err(failed)?;
                    ingredients.answers.push((*question, answer));
                }
            }
        }
        Err(failed("kustomize build failed: there is no end of what it asks for".to_owned()))
    }

    async fn remote(
        &self,
        run: &Run<'_>,
        question: &Question,
        checkouts: &mut Checkouts,
    ) -> Result<Answer, String> {
        if self.context.options.no_remote_bases {
            return Err(format!("kustomize build failed: remote bases are disabled: {question}"));
        }
        let scope = run.it.namespace().unwrap_or_default();
        Ok(self.context.bases.answer(question, &scope, checkouts).await)
    }
}

/// How health is judged, and whether the spec asks for something that is not there.
fn rules(it: &Kustomization, turn: &mut Turn, options: &Options) -> Result<Rules, End> {
    let rules = health::rules(it).map_err(|why| {
        let message = format!("{TERMINAL}: {why}");
        End::Stall { reason: reason::INVALID_CEL_EXPRESSION, message }
    });
    let identity = it.spec.decryption.as_ref().and_then(|it| it.service_account_name.as_ref());
    let message = "to use spec.decryption.serviceAccountName for decryption authentication please \
                   enable the ObjectLevelWorkloadIdentity feature gate in the controller";
    let gate = End::Stall { reason: reason::FEATURE_GATE_DISABLED, message: message.to_owned() };
    let is_gated = identity.is_some() && !options.object_level_workload_identity;
    let checked = rules.and_then(|rules| if is_gated { Err(gate) } else { Ok(rules) });
    if checked.is_err() {
        turn.withdraw_progress();
    }
    checked
}

/// What a build is reckoned to need.
const BUILD_BYTES: usize = 16 << 20;

/// How often a build may ask for something.
const ROUNDS: usize = 500;

impl Reconcile for KustomizationReconciler {
    type Resource = Kustomization;
    const CONTROLLER: &'static str = CONTROLLER;

    async fn turn(&self, it: &Kustomization, turn: &mut Turn) -> Result<Report<Self>, Stop> {
        let mut run = Run::begin(it, turn);
        match self.run(&mut run, turn).await {
            Ok(()) => Ok(run.applied(self.host.clock().now())),
            Err(end) => run.ended(end),
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
