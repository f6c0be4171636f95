//! `sluice tree`.

use std::{collections::HashSet, fmt::Write as _, process::ExitCode};

use anyhow::{Context as _, Result, bail};
use apply::{Entry, Id};
use clap::{Args, Subcommand, ValueEnum};
use futures::{FutureExt as _, future::BoxFuture};
use helm::release::Record;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, api::GroupVersionKind, discovery};
use serde_json::{Value, json};

use super::{cluster, late::Late, object};
use crate::term::Term;

/// Print what a Kustomization applied, as a tree
#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    kind: Late<Kind>,
}

#[derive(Debug, Subcommand)]
enum Kind {
    /// Print what a Kustomization applied, as a tree
    ///
    /// Kustomizations and Helm releases in it are gone into; those for other clusters are not.
    #[command(visible_alias = "ks")]
    Kustomization(Kustomization),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sluice tree kustomization flux-system\n  \
    sluice tree ks flux-system --compact -o json")]
struct Kustomization {
    /// Name of the Kustomization
    name: String,
    /// Only objects of Flux
    #[arg(long)]
    compact: bool,
    /// Form for machines
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    output: Option<Output>,
    #[command(flatten)]
    cluster: cluster::Arguments,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Output {
    Json,
    Yaml,
}

/// An object and what it brought.
struct Node {
    id: Id,
    children: Vec<Node>,
}

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let Kind::Kustomization(Kustomization { name, compact, output, cluster }) = arguments.kind.0;
    let client = cluster.access.client().await?;
    let mut walk = Walk { client, compact, seen: HashSet::new() };
    let group = "kustomize.toolkit.fluxcd.io".to_owned();
    let id = Id { group, kind: "Kustomization".into(), namespace: cluster.namespace, name };
    let Ok(tree) = tokio::time::timeout(cluster.access.timeout, walk.kustomization(id)).await
    else {
        bail!("it took longer than {:?}; --timeout allows more", cluster.access.timeout);
    };
    let tree = tree?;
    let text = match output {
        None => format!("{}\n{}", tree.id, drawn(&tree.children, "")),
        Some(Output::Json) => serde_json::to_string_pretty(&machine(&tree))? + "\n",
        Some(Output::Yaml) => yaml::json_to_yaml(&machine(&tree).to_string())?,
    };
    Term::detect().line(text.trim_end());
    Ok(ExitCode::SUCCESS)
}

struct Walk {
    client: Client,
    compact: bool,
    seen: HashSet<Id>,
}

impl Walk {
    fn kustomization(&mut self, id: Id) -> BoxFuture<'_, Result<Node>> {
        async move {
            let it = object::read(&self.client, &id.kind, &id.namespace, &id.name).await?;
            self.seen.insert(id.clone());
            let is_remote = !it["spec"]["kubeConfig"].is_null();
            let entries = it["status"]["inventory"]["entries"].as_array().cloned();
            let mut children = Vec::new();
            for entry in entries.unwrap_or_default() {
                let text = |field: &str| entry[field].as_str().unwrap_or_default();
                let found = Entry::parse(text("id"), text("v"))?.id;
                if found != id && self.shows(&found) {
                    children.push(self.child(found, is_remote).await?);
                }
            }
            Ok(Node { id, children })
        }
        .boxed()
    }

    async fn child(&mut self, id: Id, is_remote: bool) -> Result<Node> {
        match (id.group.as_str(), id.kind.as_str()) {
            ("kustomize.toolkit.fluxcd.io", "Kustomization")
                if !is_remote && !self.seen.contains(&id) =>
            {
                self.kustomization(id).await
            }
            ("helm.toolkit.fluxcd.io", "HelmRelease") if !is_remote => {
                let mut children = self.release(&id).await?;
                children.retain(|child| self.shows(&child.id));
                Ok(Node { id, children })
            }
            _ => Ok(Node { id, children: Vec::new() }),
        }
    }

    fn shows(&self, id: &Id) -> bool {
        !self.compact || id.group.contains("toolkit.fluxcd.io")
    }

    /// The objects of a release, read from its record.
    async fn release(&self, id: &Id) -> Result<Vec<Node>> {
        let it = object::read(&self.client, &id.kind, &id.namespace, &id.name).await?;
        let status = &it["status"];
        let (storage, latest) = (&status["storageNamespace"], &status["history"][0]);
        let (Some(storage), Some(name), Some(version)) =
            (storage.as_str(), latest["name"].as_str(), latest["version"].as_i64())
        else {
            return Ok(Vec::new());
        };
        if !it["spec"]["kubeConfig"].is_null() {
            return Ok(Vec::new());
        }
        let secrets = Api::<Secret>::namespaced(self.client.clone(), storage);
        let secret = helm::release::secret_name(name, version);
        let Some(secret) = secrets.get_opt(&secret).await.context("cannot read the release")?
        else {
            return Ok(Vec::new());
        };
        let data = secret.data.unwrap_or_default();
        let record = data.get("release").context("the release's Secret holds no release")?;
        let record = Record::decode(&record.0)?;
        let mut children = Vec::new();
        for document in yaml::parse_all(&record.manifest)? {
            let object: Value = serde_json::from_str(&document.to_json()?)?;
            if !object.is_null() {
                let id = self.placed(&object, &record.namespace).await;
                children.push(Node { id, children: Vec::new() });
            }
        }
        Ok(children)
    }

    /// The identity of an object, in the release's namespace if it names none and needs one.
    async fn placed(&self, object: &Value, namespace: &str) -> Id {
        let mut id = Id::of(object);
        if id.namespace.is_empty() {
            let version = object["apiVersion"].as_str().unwrap_or_default();
            let version = version.rsplit('/').next().unwrap_or_default();
            let kind = GroupVersionKind::gvk(&id.group, version, &id.kind);
            let found = discovery::pinned_kind(&self.client, &kind).await;
            if found.is_ok_and(|(_, caps)| caps.scope == discovery::Scope::Namespaced) {
                namespace.clone_into(&mut id.namespace);
            }
        }
        id
    }
}

/// The lines of the nodes, each after `margin`.
fn drawn(nodes: &[Node], margin: &str) -> String {
    let mut text = String::new();
    for (at, node) in nodes.iter().enumerate() {
        let is_last = at + 1 == nodes.len();
        let (mark, more) = if is_last { ("└── ", "    ") } else { ("├── ", "│   ") };
        let _ = writeln!(text, "{margin}{mark}{}", node.id);
        text += &drawn(&node.children, &format!("{margin}{more}"));
    }
    text
}

/// The tree in flux' form for machines.
fn machine(node: &Node) -> Value {
    let Id { group, kind, namespace, name } = &node.id;
    let mut tree = json!({ "resource": {
        "Namespace": namespace, "Name": name, "GroupKind": { "Group": group, "Kind": kind },
    }});
    if !node.children.is_empty() {
        tree["resources"] = node.children.iter().map(machine).collect();
    }
    tree
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(kind: &str, name: &str, children: Vec<Node>) -> Node {
        let id = Id {
            group: String::new(),
            kind: kind.into(),
            namespace: "x".into(),
            name: name.into(),
        };
        Node { id, children }
    }

    #[test]
    fn lines_lead_to_children() {
        let nodes = vec![
            node("Kustomization", "a", vec![node("Secret", "b", vec![]), node("Pod", "c", vec![])]),
            node("ConfigMap", "d", vec![node("Pod", "e", vec![])]),
        ];
        let want = "├── Kustomization/x/a\n│   ├── Secret/x/b\n│   └── Pod/x/c\n\
                    └── ConfigMap/x/d\n    └── Pod/x/e\n";
        assert_eq!(drawn(&nodes, ""), want);
    }
}
