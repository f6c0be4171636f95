//! `HelmRelease`: a chart with values, kept released.
//!
//! ```text
//! HelmChart ─> dependencies ─> source ─> values ─> chart ─> how it stands ─> next action ─┐
//!                 │ not ready                                   ^                         │
//!                 └─> wait, woken by them                       └── install, upgrade, … <─┘
//!                                                                   │ has to wait
//!                                                                   └─> parked, goes on there
//! ```
//!
//! How a release stands is told by Helm's own records, held against the history in the status by
//! digests; what to do next is [`helm::release::next_action`].
//!
//! Invariants: nothing waits in a turn; a release that is pending is one whose action is in this
//! process's memory, or it is unlocked; a newer spec, chart or values supersede an action at once;
//! records are those of Helm 3, so that stock `helm` reads them, and ours reads its.

mod action;
mod adopt;
mod annotation;
mod attempt;
mod capability;
mod change;
mod chart;
mod correction;
mod dependency;
mod drift;
mod end;
mod finalize;
mod identity;
pub mod local;
mod log;
mod object;
mod outcome;
mod pointer;
mod postrender;
mod ready;
mod release;
mod render;
mod run;
mod selector;
mod snapshot;
mod source;
mod spec;
mod state;
mod storage;
mod values;
mod wake;

use std::sync::Arc;
use std::time::Duration;

use ::helm::values::Values;
use api::duration::Go;
use api::helm::HelmRelease;
use api::reason;
use apply::{Cluster, Kinds};
use cloud::Cloud;
use controller::{Event, Host, Reconcile, Reference, Report, Stop, Turn, Watch};

use self::action::Work;
use self::annotation::Unclear;
use self::chart::Unmade;
use self::dependency::Unmet;
use self::run::{End, Run};
use self::source::{Found, Missing, Sources};
use self::values::Origin;
use crate::Fetcher;
use crate::target::Target;

/// Upstream's name for the controller: event source and field manager.
pub const CONTROLLER: &str = "helm-controller";

/// Group of the owner labels and event metadata.
const GROUP: &str = "helm.toolkit.fluxcd.io";

/// What upstream puts before a message when nothing is tried again.
const TERMINAL: &str = "Reconciliation failed terminally due to configuration error";

/// How the controller behaves; the fields are upstream's flags and feature gates.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of upstream's, read on its own")]
pub struct Options {
    /// `--requeue-dependency`.
    pub requeue_dependency: Duration,
    /// `--no-cross-namespace-refs`.
    pub no_cross_namespace_refs: bool,
    /// `--default-service-account`.
    pub default_service_account: Option<String>,
    /// `--default-kubeconfig-service-account`.
    pub default_kubeconfig_service_account: Option<String>,
    /// `--snapshot-digest-algo`.
    pub snapshot_digest: ::helm::release::Algorithm,
    /// Feature gate `AdditiveCELDependencyCheck`.
    pub additive_cel_dependency_check: bool,
    /// Feature gate `ExternalArtifact`.
    pub external_artifact: bool,
    /// Feature gate `AdoptLegacyReleases`.
    pub adopt_legacy_releases: bool,
    /// Feature gate `AllowDNSLookups`.
    pub allow_dns_lookups: bool,
    /// Feature gate `DisableChartDigestTracking`.
    pub disable_chart_digest_tracking: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            requeue_dependency: Duration::from_secs(30),
            no_cross_namespace_refs: false,
            default_service_account: None,
            default_kubeconfig_service_account: None,
            snapshot_digest: ::helm::release::Algorithm::default(),
            additive_cel_dependency_check: false,
            external_artifact: false,
            adopt_legacy_releases: true,
            allow_dns_lookups: false,
            disable_chart_digest_tracking: false,
        }
    }
}

/// What the reconciler works with. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The API server.
    pub client: kube::Client,
    /// The artifacts.
    pub fetcher: Fetcher,
    /// What is known of the cluster's kinds.
    pub kinds: Arc<Kinds>,
    /// Tokens for other clusters.
    pub cloud: Cloud,
    /// Time, randomness and keys, for templates.
    pub templates: Arc<dyn gotemplate::Host>,
    /// Flags.
    pub options: Arc<Options>,
}

/// Reconciles `HelmRelease`s.
pub struct HelmReleaseReconciler {
    context: Context,
    host: Host,
    sources: Sources,
}

/// What survives the turns of an object: the HelmChart as it was applied, the action that is on its
/// way, and what this run did before.
#[derive(Debug, Default)]
struct Memo {
    chart: Option<serde_json::Value>,
    work: Option<Work>,
    done: Vec<release::Type>,
}

impl HelmReleaseReconciler {
    /// A reconciler that finds sources in the host's shared watches.
    pub fn new(context: Context, host: &Host) -> Self {
        Self { context, sources: Sources::new(host), host: host.clone() }
    }

    async fn run(&self, run: &mut Run<'_>, turn: &mut Turn) -> End {
        match self.prepared(run, turn).await {
            Ok(ready) => self.release(run, turn, ready).await,
            Err(end) => end,
        }
    }

    /// What a release needs: its chart, its values and its cluster.
    async fn prepared(&self, run: &mut Run<'_>, turn: &mut Turn) -> Result<Prepared, End> {
        clear(run)?;
        self.chart(run, turn).await?;
        run.reconciling(reason::PROGRESSING, "Fulfilling prerequisites");
        self.dependencies(run).await?;
        let found = self.source(run)?;
        let values = self.values(run).await?;
        let target = self.target(run).await?;
        Ok(Prepared { found, values, target })
    }

    async fn chart(&self, run: &mut Run<'_>, turn: &mut Turn) -> Result<(), End> {
        let (client, kinds) = (self.context.client.clone(), Arc::clone(&self.context.kinds));
        let cluster = Cluster::new(client, kinds, CONTROLLER);
        let sync = chart::Sync {
            cluster: &cluster,
            options: &self.context.options,
            known: chart::place(run.it)
                .and_then(|(namespace, name)| self.sources.chart(&namespace, &name)),
            applied: &mut turn.memo::<Memo>().chart,
        };
        let made = chart::sync(run, sync).await;
        made.map_err(|why| match why {
            Unmade::Denied(why) => denied(run, &why),
            Unmade::Failed(why) => {
                run.not_ready(reason::RECONCILE_ERROR, &why);
                End::Retry
            }
        })
    }

    async fn dependencies(&self, run: &mut Run<'_>) -> Result<(), End> {
        let options = &self.context.options;
        match dependency::check(&self.context.client, run.it, options).await {
            Ok(()) => {
                run.doubt(&[reason::DEPENDENCY_NOT_READY]);
                Ok(())
            }
            Err(Unmet::Expression(why)) => {
                let (reason, message) =
                    (reason::INVALID_CEL_EXPRESSION, format!("{TERMINAL}: {why}"));
                run.not_ready(reason, &message);
                run.stalled(reason, &message);
                run.tell(Event::error(reason, why));
                Err(End::Stalled)
            }
            Err(Unmet::Waiting(why)) => {
                run.not_ready(reason::DEPENDENCY_NOT_READY, &why);
                run.tell(Event::info(reason::DEPENDENCY_NOT_READY, why));
                Err(End::After(options.requeue_dependency))
            }
        }
    }

    fn source(&self, run: &mut Run<'_>) -> Result<Found, End> {
        let options = &self.context.options;
        match self.sources.find(run.it, options) {
            Ok(found) => {
                let past =
                    [reason::ACCESS_DENIED, reason::ARTIFACT_FAILED, reason::SOURCE_NOT_READY];
                run.doubt(&past);
                Ok(found)
            }
            Err(Missing::Denied(why)) => Err(denied(run, &why)),
            Err(Missing::Source(why)) => {
                let message = format!("could not get Source object: {why}");
                run.not_ready(reason::ARTIFACT_FAILED, &message);
                Err(End::Retry)
            }
            Err(Missing::NotReady(why)) => {
                run.not_ready(reason::SOURCE_NOT_READY, &why);
                Err(End::After(options.requeue_dependency))
            }
        }
    }

    async fn values(&self, run: &mut Run<'_>) -> Result<Values, End> {
        let origin = Origin { manifests: &[], client: Some(&self.context.client) };
        match values::compose(origin, run.it).await {
            Ok(values) => {
                run.doubt(&[reason::VALUES_ERROR]);
                Ok(values)
            }
            Err(why) => {
                run.not_ready(reason::VALUES_ERROR, &why);
                run.tell(Event::error(reason::VALUES_ERROR, why));
                Err(End::Retry)
            }
        }
    }

    async fn target(&self, run: &mut Run<'_>) -> Result<Target, End> {
        match identity::target(run.it, &self.context).await {
            Ok(target) => {
                run.doubt(&[reason::REST_CLIENT_ERROR]);
                Ok(target)
            }
            Err(why) => {
                run.not_ready(reason::REST_CLIENT_ERROR, &identity::unreachable(&why));
                Err(End::Retry)
            }
        }
    }

    /// The artifact is told of, but not there.
    fn absent(&self, run: &mut Run<'_>) -> End {
        let after = self.context.options.requeue_dependency;
        let message = format!("Source not ready: artifact not found. Retrying in {}", Go(after));
        run.not_ready(reason::ARTIFACT_FAILED, &message);
        End::After(after)
    }
}

/// What a release needs.
struct Prepared {
    found: Found,
    values: Values,
    target: Target,
}

/// Whether the annotations can be followed.
fn clear(run: &mut Run<'_>) -> Result<(), End> {
    let checked = annotation::applies(run.it).and(annotation::readiness(run.it).map(drop));
    let (reason, message, why) = match checked {
        Ok(()) => return Ok(()),
        Err(Unclear::Form(why)) => ("InvalidAnnotation", why.clone(), why),
        Err(Unclear::Expression(why)) => {
            (reason::INVALID_CEL_EXPRESSION, format!("{TERMINAL}: {why}"), why)
        }
    };
    run.not_ready(reason, &message);
    run.stalled(reason, &message);
    run.tell(Event::error(reason, why));
    Err(End::Stalled)
}

/// Something in another namespace must not be used.
fn denied(run: &mut Run<'_>, why: &str) -> End {
    run.stalled(reason::ACCESS_DENIED, why);
    run.not_ready(reason::ACCESS_DENIED, why);
    run.tell(Event::error(reason::ACCESS_DENIED, why));
    End::Stalled
}

impl Reconcile for HelmReleaseReconciler {
    type Resource = HelmRelease;
    const CONTROLLER: &'static str = CONTROLLER;
    const ACKNOWLEDGES_SUSPENDED: bool = true;
    const OBSERVES_SUSPENDED: bool = true;

    async fn turn(&self, it: &HelmRelease, turn: &mut Turn) -> Result<Report<Self>, Stop> {
        let mut run = Run::begin(it, turn);
        let end = self.run(&mut run, turn).await;
        run.report(end).ok_or(Stop::Superseded)
    }

    async fn finalize(&self, it: &HelmRelease, turn: &mut Turn) -> Result<(), Stop> {
        self.finalized(it, turn).await
    }

    fn references(&self, it: &HelmRelease) -> Vec<Reference> {
        wake::references(it)
    }

    fn watches(&self) -> Vec<Watch> {
        wake::watches()
    }
}
