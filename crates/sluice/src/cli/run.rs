//! `sluice run`.

use std::{ffi::OsString, path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::{Context as _, Result};
use clap::{Args, Parser as _, builder::PossibleValuesParser};
use controller::{
    CountRequests, Metrics, clock,
    event::Post,
    lease::{Candidate, Election, Ended, Seat},
    probe::{self, Aside},
};
use http_client::Pool;
use kube::{
    Client, Config,
    client::ClientBuilder,
    config::{KubeConfigOptions, Kubeconfig},
};
use reconciler::source::{self, artifact_generator};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{error, flag, signal::Signals};
use crate::{
    controllers::{self, NAMES, Setup},
    host::listen::plain as serve_files,
    log,
    post::Poster,
};

/// Run the controllers on a Kubernetes API server
///
/// Finds the API server through --kubeconfig, KUBECONFIG or the pod it runs in. Flags, ports,
/// metrics, log keys and Lease names are those of Flux's controllers; called under the name of one
/// of them, the binary plays just that role.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Which controllers run; all by default
    #[arg(long, value_delimiter = ',', value_parser = PossibleValuesParser::new(NAMES), value_name = "NAMES")]
    controllers: Vec<String>,
    #[command(flatten, next_help_heading = "Controllers")]
    behaviour: flag::Controllers,
    #[command(flatten, next_help_heading = "Cluster")]
    cluster: flag::Cluster,
    #[command(flatten, next_help_heading = "Log")]
    log: flag::Log,
}

/// The arguments of an upstream controller.
#[derive(Debug, clap::Parser)]
struct Role {
    #[command(flatten)]
    arguments: Arguments,
}

impl Arguments {
    /// The arguments of the binary under the name of the controller `name`.
    pub(super) fn for_role(name: &str, words: impl Iterator<Item = OsString>) -> Self {
        let words = std::iter::once(OsString::from(name)).chain(words);
        let mut arguments = Role::parse_from(words).arguments;
        arguments.controllers = vec![name.to_owned()];
        arguments
    }
}

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode> {
    log::install(arguments.log.log_level, arguments.log.log_encoding);
    match manage(&arguments).await {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            // In the log's form, for `flux logs` and others that read nothing else.
            tracing::error!(error = error::line(&error), "problem running manager");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Runs the controllers, once elected, until a signal ends them.
async fn manage(arguments: &Arguments) -> Result<()> {
    let mut signals = Signals::listen()?;
    let mut setup = setup(arguments)?;
    let metrics = Metrics::new(process_registry()?)?;
    let (client, server) = client(&arguments.cluster, &metrics).await?;
    setup.api_server = Some(server);
    let aside = Aside::start("probes").context("cannot start the thread for probes")?;
    let post = post(&arguments.behaviour.events_addr)?;
    let stop = CancellationToken::new();
    let files = files(arguments)?;
    let short = shortage(arguments)?;
    let mut candidates = Candidates::stand(arguments, &metrics, &aside)?;
    serve(&aside, &arguments.cluster, &metrics)?;
    let elected = candidates.elected.clone();
    let host = controllers::host_with(client, Arc::new(clock::System), metrics, post, stop.clone());
    let mut work = tokio::spawn(async move {
        if host.stop().run_until_cancelled(elected.cancelled()).await.is_none() {
            return Ok(());
        }
        let running = controllers::start(&host, &setup)?;
        let kinds: Vec<&str> = running.kinds().iter().map(|it| it.kind.as_str()).collect();
        tracing::info!(kinds = kinds.join(","), "starting manager");
        if let (Some(router), Some(listener)) = (running.files(), files) {
            tokio::spawn(serve_files(listener, router, host.stop().clone()));
        }
        running.ended().await;
        anyhow::Ok(())
    });
    let outcome = tokio::select! {
        _ = signals.next() => Ok(()),
        () = short => Ok(()),
        // Another one may lead already: nothing may be ended in order.
        error = candidates.lost() => return Err(error),
        result = &mut work => result.map_err(anyhow::Error::from).flatten(),
    };
    stop.cancel();
    let patience = arguments.cluster.graceful_shutdown_timeout;
    let ending = async {
        if !work.is_finished() {
            // What has not ended by then is found again by the next process.
            let _ = tokio::time::timeout(patience, work).await;
        }
        candidates.step_down().await;
    };
    signals.stop(ending).await;
    outcome
}

/// Ends when memory is short, if anybody asks for that.
fn shortage(arguments: &Arguments) -> Result<futures::future::BoxFuture<'static, ()>> {
    use futures::FutureExt as _;
    if !arguments.behaviour.gates()?["OOMWatch"] {
        return Ok(std::future::pending().boxed());
    }
    Ok(arguments.cluster.memory.short()?.boxed())
}

/// What the flags say of the controllers.
fn setup(arguments: &Arguments) -> Result<Setup> {
    let mut setup = Setup::new(storage(arguments));
    setup.selection.clone_from(&arguments.controllers);
    arguments.behaviour.configure(&mut setup)?;
    let cluster = &arguments.cluster;
    setup.artifact.address = match cluster.storage_adv_addr.as_str() {
        "" => cluster.storage_addr.advertised(&hostname()),
        given => given.to_owned(),
    };
    setup.options.namespace = namespace(arguments)?;
    setup.source_host =
        std::env::var("SOURCE_CONTROLLER_LOCALHOST").ok().filter(|it| !it.is_empty());
    Ok(setup)
}

/// The folder given, else upstream's, which the Pods of controllers that only read do not have.
fn storage(arguments: &Arguments) -> PathBuf {
    let keeps = [source::CONTROLLER, artifact_generator::CONTROLLER, reflector::CONTROLLER];
    let keeps = roles(&arguments.controllers).iter().any(|role| keeps.contains(&role.as_str()));
    let usual = || if keeps { PathBuf::from("/data") } else { std::env::temp_dir().join("sluice") };
    arguments.cluster.storage_path.clone().unwrap_or_else(usual)
}

/// The only namespace to watch, if not all.
fn namespace(arguments: &Arguments) -> Result<Option<String>> {
    if arguments.cluster.watch_all_namespaces {
        return Ok(None);
    }
    let namespace = std::env::var("RUNTIME_NAMESPACE").ok().filter(|name| !name.is_empty());
    namespace.map(Some).context("--watch-all-namespaces=false needs RUNTIME_NAMESPACE")
}

/// A client by flag, environment or pod, whose requests are counted, and the host that it asks.
async fn client(flags: &flag::Cluster, metrics: &Metrics) -> Result<(Client, String)> {
    let config = match &flags.kubeconfig {
        None => Config::infer().await.context(
            "there is no API server: set KUBECONFIG or give --kubeconfig (or see `sluice up`)",
        )?,
        Some(path) => {
            let unusable = || format!("cannot use the kubeconfig {}", path.display());
            let kubeconfig = Kubeconfig::read_from(path).with_context(unusable)?;
            let options = KubeConfigOptions::default();
            Config::from_custom_kubeconfig(kubeconfig, &options).await.with_context(unusable)?
        }
    };
    let host = config.cluster_url.authority().map(ToString::to_string).unwrap_or_default();
    let builder =
        ClientBuilder::try_from(config).context("cannot use the API server's settings")?;
    let counted = CountRequests::new(metrics.clone(), host.clone());
    Ok((builder.with_layer(&counted).build(), host))
}

/// A registry that also tells of the process itself.
fn process_registry() -> Result<prometheus::Registry> {
    let registry = prometheus::Registry::new();
    let process = prometheus::process_collector::ProcessCollector::for_self();
    registry.register(Box::new(process))?;
    Ok(registry)
}

/// Binds and serves metrics and probes on a thread of their own.
fn serve(aside: &Aside, flags: &flag::Cluster, metrics: &Metrics) -> Result<()> {
    if let Some(listener) = flags.metrics_addr.bind("metrics")? {
        tracing::info!(bindAddress = %listener.local_addr()?, "serving metrics");
        let words = std::env::args_os().map(|it| it.to_string_lossy().into_owned());
        let pprof = probe::pprof(&words.collect::<Vec<_>>());
        aside.serve(listener, probe::metrics(metrics.clone()).merge(pprof))?;
    }
    if let Some(listener) = flags.health_addr.bind("health probes")? {
        tracing::info!(bindAddress = %listener.local_addr()?, "serving health probes");
        aside.serve(listener, probe::health())?;
    }
    Ok(())
}

/// Binds the socket of the artifacts, if there is a controller that makes some.
fn files(arguments: &Arguments) -> Result<Option<tokio::net::TcpListener>> {
    let makers = [source::CONTROLLER, artifact_generator::CONTROLLER];
    if !roles(&arguments.controllers).iter().any(|role| makers.contains(&role.as_str())) {
        return Ok(None);
    }
    let Some(listener) = arguments.cluster.storage_addr.bind("artifacts")? else { return Ok(None) };
    tracing::info!(bindAddress = %listener.local_addr()?, "serving artifacts");
    listener.set_nonblocking(true)?;
    Ok(Some(tokio::net::TcpListener::from_std(listener)?))
}

fn post(address: &str) -> Result<Option<(Arc<dyn Post>, String)>> {
    if address.is_empty() {
        return Ok(None);
    }
    let poster = Poster::new(Pool::new(concat!("sluice/", env!("CARGO_PKG_VERSION"))), address)?;
    Ok(Some((Arc::new(poster), hostname())))
}

fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty()).unwrap_or(name.trim().to_owned())
}

/// The candidacies for the Leases of all roles.
struct Candidates {
    /// Cancelled when all are won.
    elected: CancellationToken,
    /// Cancelled when the controllers have ended, and others may lead.
    ended: CancellationToken,
    tasks: JoinSet<Result<Ended>>,
}

impl Candidates {
    /// Stands for one Lease after the other, always in the same order, so that two processes never
    /// wait for each other; or leads without one.
    fn stand(arguments: &Arguments, metrics: &Metrics, aside: &Aside) -> Result<Self> {
        let ended = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let mut previous = CancellationToken::new();
        previous.cancel();
        if !arguments.cluster.enable_leader_election {
            return Ok(Self { elected: previous, ended, tasks });
        }
        for name in roles(&arguments.controllers) {
            let (won, ended) = (CancellationToken::new(), ended.clone());
            let before = std::mem::replace(&mut previous, won.clone());
            let election = election(arguments, &name)?;
            metrics.lead(&election.name, false);
            let (flags, metrics) = (arguments.cluster.clone(), metrics.clone());
            let candidacy = async move {
                // A client of its own: renewal must not wait for busy controllers.
                let (client, _) = client(&flags, &metrics).await?;
                let seat = Seat { client, clock: Arc::new(clock::System), metrics };
                let candidate = Candidate::new(election, seat);
                if ended.run_until_cancelled(before.cancelled()).await.is_none() {
                    return Ok(Ended::Stopped);
                }
                Ok(candidate.run(&won, &ended).await)
            };
            tasks.spawn_on(candidacy, aside.handle());
        }
        Ok(Self { elected: previous, ended, tasks })
    }

    /// Ends when one of the Leases is lost; never without any.
    async fn lost(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            None => std::future::pending().await,
            Some(Ok(Ok(_))) => anyhow::anyhow!("leader election lost"),
            Some(Ok(Err(error))) => error.context("cannot stand for election"),
            Some(Err(error)) => anyhow::Error::from(error).context("leader election ended"),
        }
    }

    /// Gives the Leases back, so that the next one begins at once.
    async fn step_down(&mut self) {
        self.ended.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

fn roles(selection: &[String]) -> Vec<String> {
    if selection.is_empty() { NAMES.map(str::to_owned).to_vec() } else { selection.to_vec() }
}

/// The election for one upstream controller's Lease, so that it and we never both act.
fn election(arguments: &Arguments, role: &str) -> Result<Election> {
    let flags = &arguments.cluster;
    let namespace = std::env::var("RUNTIME_NAMESPACE").ok().filter(|name| !name.is_empty());
    let own = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
    let namespace = namespace
        .or_else(|| std::fs::read_to_string(own).ok())
        .context("leader election needs a namespace for its Lease: set RUNTIME_NAMESPACE")?;
    let identity = format!("{}_{:016x}", hostname(), rand::random::<u64>());
    let name = lease_name(role, &arguments.behaviour.watch_label_selector);
    Ok(Election {
        lease_duration: flags.leader_election_lease_duration,
        renew_deadline: flags.leader_election_renew_deadline,
        retry_period: flags.leader_election_retry_period,
        release_on_cancel: flags.leader_election_release_on_cancel,
        ..Election::new(namespace.trim(), name, identity)
    })
}

/// `<controller>-leader-election`, with the beginning of the selector's digest for shards.
fn lease_name(role: &str, selector: &str) -> String {
    let name = format!("{role}-leader-election");
    if selector.is_empty() {
        return name;
    }
    let digest = Sha256::digest(selector.as_bytes());
    format!("{name}-{:02x}{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2], digest[3])
}

#[cfg(test)]
mod tests {
    use super::lease_name;

    #[test]
    fn leases_are_upstreams() {
        let name = "image-reflector-controller";
        assert_eq!(lease_name(name, ""), "image-reflector-controller-leader-election");
        assert_eq!(
            lease_name(name, "sharding.fluxcd.io/key=shard1").len(),
            "image-reflector-controller-leader-election-".len() + 8
        );
    }
}
