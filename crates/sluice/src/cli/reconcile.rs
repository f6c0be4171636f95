//! `sluice reconcile`.

use std::{
    io::Write as _,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use futures::{FutureExt as _, future::BoxFuture};
use health::Health;
use jiff::Timestamp;
use kube::{
    Client,
    api::{Patch, PatchParams},
};
use serde_json::{Map, Value, json};

use super::{cluster, late::Late, object};

const REQUESTED: &str = "reconcile.fluxcd.io/requestedAt";

/// How often it is looked whether it is done.
const EVERY: Duration = Duration::from_millis(250);

/// Have something reconciled now, and wait for it
///
/// Ends as soon as the outcome is known: a failure is told at once, not at the end of --timeout.
#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    kind: Late<Kind>,
}

#[derive(Debug, Subcommand)]
enum Kind {
    /// Have a Kustomization applied
    #[command(visible_alias = "ks")]
    Kustomization(WithSource),
    /// Have a HelmRelease installed or upgraded
    #[command(visible_alias = "hr")]
    Helmrelease(Helm),
    /// Have a source fetched
    Source(Source),
    /// Have an image scanned, selected or committed
    Image(Image),
}

#[derive(Debug, Args)]
struct One {
    /// Name of the object
    name: String,
    #[command(flatten)]
    cluster: cluster::Arguments,
}

#[derive(Debug, Args)]
struct WithSource {
    /// Have its source fetched first
    #[arg(long)]
    with_source: bool,
    #[command(flatten)]
    one: One,
}

#[derive(Debug, Args)]
struct Helm {
    /// Install or upgrade once even if nothing changed
    #[arg(long)]
    force: bool,
    /// Forget how often it failed
    #[arg(long)]
    reset: bool,
    #[command(flatten)]
    it: WithSource,
}

#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
struct Source {
    #[command(subcommand)]
    kind: SourceKind,
}

#[derive(Debug, Subcommand)]
enum SourceKind {
    /// Have a GitRepository fetched
    Git(One),
    /// Have an OCIRepository fetched
    Oci(One),
    /// Have a HelmRepository fetched
    Helm(One),
    /// Have a HelmChart fetched
    Chart(WithSource),
    /// Have a Bucket fetched
    Bucket(One),
}

#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
struct Image {
    #[command(subcommand)]
    kind: ImageKind,
}

#[derive(Debug, Subcommand)]
enum ImageKind {
    /// Have an ImageRepository scanned
    Repository(One),
    /// Have an ImagePolicy select
    Policy(One),
    /// Have an ImageUpdateAutomation commit
    Update(One),
}

/// What is asked for.
struct Request {
    kind: &'static str,
    one: One,
    with_source: bool,
    /// Further annotations that get the time of the request.
    more: Vec<&'static str>,
}

impl Kind {
    fn request(self) -> Request {
        let plain = |kind, one| Request { kind, one, with_source: false, more: Vec::new() };
        let sourced =
            |kind, it: WithSource| Request { with_source: it.with_source, ..plain(kind, it.one) };
        match self {
            Self::Kustomization(it) => sourced("Kustomization", it),
            Self::Helmrelease(Helm { it, force, reset }) => {
                let force = force.then_some("reconcile.fluxcd.io/forceAt");
                let reset = reset.then_some("reconcile.fluxcd.io/resetAt");
                let more = force.into_iter().chain(reset).collect();
                Request { more, ..sourced("HelmRelease", it) }
            }
            Self::Source(source) => match source.kind {
                SourceKind::Git(one) => plain("GitRepository", one),
                SourceKind::Oci(one) => plain("OCIRepository", one),
                SourceKind::Helm(one) => plain("HelmRepository", one),
                SourceKind::Chart(it) => sourced("HelmChart", it),
                SourceKind::Bucket(one) => plain("Bucket", one),
            },
            Self::Image(image) => match image.kind {
                ImageKind::Repository(one) => plain("ImageRepository", one),
                ImageKind::Policy(one) => plain("ImagePolicy", one),
                ImageKind::Update(one) => plain("ImageUpdateAutomation", one),
            },
        }
    }
}

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let Request { kind, one, with_source, more } = arguments.kind.0.request();
    let client = one.cluster.access.client().await?;
    let deadline = Instant::now() + one.cluster.access.timeout;
    let run = Run { client, deadline, more };
    run.reconcile(kind, &one.cluster.namespace, &one.name, with_source).await?;
    Ok(ExitCode::SUCCESS)
}

struct Run {
    client: Client,
    deadline: Instant,
    more: Vec<&'static str>,
}

impl Run {
    fn reconcile<'a>(
        &'a self,
        kind: &'a str,
        namespace: &'a str,
        name: &'a str,
        with_source: bool,
    ) -> BoxFuture<'a, Result<()>> {
        async move {
            let it = object::read(&self.client, kind, namespace, name).await?;
            if it["spec"]["suspend"] == true {
                bail!("{kind} {namespace}/{name} is suspended; resume it first (spec.suspend)");
            }
            if kind == "HelmRepository" && it["spec"]["type"] == "oci" {
                say("✔", "reconciliation not supported by the object");
                return Ok(());
            }
            if with_source {
                let (kind, namespace, name) = source(&it, namespace)?;
                self.reconcile(&kind, &namespace, &name, kind == "HelmChart").await?;
            }
            self.request(kind, namespace, name).await?;
            let it = self.handled(kind, &it).await?;
            say("✔", &outcome(kind, &it));
            Ok(())
        }
        .boxed()
    }

    async fn request(&self, kind: &str, namespace: &str, name: &str) -> Result<()> {
        say("►", &format!("annotating {kind} {name} in {namespace} namespace"));
        let now = Value::from(Timestamp::now().to_string());
        let mut annotations = Map::from_iter([(REQUESTED.to_owned(), now.clone())]);
        if kind == "HelmRelease" {
            annotations.extend(self.more.iter().map(|key| ((*key).to_owned(), now.clone())));
        }
        let patch = json!({ "metadata": { "annotations": annotations } });
        let all = object::flux(&self.client, kind, namespace)?;
        let patched = all.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await;
        patched.with_context(|| format!("cannot annotate {kind} {namespace}/{name}"))?;
        say("✔", &format!("{kind} annotated"));
        Ok(())
    }

    /// Waits until the request is handled and its outcome known.
    async fn handled(&self, kind: &str, before: &Value) -> Result<Value> {
        say("◎", &format!("waiting for {kind} reconciliation"));
        let metadata = &before["metadata"];
        let text = |field: &str| metadata[field].as_str().unwrap_or_default();
        let handled = |it: &Value| it["status"]["lastHandledReconcileAt"].clone();
        loop {
            let it = object::read(&self.client, kind, text("namespace"), text("name")).await?;
            if handled(&it) != handled(before) && is_settled(&it) {
                let (is_ready, message) = ready(&it);
                if !is_ready {
                    bail!("{kind} reconciliation failed: {message}");
                }
                return Ok(it);
            }
            if Instant::now() > self.deadline {
                let (_, message) = ready(&it);
                bail!("{kind} is not reconciled yet, and --timeout is over: {message}");
            }
            tokio::time::sleep(EVERY).await;
        }
    }
}

/// Whether nothing more will happen by itself before the next try.
fn is_settled(it: &Value) -> bool {
    match health::compute(it, Timestamp::now()) {
        Ok(Health { status: health::Status::InProgress, .. }) => {
            // A failure is tried again, but it is an outcome.
            !ready(it).0 && condition(it, "Ready").is_some_and(|ready| ready["status"] == "False")
        }
        _ => true,
    }
}

fn condition<'a>(it: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = it["status"]["conditions"].as_array();
    conditions.into_iter().flatten().find(|condition| condition["type"] == kind)
}

fn ready(it: &Value) -> (bool, String) {
    match condition(it, "Ready") {
        Some(ready) => {
            let message = ready["message"].as_str().unwrap_or_default().to_owned();
            (ready["status"] == "True", message)
        }
        None => (false, "its status cannot be determined".to_owned()),
    }
}

/// What an object is made from: kind, namespace and name.
fn source(it: &Value, own: &str) -> Result<(String, String, String)> {
    let spec = &it["spec"];
    let of = |reference: &Value| {
        let text = |field: &str| reference[field].as_str().map(str::to_owned);
        let namespace = text("namespace").unwrap_or_else(|| own.to_owned());
        Some((text("kind")?, namespace, text("name")?))
    };
    let chart = it["status"]["helmChart"].as_str().and_then(|chart| chart.split_once('/'));
    let chart = chart.map(|(namespace, name)| ("HelmChart".into(), namespace.into(), name.into()));
    let found = chart.or_else(|| of(&spec["sourceRef"])).or_else(|| of(&spec["chartRef"]));
    match found {
        Some((kind, ..)) if kind == "ExternalArtifact" => {
            bail!("cannot reconcile a source of kind ExternalArtifact: what makes it can be")
        }
        Some(found) => Ok(found),
        None => bail!("it has no source yet"),
    }
}

fn outcome(kind: &str, it: &Value) -> String {
    let status = &it["status"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match kind {
        "Kustomization" => format!("applied revision {}", text(&status["lastAppliedRevision"])),
        "HelmRelease" => {
            let version = &status["history"][0]["chartVersion"];
            format!("applied revision {}", text(version))
        }
        "ImageRepository" => {
            format!("scan fetched {} tags", status["lastScanResult"]["tagCount"])
        }
        "ImagePolicy" | "ImageUpdateAutomation" => ready(it).1,
        _ => format!("fetched revision {}", text(&status["artifact"]["revision"])),
    }
}

/// Tells people what is going on; standard output stays free.
fn say(mark: &str, text: &str) {
    // Whoever closed standard error does not want to know.
    let _ = writeln!(std::io::stderr(), "{mark} {text}");
}
