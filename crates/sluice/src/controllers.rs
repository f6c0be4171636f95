//! The list of controllers, and what they share.
//!
//! A new controller is one line in `all`.

use std::{cell::OnceCell, path::PathBuf, sync::Arc};

use anyhow::{Context as _, Result, bail};
use automation::AutomationReconciler;
use axum::Router;
use cloud::{CacheOptions, Cloud, Endpoints, Environment};
use controller::{Controller, Host, Metrics, clock::Clock, event::Post};
use forge::Forge;
use http_client::{Guard, Pool};
use kms::ProcessVault;
use kube::{Client, api::ApiResource};
use promotion::{
    BundleReconciler, FreezeReconciler, PipelineReconciler, PromotionReconciler, StageReconciler,
};
use reconciler::{
    Fetcher,
    base::Bases,
    helm_release::{self, HelmReleaseReconciler},
    kustomization::{self, KustomizationReconciler},
    source::{
        self, ArtifactGeneratorReconciler, BucketReconciler, GitRepositoryReconciler,
        HelmChartReconciler, HelmRepositoryReconciler, OciRepositoryReconciler, artifact_generator,
    },
};
use reflector::{PolicyReconciler, RepositoryReconciler};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{cli::Machine, token::Counter};

/// What the controllers are started with.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Where tags and mirrors are kept.
    pub storage: PathBuf,
    /// How the kit runs them.
    pub options: controller::Options,
    /// How the image reflector behaves.
    pub reflector: reflector::Options,
    /// How the image automation behaves.
    pub automation: automation::Options,
    /// How the sources behave.
    pub source: source::Options,
    /// How generators of artifacts behave.
    pub generator: artifact_generator::Options,
    /// Host and port that are asked for artifacts instead of those in their URLs.
    pub source_host: Option<String>,
    /// How Kustomizations behave.
    pub kustomization: kustomization::Options,
    /// How `HelmRelease`s behave.
    pub helm_release: helm_release::Options,
    /// How promotion behaves.
    pub promotion: promotion::Options,
    /// Host and port of the API server, which gates must not ask.
    pub api_server: Option<String>,
    /// How artifacts are kept, and where they are said to be served.
    pub artifact: artifact::Options,
    /// SSH settings and the name that Git servers are told.
    pub git: git::Options,
    /// How cloud tokens are kept.
    pub tokens: CacheOptions,
    /// Where the clouds are.
    pub clouds: Endpoints,
    /// Which controllers run, by upstream's names; all when empty.
    pub selection: Vec<String>,
}

impl Setup {
    /// Upstream's defaults, with state below `storage`.
    pub fn new(storage: impl Into<PathBuf>) -> Self {
        Self {
            storage: storage.into(),
            options: controller::Options::default(),
            reflector: reflector::Options::default(),
            automation: automation::Options::default(),
            source: source::Options::default(),
            generator: artifact_generator::Options::default(),
            source_host: None,
            kustomization: kustomization::Options::default(),
            helm_release: helm_release::Options::default(),
            promotion: promotion::Options::default(),
            api_server: None,
            artifact: artifact::Options::default(),
            git: git::Options::default(),
            tokens: CacheOptions::default(),
            clouds: Endpoints::default(),
            selection: Vec::new(),
        }
    }

    fn wants(&self, name: &str) -> bool {
        self.selection.is_empty() || self.selection.iter().any(|wanted| wanted == name)
    }
}

/// The controllers while they run.
pub struct Running {
    kinds: Vec<ApiResource>,
    tasks: JoinSet<()>,
    files: Option<Router>,
}

impl Running {
    /// The kinds that have a controller.
    pub fn kinds(&self) -> &[ApiResource] {
        &self.kinds
    }

    /// The file server of the artifacts, if there is a controller that makes some.
    pub fn files(&self) -> Option<Router> {
        self.files.clone()
    }

    /// Ends when all controllers have, that is some time after their host was stopped.
    pub async fn ended(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

/// A host on an API server, with metrics of its own. Must be called within the runtime.
///
/// # Errors
/// When the metrics cannot be registered.
pub fn host(client: Client, clock: Arc<dyn Clock>, stop: CancellationToken) -> Result<Host> {
    let metrics = Metrics::new(prometheus::Registry::new()).context("cannot register metrics")?;
    Ok(host_with(client, clock, metrics, None, stop))
}

/// A host that feeds the given metrics and posts events.
pub(crate) fn host_with(
    client: Client,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    post: Option<(Arc<dyn Post>, String)>,
    stop: CancellationToken,
) -> Host {
    Host::new(controller::Context { client, clock, metrics, post, stop })
}

/// Starts the wanted controllers. They end with the host.
///
/// # Errors
/// When the storage cannot be used, or a controller of that name does not exist.
pub fn start(host: &Host, setup: &Setup) -> Result<Running> {
    let host = host.with(setup.options.clone());
    let mut running = Running { kinds: Vec::new(), tasks: JoinSet::new(), files: None };
    let shared = Shared::new(&host, setup);
    for controller in all(&shared, &host, setup)? {
        running.kinds.push(controller.resource().clone());
        running.tasks.spawn(controller.run(host.clone()));
    }
    running.files = shared.store.get().map(artifact::Store::router);
    Ok(running)
}

/// Upstream's names of the controllers that this binary has.
pub(crate) const NAMES: [&str; 7] = [
    source::CONTROLLER,
    artifact_generator::CONTROLLER,
    kustomization::CONTROLLER,
    helm_release::CONTROLLER,
    reflector::CONTROLLER,
    automation::CONTROLLER,
    promotion::CONTROLLER,
];

/// Every wanted controller.
fn all(shared: &Shared, host: &Host, setup: &Setup) -> Result<Vec<Controller>> {
    if let Some(unknown) = setup.selection.iter().find(|name| !NAMES.contains(&name.as_str())) {
        bail!("there is no controller '{unknown}'; there are {}", NAMES.join(", "));
    }
    let mut controllers = Vec::new();
    if setup.wants(source::CONTROLLER) {
        let context = shared.source(setup)?;
        controllers.push(Controller::new(GitRepositoryReconciler::new(context.clone(), host)));
        controllers.push(Controller::new(OciRepositoryReconciler::new(context.clone())));
        controllers.push(Controller::new(HelmRepositoryReconciler::new(context.clone())));
        controllers.push(Controller::new(HelmChartReconciler::new(context.clone())));
        controllers.push(Controller::new(BucketReconciler::new(context)));
    }
    if setup.wants(artifact_generator::CONTROLLER) {
        let context = shared.generator(setup)?;
        controllers.push(Controller::new(ArtifactGeneratorReconciler::new(context, host)));
    }
    if setup.wants(kustomization::CONTROLLER) {
        let context = shared.kustomization(setup)?;
        controllers.push(Controller::new(KustomizationReconciler::new(context, host)));
    }
    if setup.wants(helm_release::CONTROLLER) {
        let context = shared.helm_release(setup)?;
        controllers.push(Controller::new(HelmReleaseReconciler::new(context, host)));
    }
    if setup.wants(reflector::CONTROLLER) {
        let context = shared.reflector(setup)?;
        controllers.push(Controller::new(RepositoryReconciler::new(context.clone())));
        controllers.push(Controller::new(PolicyReconciler::new(context, host)));
    }
    if setup.wants(automation::CONTROLLER) {
        let context = shared.automation(setup)?;
        controllers.push(Controller::new(AutomationReconciler::new(context, host)));
    }
    if setup.wants(promotion::CONTROLLER) {
        let context = shared.promotion(setup)?;
        controllers.push(Controller::new(PipelineReconciler::new(context.clone(), host)));
        controllers.push(Controller::new(BundleReconciler::new(context.clone(), host)));
        controllers.push(Controller::new(FreezeReconciler::new(host)));
        controllers.push(Controller::new(StageReconciler::new(context.clone(), host)));
        controllers.push(Controller::new(PromotionReconciler::new(context, host)));
    }
    Ok(controllers)
}

/// What several controllers use.
struct Shared {
    host: Host,
    pool: Pool,
    now: cloud::Clock,
    environment: Environment,
    cloud: Cloud,
    tokens: CacheOptions,
    writers: repository::Writers,
    mirrors: OnceCell<git::Mirrors>,
    store: OnceCell<artifact::Store>,
    registry: OnceCell<registry::Client>,
}

impl Shared {
    fn new(host: &Host, setup: &Setup) -> Self {
        let pool = Pool::new(concat!("sluice/", env!("CARGO_PKG_VERSION")));
        let clock = Arc::clone(host.clock());
        let now: cloud::Clock = Arc::new(move || clock.now());
        let environment: Environment = std::env::vars().collect();
        let counter = Arc::new(Counter(host.metrics().clone()));
        let tokens = CacheOptions { observer: Some(counter), ..setup.tokens.clone() };
        let cloud = Cloud::new(
            environment.clone(),
            setup.clouds.clone(),
            pool.clone(),
            tokens.clone(),
            Arc::clone(&now),
        );
        let (mirrors, store) = (OnceCell::new(), OnceCell::new());
        let (registry, writers) = (OnceCell::new(), repository::Writers::default());
        let host = host.clone();
        Self { host, pool, now, environment, cloud, tokens, writers, mirrors, store, registry }
    }

    fn source(&self, setup: &Setup) -> Result<source::Context> {
        Ok(source::Context {
            client: self.host.client().clone(),
            store: self.store(setup)?,
            mirrors: self.mirrors(setup)?,
            forge: self.forge(),
            registry: self.registry(),
            cloud: self.cloud.clone(),
            http: self.pool.clone(),
            compute: self.host.compute().clone(),
            options: Arc::new(setup.source.clone()),
        })
    }

    fn generator(&self, setup: &Setup) -> Result<artifact_generator::Context> {
        Ok(artifact_generator::Context {
            client: self.host.client().clone(),
            store: self.store(setup)?,
            fetcher: self.fetcher(setup)?,
            compute: self.host.compute().clone(),
            options: Arc::new(setup.generator.clone()),
        })
    }

    /// How artifacts are got that may be another process's.
    fn fetcher(&self, setup: &Setup) -> Result<Fetcher> {
        let host = setup.source_host.clone();
        Ok(Fetcher::new(self.store(setup)?, self.pool.clone(), host))
    }

    /// Registries, whose sessions all controllers have in common.
    fn registry(&self) -> registry::Client {
        let options = || registry::Options::new(self.pool.clone(), Arc::clone(&self.now));
        self.registry.get_or_init(|| registry::Client::new(options())).clone()
    }

    fn kustomization(&self, setup: &Setup) -> Result<kustomization::Context> {
        Ok(kustomization::Context {
            client: self.host.client().clone(),
            fetcher: self.fetcher(setup)?,
            kinds: Arc::default(),
            cloud: self.cloud.clone(),
            key_services: self.key_services(),
            bases: Bases::new(self.mirrors(setup)?, self.pool.clone()),
            options: Arc::new(setup.kustomization.clone()),
        })
    }

    fn helm_release(&self, setup: &Setup) -> Result<helm_release::Context> {
        Ok(helm_release::Context {
            client: self.host.client().clone(),
            fetcher: self.fetcher(setup)?,
            kinds: Arc::default(),
            cloud: self.cloud.clone(),
            templates: Arc::new(Machine),
            options: Arc::new(setup.helm_release.clone()),
        })
    }

    fn key_services(&self) -> kms::Services {
        let vault = ProcessVault::of(&self.environment);
        let (cloud, pool) = (self.cloud.clone(), self.pool.clone());
        kms::Services::new(cloud, pool, kms::Endpoints::default(), vault)
    }

    /// The artifacts, which all controllers have in common.
    fn store(&self, setup: &Setup) -> Result<artifact::Store> {
        if let Some(store) = self.store.get() {
            return Ok(store.clone());
        }
        let folder = &setup.storage;
        let store = artifact::Store::open(folder, &folder.join("trees"), setup.artifact.clone())
            .with_context(|| format!("cannot keep artifacts in {}", folder.display()))?;
        Ok(self.store.get_or_init(|| store).clone())
    }

    /// The mirrors, which all controllers have in common.
    fn mirrors(&self, setup: &Setup) -> Result<git::Mirrors> {
        if let Some(mirrors) = self.mirrors.get() {
            return Ok(mirrors.clone());
        }
        let folder = setup.storage.join("git");
        let network = git::Network::new(setup.git.clone());
        let mirrors = git::Mirrors::open(&folder, git::Limits::default(), network)
            .with_context(|| format!("cannot keep mirrors in {}", folder.display()))?;
        Ok(self.mirrors.get_or_init(|| mirrors).clone())
    }

    fn reflector(&self, setup: &Setup) -> Result<reflector::Context> {
        let folder = setup.storage.join("tags");
        let tags = reflector::Tags::open(&folder)
            .with_context(|| format!("cannot keep tags in {}", folder.display()))?;
        Ok(reflector::Context {
            client: self.host.client().clone(),
            registry: self.registry(),
            cloud: self.cloud.clone(),
            tags,
            compute: self.host.compute().clone(),
            options: Arc::new(setup.reflector.clone()),
        })
    }

    fn automation(&self, setup: &Setup) -> Result<automation::Context> {
        Ok(automation::Context {
            client: self.host.client().clone(),
            mirrors: self.mirrors(setup)?,
            forge: self.forge(),
            cloud: self.cloud.clone(),
            compute: self.host.compute().clone(),
            unmarked: automation::Unmarked::default(),
            writers: self.writers.clone(),
            options: Arc::new(setup.automation.clone()),
        })
    }

    fn forge(&self) -> Forge {
        Forge::new(self.pool.clone(), Arc::clone(&self.now), self.tokens.clone())
    }

    fn promotion(&self, setup: &Setup) -> Result<promotion::Context> {
        let outside = promotion::Outside {
            client: self.host.client().clone(),
            pool: self.pool.clone(),
            guard: Guard::new(&setup.promotion.allowed_hosts, &setup.api_server),
            forge: self.forge(),
            no_cross_namespace_refs: setup.promotion.no_cross_namespace_refs,
        };
        Ok(promotion::Context {
            client: self.host.client().clone(),
            cloud: self.cloud.clone(),
            mirrors: self.mirrors(setup)?,
            forge: self.forge(),
            compute: self.host.compute().clone(),
            writers: self.writers.clone(),
            registry: self.registry(),
            meters: promotion::Meters::new(self.host.metrics().registry())
                .context("cannot register metrics")?,
            gates: promotion::Gates::new(outside.adapters()),
            // Which hosts gates may ask says nothing about Git.
            guard: Guard::new(&[], &setup.api_server),
            options: Arc::new(setup.promotion.clone()),
        })
    }
}
