//! `sluice up`.

mod until;

use std::{
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};

use super::{flag, signal::Signals};
use crate::{
    controllers::Setup,
    host::{directory::Directory, embedded::Embedded},
    log::{self, Encoding, Verbosity},
    manifest::{self, Manifest},
    term::{Term, quoted},
};

/// Run the embedded control plane with every controller, for laptops and CI
///
/// State is kept in a folder and survives a crash. A kubeconfig for kubectl and flux is written
/// there.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sluice up -f examples/images\n  \
    sluice up -f examples/images --until ready --timeout 2m   # as a CI step\n  \
    sluice up --simulate -f examples/gitops   # Kustomizations\n  \
    cat app.yaml | sluice up -f - --data-dir ./state\n  \
    sluice up --users alice,bob   # two users without rights, to try RBAC with")]
pub(super) struct Arguments {
    /// Manifests to apply: a file, a folder, or - for standard input
    #[arg(short = 'f', long = "filename", value_name = "FILE|DIR|-")]
    filenames: Vec<PathBuf>,
    /// Where state is kept
    #[arg(long, value_name = "DIR", env = "SLUICE_DATA_DIR", hide_env_values = true)]
    data_dir: Option<PathBuf>,
    /// Address of the API; with port 0 a free one is taken, and kept over restarts
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDR")]
    listen: SocketAddr,
    /// Further users, each with a kubeconfig in the users folder of the data directory; they may do
    /// nothing until a role is bound to them
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', value_parser = user)]
    users: Vec<String>,
    /// End when the objects are ready, or when nothing is left to do; exit code 1 if some are not
    /// ready then
    #[arg(long, value_enum, value_name = "WHAT")]
    until: Option<Until>,
    /// How long --until may take
    #[arg(long, default_value = "5m", value_parser = flag::duration, value_name = "DURATION", requires = "until")]
    timeout: Duration,
    /// Pretend that workloads run: Pods get ready, Jobs complete, volumes are bound
    ///
    /// Nothing is really started. The annotation simulator.sluice.dev/behaviour (ready, fail, hang,
    /// after=3s, …) on a Pod, its owner or its Namespace says how it behaves.
    #[arg(long)]
    simulate: bool,
    /// How much is logged
    #[arg(long, value_enum, default_value_t = Verbosity::Error)]
    log_level: Verbosity,
    /// Form of a log line
    #[arg(long, value_enum, default_value_t = Encoding::Console)]
    log_encoding: Encoding,
    #[command(flatten, next_help_heading = "Controllers")]
    controllers: flag::Controllers,
}

/// What to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Until {
    /// Every object of a kind with a controller is ready
    Ready,
    /// No controller has anything to do
    Idle,
}

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode> {
    log::install(arguments.log_level, arguments.log_encoding);
    let mut signals = Signals::listen()?;
    let manifests = manifest::read(&arguments.filenames)?;
    let directory = Directory::open(&data_dir(arguments.data_dir.clone())?)?;
    let mut setup = Setup::new(directory.path("state"));
    arguments.controllers.configure(&mut setup)?;
    let mut plane = Embedded::start(directory, arguments.listen, &arguments.users).await?;
    let outcome = tokio::select! {
        outcome = work(&mut plane, &arguments, &setup, &manifests) => outcome,
        signal = signals.next() => {
            Term::detect().begin("ending");
            Ok(arguments.until.map_or(ExitCode::SUCCESS, |_| signal.into()))
        }
    };
    signals.stop(plane.stop()).await;
    outcome
}

/// Applies the manifests, reconciles, and waits for what `--until` says.
async fn work(
    plane: &mut Embedded,
    arguments: &Arguments,
    setup: &Setup,
    manifests: &[Manifest],
) -> Result<ExitCode> {
    let term = Term::detect();
    term.done(&format!("control plane at {}", plane.url));
    if plane.moved {
        term.begin("the port of the last time is taken: reload the kubeconfig");
    }
    term.command(&format!("export KUBECONFIG={}", quoted(&plane.kubeconfig)));
    for (name, path) in &plane.users {
        term.command(&format!("export KUBECONFIG={}   # {name}", quoted(path)));
    }
    let started = Instant::now();
    let applied = manifest::apply(&plane.client, manifests).await?;
    for it in &applied {
        term.line(&it.to_string());
    }
    // Held so that it ends with this work.
    let _simulator = arguments.simulate.then(|| {
        world::simulator::Simulator::start(
            plane.client.clone(),
            world::simulator::Options::default(),
        )
    });
    plane.reconcile(setup).await?;
    let Some(what) = arguments.until else {
        term.begin("reconciling until interrupted");
        return std::future::pending().await;
    };
    let step = until::Step { plane, term, applied: &applied, started, timeout: arguments.timeout };
    match what {
        Until::Ready => step.ready().await?,
        Until::Idle => step.idle().await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The name of a user, which names files too.
fn user(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.@".contains(c);
    if text.is_empty() || text.len() > 63 || text.starts_with('.') || !text.chars().all(allowed) {
        return Err("a name has at most 63 small letters, digits, '-', '_', '.' and '@', and does not start with '.'".to_owned());
    }
    if text == "admin" {
        return Err("admin is the administrator, whose kubeconfig is always written".to_owned());
    }
    Ok(text.to_owned())
}

/// The folder given, else one in the user's data folder.
fn data_dir(given: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(folder) = given {
        return Ok(folder);
    }
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let base = set("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(set("HOME")?).join(".local/share")));
    Ok(base.context("there is no HOME to keep state in; give --data-dir")?.join("sluice"))
}
