//! What the reconciler would release, and what that would change in a cluster: for previews.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::helm::{CrdsPolicy, HelmRelease};
use apply::{Cluster, Id};
use helm::capability::Capabilities;
use helm::chart::Chart;
use helm::release::{Record, Status, shortened};
use helm::render::{self, Release};
use helm::values::Values;
use kube::Client;
use serde_json::Value;

use super::object::{self, Object};
use super::render::{Ingredients, preview};
use super::spec::{self, Deed, Manner};
use super::storage::Storage;
use super::values::Origin;
use super::{GROUP, annotation, change, postrender};

/// A release of a chart that is at hand.
pub struct Local<'a> {
    /// The object.
    pub it: &'a HelmRelease,
    /// The chart that it names.
    pub chart: Chart,
    /// Its values, put together.
    pub values: Values,
    /// What the chart is told of the cluster.
    pub capabilities: Capabilities,
    /// Time, randomness and keys, for templates.
    pub templates: Arc<dyn gotemplate::Host>,
    /// The revision that an upgrade would start from; without one it is an installation.
    pub current: Option<&'a Record>,
}

/// What a release would be.
#[derive(Debug, Clone, Default)]
pub struct Built {
    /// CRDs of the chart that would be made, or replaced.
    pub crds: Vec<Value>,
    /// Its objects, in the order in which they are written.
    pub objects: Vec<Value>,
    /// Hooks and tests that would run.
    pub hooks: Vec<Value>,
}

/// What a release would change.
#[derive(Debug, Clone)]
pub enum Difference {
    /// An object would be made.
    Created(Id),
    /// An object would be another one.
    Changed {
        /// As it is.
        before: Value,
        /// As it would be.
        after: Value,
    },
    /// An object would be deleted.
    Deleted(Id),
}

/// The values of a release: what they refer to is looked for among `manifests`, then by `client`.
///
/// # Errors
/// What is missing or cannot be read, in upstream's words; never what is in a Secret.
pub async fn values(
    it: &HelmRelease,
    manifests: &[Value],
    client: Option<&Client>,
) -> Result<Values, String> {
    super::values::compose(Origin { manifests, client }, it).await
}

/// The revision that an upgrade would start from, if there is one.
///
/// # Errors
/// The API server's answer.
pub async fn current(client: &Client, it: &HelmRelease) -> Result<Option<Record>, String> {
    let storage = Storage::new(client.clone(), &spec::storage_namespace(it));
    let name = shortened(&spec::release_name(it));
    let mut records: Vec<Record> =
        storage.history(&name).await?.into_iter().map(|it| it.record).collect();
    // The deployed one, else the newest.
    records.sort_by_key(|it| (it.info.status == Status::Deployed, it.version));
    Ok(records.pop().filter(|it| it.info.status != Status::Uninstalled))
}

/// What a chart is told of a cluster.
///
/// # Errors
/// Helm's text.
pub async fn capabilities(cluster: &Cluster) -> Result<Capabilities, String> {
    super::capability::of(cluster).await
}

impl Local<'_> {
    fn deed(&self) -> Deed {
        if self.current.is_some() { Deed::Upgrade } else { Deed::Install }
    }

    /// Builds the release. Objects are marked as its own; those without a namespace go to that of
    /// the release, if their kind is in any. What templates look up is there only with a cluster.
    ///
    /// # Errors
    /// Helm's text, or kustomize's.
    pub async fn build(mut self, cluster: Option<&Cluster>) -> Result<Built, String> {
        let manner = Manner::of(self.it, self.deed());
        let name = shortened(&spec::release_name(self.it));
        helm::release::check_name(&name).map_err(|why| format!("release name {name:?}: {why}"))?;
        let crds = self.crds(manner.crds)?;
        self.reuse(manner)?;
        let release = Release {
            name: name.clone(),
            namespace: spec::release_namespace(self.it),
            revision: self.current.map_or(1, |current| current.version + 1),
            is_upgrade: self.current.is_some(),
        };
        let namespace = release.namespace.clone();
        let ingredients = Ingredients {
            chart: Arc::new(self.chart),
            values: self.values,
            release,
            capabilities: self.capabilities,
            host: self.templates,
            dns: false,
            skip_schema: manner.skip_schema,
            steps: postrender::steps(self.it),
        };
        let rendered = preview(&ingredients, cluster).await?;
        let mut objects = object::parse(&rendered.manifest)?;
        for object in &mut objects {
            object::mark(object, (&name, &namespace));
        }
        let is_test = |events: &[String]| events.iter().all(|event| event == "test");
        let runs = |hook: &&helm::hook::Hook| {
            if is_test(&hook.events) { spec::tests(self.it) } else { manner.hooks }
        };
        let mut hooks = Vec::new();
        for hook in rendered.hooks.iter().filter(runs) {
            hooks.extend(object::parse(&hook.manifest)?);
        }
        Ok(Built { crds, objects, hooks })
    }

    /// The CRDs of the chart, marked as the release's.
    fn crds(&self, policy: CrdsPolicy) -> Result<Vec<Value>, String> {
        if policy == CrdsPolicy::Skip {
            return Ok(Vec::new());
        }
        let mut chart = self.chart.clone();
        render::choose(&mut chart, &self.values)
            .map_err(|why| format!("failed to process chart dependencies: {why}"))?;
        let origin = postrender::origin(self.it);
        let labels: Vec<(&str, &str)> = origin.iter().map(|(k, v)| (&**k, &**v)).collect();
        let mut all = Vec::new();
        for (_, text) in render::crds(&chart) {
            all.extend(object::parse(&text)?);
        }
        for definition in &mut all {
            object::put(definition, "labels", &labels);
        }
        Ok(all)
    }

    /// Values of the current revision stay, if that is asked for.
    fn reuse(&mut self, manner: Manner) -> Result<(), String> {
        let Some(current) = self.current.filter(|_| manner.preserve_values) else { return Ok(()) };
        let config = helm::values::from_json(current.config.clone().into());
        let old = render::coalesced(&current.chart, &config);
        self.chart.values = old.map_err(|why| format!("failed to rebuild old values: {why}"))?;
        render::reuse(&mut self.values, config);
        Ok(())
    }
}

/// Finds out what a release would change, by dry-runs of what Helm would do.
///
/// # Errors
/// What the API server would refuse.
pub async fn differences(
    cluster: &Cluster,
    it: &HelmRelease,
    (built, current): (&Built, Option<&Record>),
) -> Result<Vec<Difference>, String> {
    let namespace = spec::release_namespace(it);
    let deed = if current.is_some() { Deed::Upgrade } else { Deed::Install };
    let manner = Manner::of(it, deed);
    let comparing =
        Comparing { cluster, applies: annotation::applies(it) == Ok(true), deed, manner };
    let mut found = Vec::new();
    for crd in &built.crds {
        found.extend(comparing.definition(crd).await?);
    }
    let mut original = Vec::new();
    for value in object::parse(current.map_or("", |it| it.manifest.as_str()))? {
        // A kind that is no longer served has no objects.
        if let Ok(object) = object::placed(cluster, value, &namespace).await {
            original.push(object);
        }
    }
    let (upcoming, mut wanted) = (upcoming(built), BTreeSet::new());
    for value in &built.objects {
        let id = Id::of(value);
        match object::placed(cluster, value.clone(), &namespace).await {
            Ok(object) => {
                wanted.insert(object.id().to_string());
                found.extend(comparing.object(&object, &original).await?);
            }
            Err(_) if upcoming.contains(&(id.group.clone(), id.kind.clone())) => {
                found.push(Difference::Created(id));
            }
            Err(why) => return Err(format!("{id}: {why}")),
        }
    }
    for old in original.iter().filter(|it| !wanted.contains(&it.id().to_string())) {
        let live = cluster.get(&old.entry).await.map_err(|why| format!("{}: {why}", old.id()))?;
        if live.is_some_and(|live| !change::is_kept(&live)) {
            found.push(Difference::Deleted(old.id().clone()));
        }
    }
    Ok(found)
}

/// The kinds that come with the release.
fn upcoming(built: &Built) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let definitions = built.crds.iter().chain(&built.objects);
    let definitions = definitions.filter(|it| it["kind"] == "CustomResourceDefinition");
    let kind = |it: &Value| (text(&it["spec"]["group"]), text(&it["spec"]["names"]["kind"]));
    definitions.map(kind).collect()
}

/// How objects are compared.
struct Comparing<'a> {
    cluster: &'a Cluster,
    applies: bool,
    deed: Deed,
    manner: Manner,
}

impl Comparing<'_> {
    async fn definition(&self, crd: &Value) -> Result<Option<Difference>, String> {
        let object = Object::of(crd.clone());
        let failed = |why: apply::Refusal| format!("{}: {why}", object.id());
        let Some(before) = self.cluster.get(&object.entry).await.map_err(failed)? else {
            return Ok(Some(Difference::Created(object.id().clone())));
        };
        if self.manner.crds != CrdsPolicy::CreateReplace {
            return Ok(None);
        }
        let after = self.cluster.dry_run(crd).await.map_err(failed)?;
        Ok(Some(Difference::Changed { before, after }))
    }

    async fn object(
        &self,
        object: &Object,
        original: &[Object],
    ) -> Result<Option<Difference>, String> {
        let failed = |why: apply::Refusal| format!("{}: {why}", object.id());
        let Some(before) = self.cluster.get(&object.entry).await.map_err(failed)? else {
            return Ok(Some(Difference::Created(object.id().clone())));
        };
        if self.applies {
            return self.applied(object).await;
        }
        let old = original.iter().find(|old| old.id() == object.id()).unwrap_or(object);
        let three_way = self.deed == Deed::Install && self.manner.take_ownership;
        let (kind, patch) = change::patch_of(&old.value, &object.value, &before, three_way);
        if patch.as_object().is_none_or(serde_json::Map::is_empty) {
            return Ok(None);
        }
        let after = self.cluster.try_patch(&object.entry, kind, &patch).await.map_err(failed)?;
        Ok(Some(Difference::Changed { before, after }))
    }

    async fn applied(&self, object: &Object) -> Result<Option<Difference>, String> {
        let options = apply::Options {
            group: GROUP.to_owned(),
            force: false,
            concurrency: 1,
            override_managers: Vec::new(),
        };
        let compared = self.cluster.compare(vec![object.value.clone()], &options).await;
        let compared = compared.map_err(|why| why.to_string())?;
        let changed = compared.differences().find_map(|(_, before, after)| {
            Some(Difference::Changed { before: before?.clone(), after: after.clone() })
        });
        Ok(changed)
    }
}
