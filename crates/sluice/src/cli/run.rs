//! `sluice run`.

use std::{ffi::OsString, process::ExitCode, sync::Arc};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Parser as _};
use controller::{
    Metrics, clock,
    event::Post,
    lease::{Candidate, Election, Ended, Seat},
    probe::{self, Aside},
};
use http_client::Pool;
use kube::{Client, Config, config::Kubeconfig};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::flag;
use crate::{
    controllers::{self, NAMES, Setup},
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
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
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
    let mut setup = Setup::new(arguments.cluster.storage_path.clone());
    setup.selection.clone_from(&arguments.controllers);
    arguments.behaviour.configure(&mut setup)?;
    setup.options.namespace = namespace(&arguments)?;
    let client = client(&arguments.cluster).await?;
    let metrics = Metrics::new(process_registry()?)?;
    let aside = Aside::start("probes").context("cannot start the thread for probes")?;
    serve(&aside, &arguments.cluster, &metrics)?;
    let stop = CancellationToken::new();
    let working = CancellationToken::new();
    let elected = CancellationToken::new();
    let candidacy = candidacy(&arguments, &metrics, &aside, (&elected, &working)).await?;
    let ended = async {
        tokio::select! {
            () = super::interrupted() => None,
            ended = lost(candidacy) => Some(ended),
        }
    };
    let work = async {
        elected.cancelled().await;
        let post = post(&arguments.behaviour.events_addr)?;
        let clock = Arc::new(clock::System);
        let host = controllers::host_with(client, clock, metrics.clone(), post, stop.clone());
        let running = controllers::start(&host, &setup)?;
        tracing::info!(kinds = running.kinds().join(","), "starting manager");
        running.ended().await;
        anyhow::Ok(())
    };
    let work = async {
        let result = work.await;
        working.cancel();
        result
    };
    tokio::pin!(work);
    let ended = tokio::select! {
        ended = ended => ended,
        result = &mut work => { result?; None }
    };
    stop.cancel();
    if elected.is_cancelled() && !working.is_cancelled() {
        work.await?;
    }
    match ended {
        Some(Ended::Lost) => bail!("leader election lost"),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// The only namespace to watch, if not all.
fn namespace(arguments: &Arguments) -> Result<Option<String>> {
    if arguments.cluster.watch_all_namespaces {
        return Ok(None);
    }
    let namespace = std::env::var("RUNTIME_NAMESPACE").ok().filter(|name| !name.is_empty());
    namespace.map(Some).context("--watch-all-namespaces=false needs RUNTIME_NAMESPACE")
}

/// A client by flag, environment or pod.
async fn client(flags: &flag::Cluster) -> Result<Client> {
    let config = match &flags.kubeconfig {
        None => Config::infer().await.context(
            "there is no API server: set KUBECONFIG or give --kubeconfig (or see `sluice up`)",
        )?,
        Some(path) => {
            let kubeconfig = Kubeconfig::read_from(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            Config::from_custom_kubeconfig(kubeconfig, &Default::default()).await?
        }
    };
    Ok(Client::try_from(config)?)
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
    let bind = |address, what: &str| {
        std::net::TcpListener::bind(address)
            .with_context(|| format!("cannot listen on {address} for {what}"))
    };
    aside.serve(bind(flags.metrics_addr, "metrics")?, probe::metrics(metrics.clone()))?;
    aside.serve(bind(flags.health_addr, "health probes")?, probe::health())?;
    Ok(())
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

type Candidacy = tokio::task::JoinHandle<Result<Ended>>;

/// Stands for election, for every role at once, or leads without one.
async fn candidacy(
    arguments: &Arguments,
    metrics: &Metrics,
    aside: &Aside,
    (elected, working): (&CancellationToken, &CancellationToken),
) -> Result<Vec<Candidacy>> {
    if !arguments.cluster.enable_leader_election {
        elected.cancel();
        return Ok(Vec::new());
    }
    let mut candidacies = Vec::new();
    let mut wanted = Vec::new();
    for name in roles(&arguments.controllers) {
        let won = CancellationToken::new();
        wanted.push(won.clone());
        let (flags, metrics, working) =
            (arguments.cluster.clone(), metrics.clone(), working.clone());
        let election = election(arguments, &name)?;
        // A client of its own on the probes' thread: renewal must not wait for busy controllers.
        candidacies.push(aside.handle().spawn(async move {
            let client = client(&flags).await?;
            let seat = Seat { client, clock: Arc::new(clock::System), metrics };
            Ok(Candidate::new(election, seat).run(&won, &working).await)
        }));
    }
    let elected = elected.clone();
    tokio::spawn(async move {
        for won in wanted {
            won.cancelled().await;
        }
        elected.cancel();
    });
    Ok(candidacies)
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
    let hex: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{name}-{hex}")
}

/// Ends with the first candidacy that does; never without one.
async fn lost(candidacies: Vec<Candidacy>) -> Ended {
    if candidacies.is_empty() {
        return std::future::pending().await;
    }
    let (first, _, _) = futures::future::select_all(candidacies).await;
    match first {
        Ok(Ok(ended)) => ended,
        Ok(Err(error)) => {
            tracing::error!(error = format!("{error:#}"), "leader election failed");
            Ended::Lost
        }
        Err(_) => Ended::Lost,
    }
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
