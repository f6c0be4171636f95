//! What is done: sources fetched, artifacts stored and told, orphans deleted.

use std::{collections::BTreeMap, sync::Arc};

use api::{
    meta::{self, NamespacedObjectKindReference},
    reason,
    source::{Artifact, ExternalArtifact},
    source_extensions::{ArtifactGenerator, GENERATOR, GeneratedArtifact, OutputArtifact},
};
use artifact::{
    Kind, Lease, Place, Stored,
    ignore::Rules,
    tarball::{Tarball, Tree},
};
use controller::{Event, Stop};
use jiff::Timestamp;
use kube::{
    Api, Resource as _, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
};
use serde_json::json;

use super::{
    CONTROLLER, Context,
    compose::{self, Composed},
    observe::{self, ORIGIN_REVISION, Source},
    plan, report,
};
use crate::Owner;

/// What composing is reckoned to need.
const COMPOSE_BYTES: usize = 8 << 20;

/// What a run has made.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) inventory: Vec<GeneratedArtifact>,
    pub(super) events: Vec<Event>,
}

impl Outcome {
    /// Notes an artifact, and tells of it if it is another one than before.
    pub(super) fn add(
        &mut self,
        it: &ArtifactGenerator,
        (made, revision): (GeneratedArtifact, String),
    ) {
        let known = it.status.as_ref().and_then(|it| it.inventory.as_ref());
        let is_known = |known: &GeneratedArtifact| {
            (&known.name, &known.namespace, &known.digest)
                == (&made.name, &made.namespace, &made.digest)
        };
        if !known.into_iter().flatten().any(is_known) {
            let GeneratedArtifact { namespace, name, .. } = &made;
            let message =
                format!("ExternalArtifact/{namespace}/{name} reconciled with revision {revision}");
            self.events.push(Event::info(report::EVENT, message));
        }
        self.inventory.push(made);
    }
}

/// The extracted sources, by alias. They stay as long as this is held.
pub(super) struct Trees {
    _leases: Vec<Lease>,
    sources: Arc<compose::Sources>,
}

/// Gets the artifacts of all sources.
pub(super) async fn fetch(sources: &[Source], context: &Context) -> Result<Trees, String> {
    let mut leases = Vec::new();
    let mut folders = BTreeMap::new();
    for source in sources {
        let owner = Owner { uid: &source.uid, place: source.place.as_ref() };
        let lease = context.fetcher.tree(owner, &source.artifact).await;
        let lease = lease.map_err(|why| why.to_string())?;
        folders.insert(source.alias.clone(), lease.path().to_owned());
        leases.push(lease);
    }
    let most = context.store.options().limits.artifact_files;
    let read = move || {
        let read =
            folders.into_iter().map(|(alias, folder)| Ok((alias, Tree::read(&folder, most)?)));
        read.collect::<Result<_, artifact::Error>>()
    };
    let trees = context.compute.run(COMPOSE_BYTES, read).await.map_err(|why| why.to_string())?;
    Ok(Trees { _leases: leases, sources: Arc::new(trees.map_err(|why| why.to_string())?) })
}

/// Composes, stores and tells one artifact; gives what the inventory tells of it, and its revision.
pub(super) async fn make(
    it: &ArtifactGenerator,
    output: &OutputArtifact,
    (sources, trees): (&[Source], &Trees),
    (now, context): (Timestamp, &Context),
) -> Result<(GeneratedArtifact, String), Stop> {
    let name = &output.name;
    let stored = build(it, output, trees, context)
        .await
        .map_err(|why| Stop::fail(reason::BUILD_FAILED, format!("{name} build failed: {why}")))?;
    let artifact = artifact(output, sources, &stored, (now, context));
    tell(it, output, (&artifact, now), context).await.map_err(|why| {
        Stop::fail(reason::RECONCILIATION_FAILED, format!("{name} reconcile failed: {why}"))
    })?;
    let filename = stored.path.rsplit('/').next().unwrap_or_default().to_owned();
    let namespace = it.namespace().unwrap_or_default();
    let made =
        GeneratedArtifact { name: name.clone(), namespace, digest: artifact.digest, filename };
    Ok((made, artifact.revision))
}

async fn build(
    it: &ArtifactGenerator,
    output: &OutputArtifact,
    trees: &Trees,
    context: &Context,
) -> Result<Stored, String> {
    let broken = |why: artifact::Error| format!("failed to create artifact: {why}");
    let most = context.store.options().limits.artifact_files;
    let (sources, wanted) = (Arc::clone(&trees.sources), output.clone());
    let composed = move || compose::compose(&wanted, &sources, most);
    let composed = context.compute.run(COMPOSE_BYTES, composed).await;
    let Composed { tree, hash } = composed.map_err(|why| why.to_string())??;
    let write = move |to: &mut dyn std::io::Write| {
        let mut tarball = Tarball::new(to, most);
        tree.pack(&Rules::defaults(), &mut tarball, |_, content| Ok(content.read()?))?;
        tarball.finish().map(drop)
    };
    let namespace = it.namespace().unwrap_or_default();
    let place = Place::new(Kind::ExternalArtifact, &namespace, &output.name).map_err(broken)?;
    context.store.write(&place, &format!("{hash}.tar.gz"), write).await.map_err(broken)
}

/// The artifact as a status tells it.
fn artifact(
    output: &OutputArtifact,
    sources: &[Source],
    stored: &Stored,
    (now, context): (Timestamp, &Context),
) -> Artifact {
    let of = |reference: Option<&str>| {
        let alias = plan::alias(reference)?;
        sources.iter().find(|source| source.alias == alias)
    };
    let digest = stored.digest.to_string();
    let revision = of(output.revision.as_deref()).map(|it| it.artifact.revision.clone());
    let origin = of(output.origin_revision.as_deref());
    let metadata = origin
        .map(|it| BTreeMap::from([(ORIGIN_REVISION.to_owned(), it.origin_revision().to_owned())]));
    Artifact {
        url: context.store.url(&stored.path),
        path: stored.path.clone(),
        revision: revision.unwrap_or_else(|| format!("latest@{digest}")),
        digest,
        last_update_time: meta::time(now),
        size: i64::try_from(stored.size).ok(),
        metadata,
    }
}

/// Writes the ExternalArtifact and its status.
async fn tell(
    it: &ArtifactGenerator,
    output: &OutputArtifact,
    (artifact, now): (&Artifact, Timestamp),
    context: &Context,
) -> Result<(), String> {
    let namespace = it.namespace().unwrap_or_default();
    let all = Api::<ExternalArtifact>::namespaced(context.client.clone(), &namespace);
    let (version, kind) = (ExternalArtifact::api_version(&()), ExternalArtifact::kind(&()));
    let source_ref = NamespacedObjectKindReference {
        api_version: Some(ArtifactGenerator::api_version(&()).into_owned()),
        kind: ArtifactGenerator::kind(&()).into_owned(),
        name: it.name_any(),
        namespace: Some(namespace.clone()),
    };
    let labels = json!({
        "app.kubernetes.io/managed-by": CONTROLLER,
        GENERATOR: it.uid().unwrap_or_default(),
    });
    let object = json!({
        "apiVersion": version,
        "kind": kind,
        "metadata": { "name": output.name, "namespace": namespace, "labels": labels },
        "spec": { "sourceRef": source_ref },
    });
    let force = PatchParams::apply(CONTROLLER).force();
    let applied = all.patch(&output.name, &force, &Patch::Apply(&object)).await;
    let applied = applied.map_err(|why| format!("failed to apply ExternalArtifact: {why}"))?;
    let condition = json!({
        "type": meta::READY,
        "status": "True",
        "reason": reason::SUCCEEDED,
        "message": "Artifact is ready",
        "observedGeneration": applied.metadata.generation,
        "lastTransitionTime": ready_since(&applied).unwrap_or_else(|| meta::time(now)),
    });
    let object = json!({
        "apiVersion": version,
        "kind": kind,
        "metadata": { "name": output.name, "namespace": namespace },
        "status": { "artifact": artifact, "conditions": [condition] },
    });
    let written = all.patch_status(&output.name, &force, &Patch::Apply(&object)).await;
    let failed = |why| format!("failed to patchStatus ExternalArtifact status: {why}");
    written.map(drop).map_err(failed)
}

/// Since when it has been ready, if it is.
fn ready_since(it: &ExternalArtifact) -> Option<meta::Time> {
    let conditions = it.status.as_ref()?.conditions.as_ref()?;
    let ready = conditions.iter().find(|it| it.type_ == meta::READY && it.status == "True")?;
    Some(ready.last_transition_time.clone())
}

/// Deletes what this generator made and `keep` does not name, from the cluster and the store: what its
/// inventory tells of, and what carries its label. What has another maker by now stays.
pub(super) async fn prune(
    it: &ArtifactGenerator,
    keep: &[GeneratedArtifact],
    context: &Context,
) -> Result<(), Stop> {
    let failed = |why: &dyn std::fmt::Display| {
        let message = format!("failed to delete orphaned ExternalArtifact: {why}");
        Stop::fail(reason::RECONCILIATION_FAILED, message)
    };
    let namespace = it.namespace().unwrap_or_default();
    let all = Api::<ExternalArtifact>::namespaced(context.client.clone(), &namespace);
    let is_kept = |name: &str| keep.iter().any(|kept| kept.name == name);
    let mut orphans = BTreeMap::new();
    for found in observe::labelled(it, context).await.map_err(|why| failed(&why))? {
        orphans.insert(found.name_any(), Some(found));
    }
    let inventory = it.status.as_ref().and_then(|it| it.inventory.as_ref());
    for made in inventory.into_iter().flatten().filter(|it| it.namespace == namespace) {
        if !is_kept(&made.name) && !orphans.contains_key(&made.name) {
            let found = all.get_opt(&made.name).await.map_err(|why| failed(&why))?;
            let of_other = |it: &ExternalArtifact| it.labels().contains_key(GENERATOR);
            if !found.as_ref().is_some_and(of_other) {
                orphans.insert(made.name.clone(), found);
            }
        }
    }
    for (name, found) in orphans.into_iter().filter(|(name, _)| !is_kept(name)) {
        let place = Place::new(Kind::ExternalArtifact, &namespace, &name);
        let place = place.map_err(|why| failed(&why))?;
        context.store.forget(&place).await.map_err(|why| failed(&why))?;
        let Some(found) = found else { continue };
        context.store.revoke(&found.uid().unwrap_or_default());
        let preconditions = Preconditions { uid: found.uid(), resource_version: None };
        let only_it =
            DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        match all.delete(&name, &only_it).await {
            Ok(_) => {}
            // Gone, or another one by now.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {}
            Err(why) => return Err(failed(&why)),
        }
    }
    Ok(())
}

/// Removes old artifacts. What cannot be removed now is removed in the next run.
pub(super) async fn collect(made: &[GeneratedArtifact], now: Timestamp, context: &Context) {
    for made in made {
        let Ok(path) = observe::stored(made) else { continue };
        if let Err(error) = context.store.collect(&path, now).await {
            tracing::error!(%error, path, "failed to garbage collect artifacts");
        }
    }
}
