//! `sluice helm diff`.

use std::{collections::BTreeMap, process::ExitCode, sync::Arc};

use anyhow::{Context as _, Result, anyhow, bail};
use apply::Id;
use clap::Args;
use helm::{
    capability::{Capabilities, KubeVersion},
    release::{self, Record},
    render::{self, Options},
    values,
};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, api::ListParams};
use serde_json::Value;

use super::{fetch, outside::Machine, source, template, value};
use crate::{
    cli::{cluster, diff},
    term::{Colour, Term},
};

/// Show what an upgrade of a release would change
///
/// Compares the objects of the release's last revision with what the chart renders to. Exit codes:
/// 0 nothing would change, 1 something would, 2 it could not be found out.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sluice helm diff podinfo ./charts/podinfo -n apps -f values.yaml\n  \
    sluice helm diff podinfo oci://ghcr.io/stefanprodan/charts/podinfo --version 6.9.0 -n apps")]
pub(super) struct Arguments {
    /// Name of the release
    name: String,
    /// Folder or .tgz of the chart, its name in --repo, or its oci:// address
    chart: String,
    #[command(flatten)]
    values: value::Flags,
    #[command(flatten)]
    fetch: fetch::Flags,
    /// Start from the values of the last revision
    #[arg(long)]
    reuse_values: bool,
    /// Compare hooks as well
    #[arg(long)]
    include_hooks: bool,
    /// If set, disables JSON schema validation
    #[arg(long)]
    skip_schema_validation: bool,
    /// Namespace of the release
    #[arg(short, long, default_value = "default", env = "HELM_NAMESPACE", hide_env_values = true)]
    namespace: String,
    #[command(flatten)]
    cluster: cluster::Access,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let changed = source::find(&arguments.chart, &arguments.fetch)
        .map_err(|why| anyhow!(why))
        .and_then(|chart| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(differs(arguments, chart))
        });
    diff::ended(changed)
}

async fn differs(arguments: &Arguments, chart: helm::chart::Chart) -> Result<bool> {
    template::check(&chart).map_err(|why| anyhow!(why))?;
    let client = arguments.cluster.client().await?;
    let last = last(&client, arguments).await?;
    let mut values = values::Values::new();
    if let Some(last) = last.as_ref().filter(|_| arguments.reuse_values) {
        values = last.config.clone();
    }
    let given = arguments.values.values().map_err(|why| anyhow!(why))?;
    values::merge(&mut values, &given);
    let mut options = Options::new(&arguments.name, &arguments.namespace);
    options.release.revision = last.as_ref().map_or(1, |last| last.version + 1);
    options.release.is_upgrade = last.is_some();
    options.host = Arc::new(Machine);
    options.skip_schema = arguments.skip_schema_validation;
    options.capabilities = capabilities(&client).await?;
    let rendered = render::render(chart, &values, &options).map_err(|failure| failure.error)?;
    let (mut before, mut after) = (String::new(), rendered.manifest());
    if let Some(last) = &last {
        before.push_str(&last.manifest);
    }
    if arguments.include_hooks {
        let old = last.iter().flat_map(|last| &last.hooks).map(|(hook, _)| hook);
        old.for_each(|hook| render::push(&mut before, &hook.path, &hook.manifest));
        let new = rendered.hooks.iter();
        new.for_each(|hook| render::push(&mut after, &hook.path, &hook.manifest));
    }
    let namespace = &arguments.namespace;
    Ok(told(&objects(&before, namespace)?, &objects(&after, namespace)?))
}

/// The last revision of the release, if there is one.
async fn last(client: &Client, arguments: &Arguments) -> Result<Option<Record>> {
    let secrets = Api::<Secret>::namespaced(client.clone(), &arguments.namespace);
    let wanted = ListParams::default().labels(&format!("owner=helm,name={}", arguments.name));
    let mut records = Vec::new();
    for secret in secrets.list(&wanted).await.context("cannot read the release")? {
        let data = secret.data.unwrap_or_default();
        let record = data.get("release").context("a release's Secret holds no release")?;
        records.push(Record::decode(&record.0)?);
    }
    Ok(release::latest(&records).cloned())
}

/// What templates may ask of the cluster.
async fn capabilities(client: &Client) -> Result<Capabilities> {
    let version = client.apiserver_version().await.context("cannot ask for the version")?;
    let kube_version = KubeVersion::parse(&version.git_version)?;
    let mut served = vec!["v1".to_owned()];
    let groups = client.list_api_groups().await.context("cannot ask for kinds")?;
    served.extend(groups.groups.into_iter().flat_map(|it| it.versions).map(|it| it.group_version));
    let mut all = Vec::new();
    for version in served {
        let list = if version == "v1" {
            client.list_core_api_resources(&version).await
        } else {
            client.list_api_group_resources(&version).await
        };
        // A group whose server is down has no kinds.
        for resource in list.map(|list| list.resources).unwrap_or_default() {
            all.push(format!("{version}/{}", resource.kind));
        }
        all.push(version);
    }
    Ok(Capabilities { kube_version, api_versions: all, ..Capabilities::default() })
}

/// The objects of a manifest.
fn objects(manifest: &str, namespace: &str) -> Result<BTreeMap<String, Value>> {
    let mut objects = BTreeMap::new();
    for document in yaml::parse_all(manifest).context("the manifest is no YAML")? {
        let object: Value = serde_json::from_str(&document.to_json()?)?;
        if object.is_null() {
            continue;
        }
        let mut id = Id::of(&object);
        if id.name.is_empty() {
            bail!("the chart renders an object without a name");
        }
        if id.namespace.is_empty() {
            namespace.clone_into(&mut id.namespace);
        }
        objects.insert(id.to_string(), object);
    }
    Ok(objects)
}

/// Prints the changes; whether there are any.
fn told(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> bool {
    let term = Term::detect();
    let mut changed = false;
    for (id, new) in after {
        match before.get(id) {
            None => term.coloured(Colour::Green, &format!("► {id} created")),
            Some(old) if old != new => {
                let (mut old, mut new) = (old.clone(), new.clone());
                apply::mask(Some(&mut old), &mut new);
                term.line(&format!("► {id} changed"));
                term.report(&diff::report::report(&old, &new));
            }
            Some(_) => continue,
        }
        changed = true;
    }
    for id in before.keys().filter(|id| !after.contains_key(*id)) {
        term.coloured(Colour::Red, &format!("► {id} deleted"));
        changed = true;
    }
    changed
}
