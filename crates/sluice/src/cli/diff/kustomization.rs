//! `sluice diff kustomization`.

use std::{
    collections::{BTreeSet, HashSet},
    path::PathBuf,
    sync::Arc,
};

use anyhow::{Context as _, Result, bail};
use api::kustomize::Kustomization;
use apply::{Action, Cluster, Entry, Id, Kinds, Options};
use clap::Args;
use reconciler::kustomization::CONTROLLER;
use serde_json::Value;

use super::object::drifted;
use crate::{
    cli::{
        cluster,
        local::{self, Files},
    },
    term::{Colour, Term},
};

/// Group of the control annotations.
const GROUP: &str = "kustomize.toolkit.fluxcd.io";

/// Show what a Kustomization on local files would change in the cluster
///
/// Each object is applied as a dry run. Kinds and namespaces that the same change brings need not
/// exist yet, nor does the Kustomization if --kustomization-file is given. Exit codes: 0 nothing
/// would change, 1 something would, 2 it could not be found out.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sluice diff kustomization my-app --path ./apps/my-app\n  \
    sluice diff ks my-app --path ./apps --kustomization-file ./clusters/dev/my-app.yaml\n  \
    sluice diff ks flux-system --path ./clusters/dev -r \\\n      \
    --local-sources GitRepository/flux-system/flux-system=.")]
pub(super) struct Arguments {
    #[command(flatten)]
    files: local::Arguments,
    /// Taken for flux' sake: there is no bar
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "true")]
    progress_bar: Option<bool>,
    /// Taken for flux' sake: with --kustomization-file the Kustomization need not exist
    #[arg(long, hide = true)]
    ignore_not_found: bool,
    #[command(flatten)]
    cluster: cluster::Arguments,
}

/// Prints the changes; whether there are any.
pub(super) async fn run(arguments: &Arguments) -> Result<bool> {
    let Arguments { files, cluster, .. } = arguments;
    let client = cluster.access.client().await?;
    let target = Cluster::new(client.clone(), Arc::new(Kinds::default()), CONTROLLER);
    let files = Files { arguments: files, namespace: &cluster.namespace, client: Some(client) };
    let diff = Diff { files, cluster: target, term: Term::detect() };
    let Ok(changed) = tokio::time::timeout(cluster.access.timeout, diff.all()).await else {
        bail!("it took longer than {:?}; --timeout allows more", cluster.access.timeout);
    };
    changed
}

struct Diff<'a> {
    files: Files<'a>,
    cluster: Cluster,
    term: Term,
}

/// What comes into being with the change, so that what needs it cannot be tried.
#[derive(Default)]
struct Upcoming {
    namespaces: BTreeSet<String>,
    kinds: BTreeSet<(String, String)>,
}

impl Diff<'_> {
    async fn all(&self) -> Result<bool> {
        let root = self.files.root().await?;
        let mut known = HashSet::from([local::key(&root)]);
        let mut open = vec![(root, self.files.root_folder()?)];
        let mut changed = false;
        while let Some((it, folder)) = open.pop() {
            if known.len() > 1 {
                self.term.line(&format!("📁 {}", shown(&it)));
            }
            let objects = self.files.build(&it, &folder).await?;
            changed |= self.one(&it, objects.clone()).await?;
            if self.files.arguments.recursive {
                open.extend(self.children(&objects, &mut known).await?);
            }
        }
        Ok(changed)
    }

    /// The Kustomizations to go on with, last first, and their folders.
    async fn children(
        &self,
        objects: &[Value],
        known: &mut HashSet<(String, String)>,
    ) -> Result<Vec<(Kustomization, PathBuf)>> {
        let mut children = Vec::new();
        for mut child in local::children(objects, known)?.into_iter().rev() {
            if child.spec.kube_config.is_some() {
                let why = "skipped: diff not supported for remote clusters";
                self.term.coloured(Colour::Yellow, &format!("⚠️ {} {why}", shown(&child)));
                continue;
            }
            let (namespace, name) = local::key(&child);
            child.status = self.files.live(&namespace, &name).await?.and_then(|live| live.status);
            let folder = self.files.folder_of(&child)?;
            children.push((child, folder));
        }
        Ok(children)
    }

    /// The changes of one Kustomization.
    async fn one(&self, it: &Kustomization, mut objects: Vec<Value>) -> Result<bool> {
        objects.iter_mut().for_each(apply::normalize);
        // What others need comes first; the rest stays in kustomize's order.
        objects.sort_by_key(|object| !Upcoming::is_needed(object));
        let mut upcoming = Upcoming::default();
        let (mut kept, mut failures, mut changed) = (HashSet::new(), Vec::new(), false);
        for object in objects {
            kept.insert(Id::of(&object));
            match self.object(&object, &mut upcoming).await {
                Ok(differs) => changed |= differs,
                Err(why) => failures.push(why),
            }
        }
        if let Some(first) = failures.into_iter().next() {
            return Err(first);
        }
        Ok(changed | self.pruned(it, &kept)?)
    }

    /// The change of one object; whether there is one.
    async fn object(&self, object: &Value, upcoming: &mut Upcoming) -> Result<bool> {
        let options = Options {
            group: GROUP.to_owned(),
            force: false,
            concurrency: 1,
            override_managers: Vec::new(),
        };
        let comparison = match self.cluster.compare(vec![object.clone()], &options).await {
            Ok(comparison) => comparison,
            Err(_) if upcoming.explains(object) => {
                self.created(object, upcoming);
                return Ok(true);
            }
            Err(why) => return Err(why).with_context(|| Id::of(object).to_string()),
        };
        let mut changed = false;
        for change in comparison.changes().filter(|it| it.action == Action::Skipped) {
            self.term.coloured(Colour::Yellow, &format!("► {} skipped", change.entry.id));
        }
        for (change, live, would_be) in comparison.differences() {
            if let (Action::Configured, Some(live)) = (change.action, live) {
                changed |= drifted(self.term, object, (live, would_be));
            } else {
                self.created(object, upcoming);
                changed = true;
            }
        }
        Ok(changed)
    }

    fn created(&self, object: &Value, upcoming: &mut Upcoming) {
        upcoming.learn(object);
        self.term.coloured(Colour::Green, &format!("► {} created", Id::of(object)));
    }

    /// What would be pruned: what is in the inventory and is not built any more.
    fn pruned(&self, it: &Kustomization, kept: &HashSet<Id>) -> Result<bool> {
        let inventory = it.status.iter().filter_map(|status| status.inventory.as_ref());
        let mut changed = false;
        for entry in inventory.flat_map(|inventory| &inventory.entries) {
            let entry = Entry::parse(&entry.id, &entry.version)?;
            if it.spec.prune && !kept.contains(&entry.id) {
                self.term.coloured(Colour::Red, &format!("► {} deleted", entry.id));
                changed = true;
            }
        }
        Ok(changed)
    }
}

impl Upcoming {
    fn is_needed(object: &Value) -> bool {
        ["Namespace", "CustomResourceDefinition"].iter().any(|kind| object["kind"] == *kind)
    }

    fn learn(&mut self, object: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match object["kind"].as_str() {
            Some("Namespace") => drop(self.namespaces.insert(text(&object["metadata"]["name"]))),
            Some("CustomResourceDefinition") => {
                let spec = &object["spec"];
                self.kinds.insert((text(&spec["group"]), text(&spec["names"]["kind"])));
            }
            _ => {}
        }
    }

    /// Whether an object cannot be tried because of what it needs.
    fn explains(&self, object: &Value) -> bool {
        let Id { group, kind, namespace, .. } = Id::of(object);
        self.namespaces.contains(&namespace) || self.kinds.contains(&(group, kind))
    }
}

fn shown(it: &Kustomization) -> String {
    let (namespace, name) = local::key(it);
    format!("Kustomization/{namespace}/{name}")
}
