//! `sluice diff helmrelease`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result, anyhow, bail};
use apply::{Cluster, Id, Kinds};
use clap::Args;
use reconciler::helm_release::{
    CONTROLLER,
    local::{self, Built, Difference},
};
use serde_json::Value;

use super::object::drifted;
use crate::{
    cli::{
        cluster, mask,
        release::{self, Files, Previewed},
    },
    term::{Colour, Term},
};

/// Show what a HelmRelease on local files would change in the cluster
///
/// What Helm would do to each object is tried as a dry run. Kinds that the chart brings need not exist
/// yet, nor does the HelmRelease if --helmrelease-file is given. With --against no cluster is asked.
/// Exit codes: 0 nothing would change, 1 something would, 2 it could not be found out.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sluice diff helmrelease podinfo -n apps --path ./charts/podinfo\n  \
    sluice diff hr podinfo -n apps --helmrelease-file ./apps/podinfo.yaml --manifests ./apps \\\n      \
    --local-sources GitRepository/flux-system/fleet=.\n  \
    sluice diff hr podinfo -n apps --helmrelease-file ./apps/podinfo.yaml --path ./charts/podinfo \\\n      \
    --against main.yaml   # what `sluice build hr … --dry-run` printed of another branch")]
pub(super) struct Arguments {
    #[command(flatten)]
    files: release::Arguments,
    /// Compare with what `sluice build helmrelease` printed into this file, instead of the cluster
    #[arg(long, value_name = "FILE", requires = "helmrelease_file")]
    against: Option<PathBuf>,
    #[command(flatten)]
    cluster: cluster::Arguments,
}

/// Prints the changes; whether there are any.
pub(super) async fn run(arguments: &Arguments) -> Result<bool> {
    let Arguments { files, against, cluster } = arguments;
    let (namespace, timeout) = (&*cluster.namespace, cluster.access.timeout);
    let work = async {
        if let Some(file) = against {
            let files = Files { arguments: files, namespace, cluster: None };
            return compared(file, files.build().await?.built);
        }
        let client = cluster.access.client().await?;
        let target = Cluster::new(client, Arc::new(Kinds::default()), CONTROLLER);
        let files = Files { arguments: files, namespace, cluster: Some(target.clone()) };
        tried(&target, &files.build().await?).await
    };
    let Ok(changed) = tokio::time::timeout(timeout, work).await else {
        bail!("it took longer than {timeout:?}; --timeout allows more");
    };
    changed
}

/// What would change in the cluster.
async fn tried(cluster: &Cluster, previewed: &Previewed) -> Result<bool> {
    let Previewed { it, built, current } = previewed;
    if it.spec.kube_config.is_some() {
        bail!("diff not supported for remote clusters");
    }
    let found = local::differences(cluster, it, (built, current.as_ref())).await;
    let term = Term::detect();
    let mut changed = false;
    for difference in found.map_err(|why| anyhow!(why))? {
        changed |= match difference {
            Difference::Created(id) => created(term, &id),
            Difference::Deleted(id) => deleted(term, &id),
            Difference::Changed { before, after } => {
                drifted(term, built_of(built, &after), (&before, &after))
            }
        };
    }
    Ok(changed)
}

/// An object as the files have it.
fn built_of<'b>(built: &'b Built, object: &Value) -> &'b Value {
    let id = Id::of(object);
    let is_meant = |it: &&Value| {
        let own = Id::of(it);
        (own.kind, own.name) == (id.kind.clone(), id.name.clone())
    };
    built.objects.iter().find(is_meant).unwrap_or(&Value::Null)
}

/// What differs from what was built before.
fn compared(file: &Path, built: Built) -> Result<bool> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
    let mut old = Vec::new();
    for document in yaml::parse_all(&text).with_context(|| format!("cannot read {shown}"))? {
        let object: Value = serde_json::from_str(&document.to_json()?)?;
        if object.is_object() {
            old.push(object);
        }
    }
    let new = built.crds.into_iter().chain(built.objects).chain(built.hooks).map(|mut object| {
        mask::encrypted(&mut object);
        object
    });
    let by_id = |objects: Vec<Value>| -> BTreeMap<String, Value> {
        objects.into_iter().map(|it| (Id::of(&it).to_string(), it)).collect()
    };
    let (old, new) = (by_id(old), by_id(new.collect()));
    let term = Term::detect();
    let mut changed = false;
    for id in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        changed |= match (old.get(id), new.get(id)) {
            (Some(before), Some(after)) => drifted(term, after, (before, after)),
            (None, Some(after)) => created(term, &Id::of(after)),
            (Some(before), None) => deleted(term, &Id::of(before)),
            (None, None) => false,
        };
    }
    Ok(changed)
}

fn created(term: Term, id: &Id) -> bool {
    term.coloured(Colour::Green, &format!("► {id} created"));
    true
}

fn deleted(term: Term, id: &Id) -> bool {
    term.coloured(Colour::Red, &format!("► {id} deleted"));
    true
}
