//! ControllerRevisions: the templates that StatefulSets and DaemonSets had.

use anyhow::Result;
use serde_json::{Value, json};

use super::cluster::Cluster;
use super::kind::Kind;
use super::known::{Key, Object, is_leaving};
use super::name;
use super::replica_set::reference;

/// The label by which a Pod tells its template.
pub(super) const HASH: &str = "controller-revision-hash";

/// The revision of the template of `owner`; recorded if it is new, and the newest if it is back.
/// Gives its name.
pub(super) async fn current(cluster: &mut Cluster, key: &Key, owner: &Value) -> Result<String> {
    let mut template = owner["spec"]["template"].clone();
    let hash = name::template_hash(&template, 0);
    let name = format!("{}-{hash}", key.name);
    let all = all(cluster, owner);
    let highest = all.last().map_or(0, |it| number(it));
    let known = all.iter().find(|it| it["metadata"]["name"] == name.as_str());
    match known {
        Some(known) if number(known) < highest => {
            let patch = json!({"revision": highest + 1});
            cluster.patch(&key.beside(Kind::ControllerRevision, &name), &patch).await?;
        }
        Some(_) => {}
        None => {
            template["$patch"] = json!("replace");
            let mut labels = owner["spec"]["selector"]["matchLabels"].clone();
            labels[HASH] = json!(hash);
            let revision = json!({
                "metadata": {
                    "name": name, "namespace": key.namespace, "labels": labels,
                    "ownerReferences": [reference(owner, key.kind)],
                },
                "data": {"spec": {"template": template}},
                "revision": highest + 1,
            });
            cluster.create(Kind::ControllerRevision, revision).await?;
        }
    }
    Ok(name)
}

/// Deletes the oldest revisions beyond the history limit, but for those in use.
pub(super) async fn forget_old(cluster: &mut Cluster, owner: &Value, used: &[&str]) -> Result<()> {
    let kept = owner["spec"]["revisionHistoryLimit"].as_u64().unwrap_or(10);
    let kept = usize::try_from(kept).unwrap_or(usize::MAX);
    let name = |it: &Object| it["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let mut old = all(cluster, owner);
    old.retain(|it| !used.contains(&name(it).as_str()));
    for revision in old.iter().take(old.len().saturating_sub(kept)) {
        cluster.delete(&Key::of(Kind::ControllerRevision, revision), revision, false).await?;
    }
    Ok(())
}

/// The revisions of `owner`, the oldest first.
fn all(cluster: &Cluster, owner: &Value) -> Vec<Object> {
    let mut all = cluster.known.controlled(owner, Kind::ControllerRevision);
    all.retain(|it| !is_leaving(it));
    all.sort_by_key(|it| number(it));
    all
}

fn number(revision: &Value) -> i64 {
    revision["revision"].as_i64().unwrap_or(0)
}
